"""``download``: fetch files, several at once; what was begun goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pandas as pd

from ecephys_dal.artifacts import Artifact
from ecephys_dal.cli.answers import echo
from ecephys_dal.cli.commands import COMMANDS, Command, Group
from ecephys_dal.cli.exits import GOES_ON, NAME, Exit, line_of
from ecephys_dal.cli.filtering import IdList
from ecephys_dal.cli.invocation import FilePath, Invocation, common_options
from ecephys_dal.cli.text_table import table_lines
from ecephys_dal.cli.web import (
    LIMS_APP,
    Naming,
    app_options,
    client_for,
    parallel_option,
    tell,
    told_once,
)
from ecephys_dal.errors import NotExactlyOneError
from ecephys_dal.facade import EcephysProjectLimsApi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecephys_dal.database import Database

__all__ = ["download"]


class Kind(NamedTuple):
    """A kind of file: the facade's method that fetches it, and what its ids are of."""

    method: str
    summary: str


KINDS = {
    "session": Kind("get_session_data", "The NWB files of sessions."),
    "lfp": Kind("get_probe_lfp_data", "The NWB files of probes' local field potentials."),
    "movie": Kind("get_natural_movie_template", "The movies that were shown, by their numbers."),
    "scene": Kind("get_natural_scene_template", "The pictures that were shown, by their numbers."),
}


@click.group(cls=Group, help=COMMANDS["download"].summary)
def download() -> None:
    """Hold the commands of the kinds."""


def _command(name: str) -> click.Command:
    @click.command(name, cls=Command, help=KINDS[name].summary)
    @click.argument("ids", nargs=-1, required=True, type=IdList(), metavar="ID|@FILE|-...")
    @click.option(
        "--output-dir",
        type=FilePath(file_okay=False, path_type=Path),
        default=Path(),
        show_default="here",
        help="The folder; a file becomes ID_NAME, by its own id.",
    )
    @parallel_option
    @click.option("--refresh", is_flag=True, help="Fetch also what is there already.")
    @click.option("--dry-run", is_flag=True, help="Only list the files and their sizes.")
    @app_options(default=LIMS_APP)
    @common_options
    @click.pass_obj
    def command(
        invocation: Invocation,
        *,
        ids: tuple[list[int], ...],
        output_dir: Path,
        parallel: int,
        refresh: bool,
        dry_run: bool,
        app: str,
        mounts: str | None,
    ) -> int:  # fmt: skip
        invocation.goes_on = GOES_ON
        wanted = list(dict.fromkeys(number for some in ids for number in some))
        with invocation.opened() as database:
            client = client_for(
                database, app, mounts, max_parallel=parallel, progress=invocation.progress
            )
            found, n_missing = _find(database, name, wanted)
        if dry_run:
            _list(found)
        else:
            with client, told_once():
                n_missing += tell(client.download_many(list(found), output_dir, refresh=refresh))
        return Exit.DONE if found and not n_missing else Exit.NOTHING

    return command


def _find(database: Database, name: str, ids: Sequence[int]) -> tuple[dict[Artifact, int], int]:
    """Return the files, each with the first id that it is of, and of how many ids there is none."""
    found: dict[Artifact, int] = {}
    n_missing = 0
    api = EcephysProjectLimsApi(database, Naming())
    for number in ids:
        artifact = _file_of(api, name, number)
        if artifact is None:
            n_missing += 1
        else:
            found.setdefault(artifact, number)
    return found, n_missing


def _file_of(api: EcephysProjectLimsApi, name: str, number: int) -> Artifact | None:
    """Return the file of an id, or tell why there is none."""
    try:
        artifact: Any = getattr(api, KINDS[name].method)(number)
    except NotExactlyOneError as error:
        asked = "probe" if name == "lfp" else name
        echo(f"{line_of(error)} ({NAME} why {asked} {number} tells more)", err=True)
        return None
    return Artifact.of(artifact)


def _list(found: dict[Artifact, int]) -> None:
    rows = [
        (number, one.id, one.filename, _bytes_in_words(one.size)) for one, number in found.items()
    ]
    frame = pd.DataFrame(rows, columns=["of", "file", "name", "size"])
    for line in table_lines([frame], None):
        echo(line)
    sizes = [one.size for one in found]
    unknown = f", and {sizes.count(None)} of unknown size" if None in sizes else ""
    noun = "file" if len(found) == 1 else "files"
    echo(f"{len(found):,} {noun}, {_bytes_in_words(sum(filter(None, sizes)))}{unknown}")


def _bytes_in_words(size: int | None) -> str:
    if size is None:
        return "unknown"
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


for _name in KINDS:
    download.add_command(_command(_name))
