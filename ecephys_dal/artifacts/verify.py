"""What a file of a known format must look like.

Nothing here reads a file or raises an error of a transfer: the callers hold the bytes, on disk or
of a stream, and decide what a finding means.
"""

from __future__ import annotations

import ast
import math
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FileFormat", "MalformedError", "ReadAt", "looks_like_html", "needed_bytes"]

ReadAt = Callable[[int, int], bytes]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_READ_AT_ONCE, _MAX_READ = 8 * 2**20, 64 * 2**20  # for headers and directories, not content
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head)(?:[\s/>]|\Z)", re.I)


class FileFormat(Enum):
    """A file format, by the bytes that one of its files may begin with."""

    HDF5 = (_HDF5_SIGNATURE,)
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
            return any(start.startswith(self.value, at) for at in _superblock_places(len(start)))
        return start.startswith(self.value)


class MalformedError(ValueError):
    """A file has the first bytes of its format, and what follows can't be of that format."""


def looks_like_html(start: bytes) -> bool:
    """Tell whether a file that begins so is a web page: for one of no format, not named so."""
    return _HTML.match(start) is not None


def needed_bytes(file_format: FileFormat, read_at: ReadAt) -> int | None:
    """Return how many bytes a file must have at least, by what it says of itself.

    Parameters
    ----------
    file_format : FileFormat
        Of the file.
    read_at : callable
        ``read_at(offset, n)`` gives the n bytes from this offset, or fewer where there are, or
        where the caller holds, no more. n is 8 MiB at most.

    Returns
    -------
    int or None
        A file with fewer bytes is not whole. HDF5: the end-of-file address. NPY: the header and
        the array. TIFF: the furthest end of its directories, their values, strips and tiles.
        Where `read_at` gives too little to follow this through, as for a stream of which only the
        start was kept, it is the end of what is known to be there: a smaller number, as true.
        None where the content tells nothing: it doesn't begin as the format does, the format's
        version is unknown, an HDF5 file was never closed, an array holds Python objects.

    Raises
    ------
    MalformedError
        If what was read can't be a part of such a file.
    """
    view = _View(read_at)
    try:
        _READERS[file_format](view)
    except _UnseenError:
        pass
    except _UntoldError:
        return None
    return view.needed


class _UnseenError(Exception):
    """What would tell more is beyond the bytes that can be read."""


class _UntoldError(Exception):
    """The content doesn't tell how long the file is."""


class _View:
    """What can be read of a file, and where it must reach to by what was read."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._left = _MAX_READ
        self.needed = 0

    def start(self, file_format: FileFormat) -> bytes:
        """Return the first 8 bytes, which are of this format."""
        start = self._read_at(0, 8)
        if not file_format.begins(start):
            raise _UntoldError
        return self.read(0, 8)

    def reaches(self, end: int) -> None:
        """Note that the file has this many bytes at least."""
        self.needed = max(self.needed, end)

    def read(self, offset: int, n: int) -> bytes:
        """Return n bytes that a whole file has there."""
        self.reaches(offset + n)
        if n > min(_MAX_READ_AT_ONCE, self._left) or offset + n >= 2**63:
            raise _UnseenError
        self._left -= n
        content = self._read_at(offset, n)
        if len(content) < n:
            raise _UnseenError
        return content


# HDF5: version of the superblock -> where it holds the size of its addresses, and where its four
# addresses begin: the first is the base address, the third the end-of-file address.
_SUPERBLOCKS = {0: (13, 24), 1: (13, 28), 2: (9, 12), 3: (9, 12)}


def _superblock_places(size: int) -> list[int]:
    """Return where the superblock of an HDF5 file of this size may be."""
    return [0, *(2**power for power in range(9, max(size.bit_length(), 9)))]


def _read_hdf5(view: _View) -> None:
    at = _find_superblock(view)
    version = view.read(at + 8, 1)[0]
    if version not in _SUPERBLOCKS:
        raise _UntoldError
    size_at, addresses_at = _SUPERBLOCKS[version]
    size = view.read(at + size_at, 1)[0]
    if size not in {2, 4, 8, 16, 32}:
        raise MalformedError(f"the addresses of its superblock would have {size} bytes")
    addresses = view.read(at + addresses_at, 4 * size)
    base, end = (int.from_bytes(addresses[i * size : (i + 1) * size], "little") for i in (0, 2))
    if end == 2 ** (8 * size) - 1:  # undefined
        raise _UntoldError
    # It counts from where the file began when it was written: a block may stand before it since.
    end += at - base
    if end < at + addresses_at + 4 * size:  # of a file that was never closed
        raise _UntoldError
    view.reaches(end)


def _find_superblock(view: _View) -> int:
    with suppress(_UnseenError):
        for at in _superblock_places(2**63):
            if view.read(at, 8) == _HDF5_SIGNATURE:
                return at
    raise _UntoldError


_NPY_LENGTHS = {1: 2, 2: 4, 3: 4}  # version -> bytes of the length of the header
_NPY_MAX_HEADER = 10_000  # NumPy's own limit
# Of other text, such as a thousand calls or operators in a row, Python's parser may die.
_NPY_HEADER = re.compile(
    r"""(?:[ub]?'(?:[^'\\]|\\.)*'|[ub]?"(?:[^"\\]|\\.)*"|\d+L?(?!\d)|True|False|None|[\s{(\[,:]"""
    r"""|[})\]](?!\s*[(\[{]))*"""
)
_PYTHON_2_LONG = re.compile(r"(?<=\d)L(?=[,)])")


def _read_npy(view: _View) -> None:
    version = view.start(FileFormat.NPY)[6]
    if version not in _NPY_LENGTHS:
        raise _UntoldError
    width = _NPY_LENGTHS[version]
    length = int.from_bytes(view.read(8, width), "little")
    view.reaches(8 + width + length)
    if length > _NPY_MAX_HEADER:
        raise _UnseenError
    header = view.read(8 + width, length)
    try:
        dtype, shape = _parsed_npy(header.decode("utf-8" if version == 3 else "latin-1"))
    except Exception as error:  # whatever a parser may say to any bytes
        raise MalformedError(f"its NPY header {header[:200]!r} describes no array") from error
    if dtype.hasobject:  # a pickle, as long as it likes
        raise _UntoldError
    view.reaches(8 + width + length + dtype.itemsize * math.prod(shape))


def _parsed_npy(text: str) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    if not _NPY_HEADER.fullmatch(text):
        raise ValueError("no literals of a dict")
    try:
        header = ast.literal_eval(text)
    except SyntaxError:
        header = ast.literal_eval(_PYTHON_2_LONG.sub("", text))
    if header.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("other keys")
    dtype = np.lib.format.descr_to_dtype(header["descr"])
    shape: tuple[int, ...] = header["shape"]
    counted = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not counted or dtype.itemsize < 0:  # NumPy 1 wraps around
        raise ValueError("no shape, or no dtype")
    return dtype, shape


# TIFF: code of a type -> bytes of a value.
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TIFF_SIZES |= {16: 8, 17: 8, 18: 8}
_TIFF_UNSIGNED = {3, 4, 13, 16, 18}
_TIFF_PIECES = ((273, 279), (324, 325))  # tags of offsets and byte counts: of strips, of tiles
_TIFF_SUB_IFDS, _TIFF_MAX_IFDS = 330, 2**16


class _Layout(NamedTuple):
    """How a TIFF file writes its directories (IFDs), by the width of its offsets."""

    order: str
    first: int  # where the offset of the first directory is
    n_entries: struct.Struct
    entry: struct.Struct
    pointer: struct.Struct

    @classmethod
    def of(cls, start: bytes) -> _Layout:
        order = ">" if start.startswith(b"MM") else "<"
        first, codes = (8, ("Q", "HHQ8s", "Q")) if b"+" in start[2:4] else (4, ("H", "HHI4s", "I"))
        return cls(order, first, *(struct.Struct(order + code) for code in codes))


def _read_tiff(view: _View) -> None:
    layout = _Layout.of(view.start(FileFormat.TIFF))
    pending = list(layout.pointer.unpack(view.read(layout.first, layout.pointer.size)))
    if pending == [0]:
        raise MalformedError("it names no first TIFF directory")
    seen: set[int] = set()
    while pending and len(seen) < _TIFF_MAX_IFDS:
        at = pending.pop()
        if at and at not in seen:  # 0 ends a chain; some chains run in a circle
            seen.add(at)
            pending += _read_ifd(view, layout, at)[: _TIFF_MAX_IFDS - len(pending)]


def _read_ifd(view: _View, layout: _Layout, at: int) -> list[int]:
    """Note how far a directory and what it describes reach; return where others are."""
    [n_entries] = layout.n_entries.unpack(view.read(at, layout.n_entries.size))
    if not n_entries:
        raise MalformedError(f"its TIFF directory at byte {at} is empty")
    size = n_entries * layout.entry.size
    content = view.read(at + layout.n_entries.size, size + layout.pointer.size)
    entries = {entry[0]: entry for entry in layout.entry.iter_unpack(content[:size])}
    for _, kind, n, value in entries.values():
        if n * _TIFF_SIZES.get(kind, 0) > len(value):
            view.reaches(layout.pointer.unpack(value)[0] + n * _TIFF_SIZES[kind])
    for of_offsets, of_sizes in _TIFF_PIECES:
        offsets = _numbers(view, layout, entries.get(of_offsets))
        sizes = _numbers(view, layout, entries.get(of_sizes))[: len(offsets)]
        view.reaches(int((offsets[: len(sizes)] + sizes).max(initial=0)))
    others = _numbers(view, layout, entries.get(_TIFF_SUB_IFDS))[:256]  # a pyramid has some
    return [*layout.pointer.unpack(content[size:]), *others.tolist()]


def _numbers(view: _View, layout: _Layout, entry: Any) -> npt.NDArray[np.uint64]:
    """Return the values of an entry: they stand in it where they fit, else elsewhere."""
    _, kind, n, value = entry or (0, 0, 0, b"")
    if kind not in _TIFF_UNSIGNED:
        return np.empty(0, np.uint64)
    size = n * _TIFF_SIZES[kind]
    if size > len(value):
        value = view.read(layout.pointer.unpack(value)[0], size)
    return np.frombuffer(value[:size], f"{layout.order}u{_TIFF_SIZES[kind]}").astype(np.uint64)


_BY_SUFFIX = {
    ".nwb": FileFormat.HDF5,
    ".h5": FileFormat.HDF5,
    ".npy": FileFormat.NPY,
    ".tif": FileFormat.TIFF,
    ".tiff": FileFormat.TIFF,
}
_READERS = {FileFormat.HDF5: _read_hdf5, FileFormat.NPY: _read_npy, FileFormat.TIFF: _read_tiff}
