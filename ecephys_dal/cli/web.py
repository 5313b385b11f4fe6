"""Where files come from: the options of the web application, and what they mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ecephys_dal.cli.answers import echo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings, DownloadReport
    from ecephys_dal.database import Database

__all__ = [
    "APP_VARIABLE",
    "LIMS_APP",
    "Naming",
    "app_options",
    "client_for",
    "parallel_option",
    "settings_of",
    "tell",
    "told_once",
]

APP_VARIABLE = "ECEPHYS_DAL_APP"
LIMS_APP = "http://lims2"
_REDIRECT_HOSTS = "ecephys_dal.redirect_hosts"
C = TypeVar("C", bound=Callable[..., Any])


parallel_option = click.option(
    "--parallel",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many at once.",
)


class Naming:
    """Stands where a client fetches files, and only tells which file that would be."""

    def stream(self, route: str) -> Any:
        """Return what was asked for."""
        return route


def app_options(default: str | None) -> Callable[[C], C]:
    """Give a command the options that say where the files are."""

    def decorate(command: C) -> C:
        command = click.option(
            "--mounts",
            metavar="DIR=DIR",
            envvar="ECEPHYS_DAL_MOUNTS",
            show_envvar=True,
            help="Where the institute's file system is mounted here, as /allen=/mnt/allen.",
        )(command)
        command = click.option(
            "--redirect-hosts",
            metavar="HOST,HOST",
            envvar="ECEPHYS_DAL_ALLOWED_REDIRECT_HOSTS",
            show_envvar=True,
            expose_value=False,
            callback=_remember,
            help="Hosts that the web application may redirect to, beside itself.",
        )(command)
        return click.option(
            "--app",
            metavar="URL",
            envvar=APP_VARIABLE,
            show_envvar=True,
            default=default,
            show_default=bool(default),
            help="The web application.",
        )(command)

    return decorate


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Keep the value of an option for `settings_of`, so that no command passes it on."""
    context.meta[_REDIRECT_HOSTS] = value or ""


def _is_named(option: str) -> bool:
    """Return True if the command itself names an option, and no variable does."""
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.COMMANDLINE


def settings_of(
    app: str, mounts: str | None, *, of_snapshot: bool = False, **more: Any
) -> ArtifactSettings:
    """Return the settings that these options mean.

    A snapshot may be anybody's, and so the paths that it holds: only mounts that the command itself
    names are for them, for the variable is meant for LIMS.
    """
    from ecephys_dal.artifacts import ArtifactSettings  # noqa: PLC0415 - requests takes its time

    if of_snapshot and not _is_named("mounts"):
        mounts = None
    scheme, separator, host = app.rpartition("://")
    return ArtifactSettings(
        scheme=scheme if separator else "http",
        host=host.rstrip("/"),
        mounts=mounts or {},
        allowed_redirect_hosts=click.get_current_context().meta[_REDIRECT_HOSTS],
        **more,
    )


def client_for(database: Database, app: str, mounts: str | None, **more: Any) -> ArtifactClient:
    """Return what fetches the files of a database.

    Those of a snapshot are in the folder beside it, unless the command itself names an ``--app``:
    the variable names that of another database.
    """
    from ecephys_dal.artifacts import ArtifactClient  # noqa: PLC0415 - as above
    from ecephys_dal.snapshot import SnapshotDatabase, SnapshotFiles, folder_of  # noqa: PLC0415

    of_snapshot = isinstance(database, SnapshotDatabase)
    settings = settings_of(app, mounts, of_snapshot=of_snapshot, **more)
    if isinstance(database, SnapshotDatabase) and not _is_named("app"):
        return SnapshotFiles(folder_of(database.path), settings)
    return ArtifactClient(settings)


@contextmanager
def told_once() -> Iterator[None]:
    """Keep what the library logs of failures off stderr, because `tell` tells of them."""
    logger, handler = logging.getLogger("ecephys_dal"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def tell(reports: Iterable[DownloadReport]) -> int:
    """Tell how each file was fetched, and return how many could not be had."""
    n_failed = 0
    for report in reports:
        echo(report, err=not report.ok)
        n_failed += not report.ok
    return n_failed
