"""Where files come from: the options of the web application, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ecephys_dal.artifacts import ArtifactSettings

__all__ = ["APP_VARIABLE", "Naming", "app_options", "settings_of"]

APP_VARIABLE = "ECEPHYS_DAL_APP"
C = TypeVar("C", bound=Callable[..., Any])


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


def settings_of(app: str, mounts: str | None, **more: Any) -> ArtifactSettings:
    """Return the settings that these options mean."""
    from ecephys_dal.artifacts import ArtifactSettings  # noqa: PLC0415 - requests takes its time

    scheme, separator, host = app.rpartition("://")
    return ArtifactSettings(
        scheme=scheme if separator else "http",
        host=host.rstrip("/"),
        mounts=mounts or {},
        **more,
    )
