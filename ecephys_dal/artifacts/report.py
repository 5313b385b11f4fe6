"""How a file came to be where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ecephys_dal.display import on_one_line

if TYPE_CHECKING:
    from pathlib import Path

    from ecephys_dal.errors import ArtifactError

__all__ = ["DownloadReport"]

Source = Literal["web application", "file system", "present", ""]
_SOURCES = {
    "web application": "from the web application",
    "file system": "copied from the file system",
    "present": "there already",
    "": "",
}


@dataclass(frozen=True, kw_only=True)
class DownloadReport:
    """How one download went. It can be used as a path: ``open(report)``.

    Attributes
    ----------
    path : Path
        Where the file is.
    url : str
        What it is a copy of.
    size : int
        Bytes of the file.
    received : int
        Bytes that were read from the network for it.
    attempts : int
        Requests that were made.
    resumed_from : int
        Bytes that were there from an earlier download.
    restarts : int
        How often it began anew, because parts could not be put together.
    validator : str or None
        The strong ETag of the version; without one no later download can resume it.
    sha256 : str or None
        The SHA-256 in hexadecimal. It was computed from what arrived: it finds what changes
        later, but not what was wrong from the beginning.
    verified_by : tuple of str
        By what it is known that the file is whole. Empty if nothing could tell.
    source : {"web application", "file system", "present", ""}
        Where the bytes came from; "present" if nothing had to be done.
    seconds : float
        How long it took.
    error : ArtifactError or None
        Why there is no file; in reports of several downloads only.
    """

    path: Path
    url: str
    size: int = 0
    received: int = 0
    attempts: int = 0
    resumed_from: int = 0
    restarts: int = 0
    validator: str | None = None
    sha256: str | None = None
    verified_by: tuple[str, ...] = ()
    source: Source = ""
    seconds: float = 0.0
    error: ArtifactError | None = None

    @property
    def ok(self) -> bool:
        """The file is there."""
        return self.error is None

    @property
    def verified(self) -> bool:
        """Something shows that the file is whole."""
        return self.ok and bool(self.verified_by)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        if self.error is not None:
            return on_one_line(f"{self.path}: failed: {self.error}")
        parts = [f"{self.path}: {self.size} bytes", _SOURCES[self.source]]
        if self.attempts:
            parts.append(f"{self.attempts} request{'s' if self.attempts > 1 else ''}")
        if self.resumed_from:
            parts.append(f"resumed from byte {self.resumed_from}")
        if self.restarts:
            parts.append(f"begun anew {self.restarts} times")
        parts.append(
            f"verified by {', '.join(self.verified_by)}" if self.verified_by else "not verified"
        )
        return on_one_line(", ".join(part for part in parts if part))
