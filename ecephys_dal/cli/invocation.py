"""What every command is told: which database, how much to show."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import GetPassWarning, getpass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL
    from typing_extensions import Self

    from ecephys_dal.database import Database

__all__ = ["FilePath", "Invocation", "common_options"]

VARIABLE = "ECEPHYS_DAL_DATABASE"
_MISSPELT = re.compile(r"[a-z]\w*(\+\w+)?:/?/?[^/].*@")  # a URL that no driver knows
C = TypeVar("C", bound=Callable[..., Any])


@dataclass
class Invocation:
    """What the options say that every command has.

    Attributes
    ----------
    database : str or None
        A URL, or the path of a snapshot or of an SQLite file.
    ask_password : bool
        Ask for its password.
    debug : bool
        Show the traceback of an error.
    no_progress : bool
        Show no bars.
    goes_on : str
        What else is told of an interruption: that nothing of the work is lost, say.
    """

    database: str | None = None
    ask_password: bool = False
    debug: bool = False
    no_progress: bool = False
    goes_on: str = ""

    @classmethod
    def from_env(cls) -> Self:
        """Begin with what the environment says."""
        return cls(database=os.environ.get(VARIABLE))

    @property
    def progress(self) -> bool | None:
        """Bars are not shown, or None: they are on a terminal, where something takes its time."""
        return False if self.no_progress else None

    @contextmanager
    def opened(self, *, owned: bool = False) -> Iterator[Database]:
        """Open the database that is named; one to write to must be named by its URL or path."""
        from ecephys_dal.config import DbCredentials  # noqa: PLC0415 - as the next one
        from ecephys_dal.database import Database  # noqa: PLC0415 - SQLAlchemy takes its time
        from ecephys_dal.snapshot import SnapshotDatabase, snapshot_at  # noqa: PLC0415

        if self.database and (snapshot := snapshot_at(self.database)):
            if owned:
                raise click.UsageError(f"{snapshot} is a snapshot, which is never changed")
            opened: Database = SnapshotDatabase(snapshot)
        elif self.database:
            opened = Database(_where(self.database), owned=owned, password=self._password())
        elif owned:
            raise click.UsageError(f"name the database by --database or {VARIABLE}")
        else:
            try:
                credentials = DbCredentials.from_env()
            except ConfigurationError as error:
                lacking = str(error).partition(", or pass")[0]
                raise click.UsageError(
                    f"no database is named: give --database or set {VARIABLE};"
                    f" or for LIMS {lacking}"
                ) from None
            opened = Database.from_credentials(credentials)
        with opened:
            yield opened

    def _password(self) -> Callable[[], str] | None:
        if not self.ask_password:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GetPassWarning)  # it is typed in, or piped
                password = getpass("Password: ", sys.stderr)
        except EOFError:
            raise click.UsageError("--ask-password was given no password") from None
        return lambda: password


def _where(named: str) -> str | URL:
    """Return the URL of a database, which may be named by the path of its file."""
    from sqlalchemy import URL  # noqa: PLC0415

    is_url = "://" in named or _MISSPELT.match(named)
    return named if is_url else URL.create("sqlite", database=named)


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note what is given, with the program or with the command, whichever comes last."""
    if value == "":  # as of a variable that is not set; the environment would name another database
        raise click.BadParameter("it is empty")
    if value and parameter.name:
        setattr(ctx.ensure_object(Invocation), parameter.name, value)


class FilePath(click.Path):
    """The path of a file or folder, absolute: a shell leaves the ~ of ``--output=~/x`` as it is."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        is_stream = self.allow_dash and str(value) == "-"
        return super().convert(value if is_stream else absolute_path(value), param, ctx)


def _complete_path(*_: object) -> list[CompletionItem]:
    return [CompletionItem("", type="file")]


def common_options(command: C) -> C:
    """Give a command the options that every one has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--database",
        metavar="URL|FILE",
        shell_complete=_complete_path,
        expose_value=False,
        callback=_remember,
        help="The database: a URL, or the path of a snapshot or of an SQLite file; else that of"
        f" {VARIABLE}.",
    ),
    click.option(
        "--ask-password",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Ask for the password of the database.",
    ),
    click.option(
        "--no-progress",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Show no bars; they are shown on a terminal only.",
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Show where in the code an error comes from.",
    ),
)
