"""Paths that callers give: ~ is a home folder, and what is relative is so to the current folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ecephys_dal.errors import ConfigurationError

__all__ = ["absolute_path", "sync_folder"]


def absolute_path(
    path: str | os.PathLike[str], base: Path | None = None, *, setting: str = ""
) -> Path:
    """Return the absolute path that is meant, wherever the process changes its folder to later.

    Parameters
    ----------
    path : str or PathLike
        As a caller gives it: ``~`` and ``~user`` are home folders.
    base : Path, optional
        What a relative path is relative to; the current folder without it.
    setting : str
        The setting that holds the path, for the message.

    Raises
    ------
    ConfigurationError
        If there is no such home folder, or no current folder.
    """
    try:
        whole = (base or Path()).joinpath(Path(path).expanduser()).absolute()
    except (RuntimeError, OSError) as error:
        named = f"{setting}={os.fspath(path)!r}" if setting else os.fspath(path)
        raise ConfigurationError(
            f"{named} is the path of no file: {error}; give an absolute path"
        ) from error
    # POSIX leaves the meaning of two slashes to the system, and URLs take a host's name for it.
    return Path("/", *whole.parts[1:]) if os.name == "posix" else whole


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where folders can be opened and synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
