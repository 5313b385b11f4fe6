"""The formats of files, and a view of what can be read of one, for the readers of each format."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import PurePosixPath

__all__ = [
    "HDF5_SIGNATURE",
    "FileFormat",
    "MalformedError",
    "ReadAt",
    "UnseenError",
    "UntoldError",
    "View",
    "superblock_places",
]

ReadAt = Callable[[int, int], bytes]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_READ_AT_ONCE, _MAX_READ = 8 * 2**20, 64 * 2**20  # for headers and directories, not content


class FileFormat(Enum):
    """A file format, by the bytes that one of its files may begin with."""

    HDF5 = (HDF5_SIGNATURE,)
    NPY = (b"\x93NUMPY",)
    TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two with offsets of 8 bytes

    @classmethod
    def of(cls, filename: str) -> FileFormat | None:
        """Return the format that a file of this name must have, or None if the name says none."""
        return _BY_SUFFIX.get(PurePosixPath(filename).suffix.lower())

    def begins(self, start: bytes) -> bool:
        """Tell whether a file that begins so, with 8 bytes or more, can be of this format.

        Before an HDF5 file there may be a block of its user's own, which only a start of more
        than 512 bytes can show.
        """
        if self is FileFormat.HDF5:
            return any(start.startswith(self.value, at) for at in superblock_places(len(start)))
        return start.startswith(self.value)


class MalformedError(ValueError):
    """A file has the first bytes of its format, and what follows can't be of that format."""


class UnseenError(Exception):
    """What would tell more is beyond the bytes that can be read."""


class UntoldError(Exception):
    """The content doesn't tell how long the file is."""


class View:
    """What can be read of a file, and where it must reach to by what was read."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._left = _MAX_READ
        self.needed = 0

    def start(self, file_format: FileFormat) -> bytes:
        """Return the first 8 bytes, which are of this format."""
        start = self._read_at(0, 8)
        if not file_format.begins(start):
            raise UntoldError
        return self.read(0, 8)

    def reaches(self, end: int) -> None:
        """Note that the file has this many bytes at least."""
        self.needed = max(self.needed, end)

    def read(self, offset: int, n: int) -> bytes:
        """Return n bytes that a whole file has there."""
        self.reaches(offset + n)
        if n > min(_MAX_READ_AT_ONCE, self._left) or offset + n >= 2**63:
            raise UnseenError
        self._left -= n
        content = self._read_at(offset, n)
        if len(content) < n:
            raise UnseenError
        return content


def superblock_places(size: int) -> list[int]:
    """Return where the superblock of an HDF5 file of this size may be."""
    return [0, *(2**power for power in range(9, max(size.bit_length(), 9)))]


_BY_SUFFIX = {
    ".nwb": FileFormat.HDF5,
    ".h5": FileFormat.HDF5,
    ".npy": FileFormat.NPY,
    ".tif": FileFormat.TIFF,
    ".tiff": FileFormat.TIFF,
}
