"""``demo``: a synthetic LIMS with its files, for as long as it is wanted."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path
from shlex import quote
from threading import Event
from typing import Any

import click
from typing_extensions import override

from ecephys_dal.cli.answers import echo
from ecephys_dal.cli.commands import COMMANDS, Command
from ecephys_dal.cli.invocation import VARIABLE, FilePath, Invocation, common_options
from ecephys_dal.cli.web import APP_VARIABLE
from ecephys_dal.errors import ConfigurationError

__all__ = ["demo"]

_SERVED = """\
A synthetic LIMS is here until you press Ctrl-C. In another shell:

  export {database_variable}={url}
  export {app_variable}={app}
  ecephys-dal sessions
  ecephys-dal download session {session_id} --output-dir files
  ecephys-dal snapshot create part.db --session-id {session_id}

In Python:

  from ecephys_dal import ArtifactClient, ArtifactSettings, EcephysProjectLimsApi
  client = ArtifactClient(ArtifactSettings(host={host!r}))
  api = EcephysProjectLimsApi({written_url!r}, client)"""
_BUILT = """\
A synthetic LIMS is in {folder}. To ask it:

  export {database_variable}={url}
  ecephys-dal sessions"""
_NAMES = {"database_variable": VARIABLE, "app_variable": APP_VARIABLE}


class _Folder(FilePath):
    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("'' names no folder; leave it out, or write . for this one", param, ctx)
        return super().convert(value, param, ctx)


@click.command(cls=Command, help=COMMANDS["demo"].summary)
@click.option(
    "--folder",
    type=_Folder(file_okay=False, path_type=Path),
    help="Where to; it stays, and the next demo there uses it again. Without it, a folder that"
    " goes when the demo ends.",
)
@click.option(
    "--sessions",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="How many plain sessions, beside the odd ones.",
)
@click.option("--no-serve", is_flag=True, help="Only build it in the folder, and end.")
@common_options
@click.pass_obj
def demo(
    invocation: Invocation, *, folder: Path | None, sessions: int, no_serve: bool
) -> None:  # fmt: skip
    """Build, serve, and wait."""
    try:
        from ecephys_dal import testing  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(f"the demo can't be built: {error}") from error
    if no_serve and folder is None:
        raise click.UsageError("--no-serve leaves a LIMS in a folder; name it by --folder")
    if not no_serve:  # kill tidies up as Ctrl-C does, for which a shell's background is deaf
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = testing.demo(folder, sessions=sessions, progress=invocation.progress)
    with made as lims, suppress(KeyboardInterrupt):
        told = {
            "folder": lims.folder,
            "url": quote(str(lims.url)),
            "written_url": str(lims.url),
            "app": quote(lims.server.url),
            "host": lims.server.host,
            "session_id": lims.ids.session_ids[0],
        }
        echo((_BUILT if no_serve else _SERVED).format(**_NAMES, **told))
        sys.stdout.flush()
        if not no_serve:
            Event().wait()
