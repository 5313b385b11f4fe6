"""Where a path that LIMS stores is on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.paths import absolute_path
from ecephys_dal.safe_open import open_below

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Mounts", "local_path"]

_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\]|\Z)")
_SEPARATORS = re.compile(r"[/\\]+")
_CLIMBING = re.compile(r"\.\.[. ]*")  # Windows leaves dots and blanks at the end away


class _Form(Enum):
    """The ways to write an absolute path."""

    POSIX = "/allen"
    UNC = "//server, or with backslashes"
    DRIVE = "Z:"


@dataclass(frozen=True)
class Mounts:
    """Which folders of LIMS's paths are where on this machine.

    Parameters
    ----------
    pairs : tuple of (str, str)
        The beginning of a stored path, and what stands for it here. `Mounts.of` makes and checks
        them.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: object) -> Mounts:
        r"""Return the mounts that a setting describes.

        Parameters
        ----------
        value : mapping, str or Mounts
            ``{"/allen": "/mnt/allen"}`` or ``"/allen=/mnt/allen"``, several separated by ``;``.
            Empty: no file is read here. Both sides are absolute: ``/allen``, ``//allen``,
            ``\\allen``, ``Z:\allen`` or ``Z:/allen``.

        Returns
        -------
        Mounts
            The order of the value doesn't matter.

        Raises
        ------
        ConfigurationError
            If the value is of another form.
        """
        if isinstance(value, Mounts):
            return value
        try:
            pairs = _items(value) if not isinstance(value, str) else _split(value)
            return cls(tuple(sorted(_checked(pairs))))
        except (TypeError, ValueError, ConfigurationError) as error:
            raise ConfigurationError(
                f"mounts={value!r}: {error}; give for example {{'/allen': '/mnt/allen'}} or "
                "'/allen=/mnt/allen', several separated by ';'"
            ) from error

    def path(self, storage_directory: str | None, filename: str | None) -> Path | None:
        """Return where a well-known file is on this machine, if a mounted folder covers it.

        Parameters
        ----------
        storage_directory, filename : str, optional
            As in ``well_known_files``.

        Returns
        -------
        Path or None
            None where either is missing, the stored path isn't absolute, climbs with ``..``, or is
            in no mounted folder, or this machine has no paths of its form. Whether there is a file
            is not looked up.
        """
        place = self._place(storage_directory, filename)
        return None if place is None else place[1]

    def opened(self, storage_directory: str | None, filename: str | None) -> BinaryIO | None:
        """Open a well-known file where it is mounted; None where `path` is None.

        Raises
        ------
        OSError, ValueError
            As `ecephys_dal.paths.open_below`: also if a link leads out of the mounted folder.
        """
        place = self._place(storage_directory, filename)
        return None if place is None else open_below(*place)

    def _place(
        self, storage_directory: str | None, filename: str | None
    ) -> tuple[Path, Path] | None:
        """Return the mounted folder that covers a file, and the file's path."""
        if not storage_directory or not filename or not filename.strip("/\\."):
            return None
        found = _mapped(f"{storage_directory}/{filename}", self.pairs)
        if found is None or not Path(found[0]).is_absolute():
            return None
        return Path(found[0]), Path(_join(*found))


def local_path(stored: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    r"""Return a stored path as it is written on this machine, without a look at its files.

    Parameters
    ----------
    stored : str
        ``/allen/x``, ``//allen/x``, ``\\allen\x`` or ``Z:\x``. The first three name the
        same place.
    pairs : iterable of (str, str)
        As in `Mounts`. The pair that covers most of the path wins, among such the one of the
        path's own form. Case counts, except between two of Windows' forms.

    Returns
    -------
    str or None
        None where the path isn't absolute, climbs with ``..``, or no pair covers it.
    """
    found = _mapped(stored, pairs)
    return None if found is None else _join(*found)


def _mapped(stored: str, pairs: Iterable[tuple[str, str]]) -> tuple[str, list[str]] | None:
    """Return the target of the pair that covers a path, and the components below it."""
    parsed = _parse(stored)
    if parsed is None:
        return None
    form, parts = parsed
    best, found = (-1, False), None
    for prefix, target in pairs:
        length = _covered(form, parts, prefix)
        if length is not None and (length, _form(prefix) is form) > best:
            best, found = (length, _form(prefix) is form), target
    return None if found is None else (found, parts[best[0] :])


def _form(path: str) -> _Form | None:
    if _DRIVE.match(path):
        return _Form.DRIVE
    if path.startswith(("//", "\\\\")):
        return _Form.UNC
    return _Form.POSIX if path.startswith("/") else None


def _parse(path: str) -> tuple[_Form, list[str]] | None:
    """Return the form and the components of an absolute path that doesn't climb, else None."""
    form = _form(path)
    if form is None or "\0" in path or any(map(_CLIMBING.fullmatch, _SEPARATORS.split(path))):
        return None
    # A backslash may be a part of a POSIX name.
    parts = path.split("/") if form is _Form.POSIX else _SEPARATORS.split(path)
    return form, [part for part in parts if part not in {"", "."}]


def _covered(form: _Form, parts: list[str], prefix: str) -> int | None:
    """Return how many of the components a prefix covers, or None if it isn't one of them."""
    parsed = _parse(prefix)
    if parsed is None:
        return None
    own, covered = parsed
    if (own is _Form.DRIVE) != (form is _Form.DRIVE):
        return None
    begins = parts[: len(covered)]
    if _Form.POSIX not in {own, form}:
        begins, covered = ([part.lower() for part in some] for some in (begins, covered))
    return len(covered) if begins == covered else None


def _join(target: str, parts: list[str]) -> str:
    if _DRIVE.match(target):
        target = target.replace("/", "\\")
    if not parts:
        return target
    separator = "\\" if _DRIVE.match(target) or target.startswith("\\\\") else "/"
    return separator.join([target.rstrip("/\\"), *parts])


def _split(text: str) -> Iterable[tuple[str, str]]:
    for piece in filter(None, map(str.strip, text.split(";"))):
        if piece.count("=") != 1:
            raise ValueError(f"{piece!r} isn't one path, one '=' and another path")
        prefix, target = piece.split("=")
        yield prefix.strip(), target.strip()


def _items(value: Any) -> Iterable[tuple[object, object]]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} is neither a mapping nor text")
    for prefix, target in value.items():
        yield os.fspath(prefix), os.fspath(target)


def _checked(pairs: Iterable[tuple[object, object]]) -> Iterable[tuple[str, str]]:
    known: list[object] = []
    for prefix, target in pairs:
        if isinstance(target, str) and target.startswith("~"):
            target = str(absolute_path(target))  # noqa: PLW2901 - the home folder's
        parsed = _parse(prefix) if isinstance(prefix, str) else None
        if not isinstance(prefix, str) or parsed is None:
            raise ValueError(f"{prefix!r} isn't an absolute path without '..'")
        if not isinstance(target, str) or _parse(target) is None:
            raise ValueError(f"{target!r} isn't an absolute path without '..'")
        if parsed in known:
            raise ValueError(f"{prefix!r} is given twice")
        known.append(parsed)
        yield prefix, target
