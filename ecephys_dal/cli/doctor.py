"""``doctor``: look whether a LIMS is as the library expects."""

from __future__ import annotations

import click

from ecephys_dal.cli.answers import form_option, show
from ecephys_dal.cli.commands import COMMANDS, Command
from ecephys_dal.cli.exits import Exit
from ecephys_dal.cli.invocation import Invocation, common_options
from ecephys_dal.cli.web import app_options, settings_of
from ecephys_dal.doctor import examine

__all__ = ["doctor"]


@click.command(cls=Command, help=f"{COMMANDS['doctor'].summary}\n\nIt only reads. The files are"
               " looked at too if --app names the web application.")  # fmt: skip
@click.option("--file-id", type=int, metavar="ID", help="The well-known file to ask for.")
@click.option(
    "--time-limit",
    type=float,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a statement or a request may take.",
)
@app_options(default=None)
@form_option
@common_options
@click.pass_obj
def doctor(
    invocation: Invocation,
    *,
    file_id: int | None,
    time_limit: float,
    app: str | None,
    mounts: str | None,
    form: str,
) -> int:  # fmt: skip
    """Examine a LIMS."""
    from ecephys_dal.snapshot import SnapshotDatabase  # noqa: PLC0415 - it takes its time

    with invocation.opened() as database:
        of_snapshot = isinstance(database, SnapshotDatabase)
        settings = None if app is None else settings_of(app, mounts, of_snapshot=of_snapshot)
        examination = examine(
            database,
            settings,
            file_id=file_id,
            time_limit=time_limit,
            progress=invocation.progress,
        )
    show(examination, form)
    unreachable = any(
        one.code == "database_unreachable" and one.severity == "error"
        for one in examination.findings
    )
    return Exit.UNREACHABLE if unreachable else Exit.DONE if examination.ok else Exit.NOTHING
