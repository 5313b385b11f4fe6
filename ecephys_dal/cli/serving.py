"""``demo``: a synthetic LIMS with its files, for as long as it is wanted."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING

import click

from ecephys_dal.cli.commands import COMMANDS, Command
from ecephys_dal.cli.invocation import VARIABLE, FilePath, Invocation, common_options
from ecephys_dal.cli.web import APP_VARIABLE
from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["demo"]

_CONNECT = """\
A synthetic LIMS is here until you press Ctrl-C. In another shell:

  export {database_variable}=sqlite:///{folder}/lims.db
  export {app_variable}={url}
  ecephys-dal sessions
  ecephys-dal download session {session_id} --output-dir files
  ecephys-dal snapshot create part.db --session-id {session_id}

In Python:

  from ecephys_dal import ArtifactClient, ArtifactSettings, EcephysProjectLimsApi
  client = ArtifactClient(ArtifactSettings(host="{host}"))
  api = EcephysProjectLimsApi("sqlite:///{folder}/lims.db", client)"""
_NAMES = {"database_variable": VARIABLE, "app_variable": APP_VARIABLE}


@click.command(cls=Command, help=COMMANDS["demo"].summary)
@click.option(
    "--folder",
    type=FilePath(file_okay=False, path_type=Path),
    help="Where to; it stays. Without it, a folder that goes when the demo ends.",
)
@click.option(
    "--sessions",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="How many plain sessions, beside the odd ones.",
)
@common_options
@click.pass_obj
def demo(invocation: Invocation, *, folder: Path | None, sessions: int) -> None:  # fmt: skip
    """Build, serve, and wait."""
    try:
        from ecephys_dal.testing import (  # noqa: PLC0415 - an extra
            ArtifactServer,
            create_synthetic_lims,
        )
    except ImportError as error:
        raise ConfigurationError(f"the demo can't be built: {error}") from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # kill tidies up as Ctrl-C does
    if folder is not None and (folder / "lims.db").exists():
        raise ConfigurationError(
            f"{folder} holds a demo already; remove it, or name another folder"
        )
    with _made(folder) as here:
        lims = create_synthetic_lims(
            f"sqlite:///{here}/lims.db",
            sessions=sessions,
            artifacts=here / "files",
            progress=invocation.progress,
        )
        with ArtifactServer(here / "files") as server, suppress(KeyboardInterrupt):
            told = {"folder": here, "url": server.url, "host": server.host}
            click.echo(_CONNECT.format(**_NAMES, **told, session_id=lims.session_ids[0]))
            sys.stdout.flush()
            Event().wait()


@contextmanager
def _made(folder: Path | None) -> Iterator[Path]:
    """Make a folder; one that was not asked for goes in the end."""
    if folder is None:
        with TemporaryDirectory(prefix="ecephys_dal-") as made:
            yield Path(made)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
