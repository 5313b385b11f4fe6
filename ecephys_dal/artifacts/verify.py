"""What a file of a known format must look like.

Nothing here reads a file or raises an error of a transfer: the callers hold the bytes, on disk or
of a stream, and decide what a finding means.
"""

from __future__ import annotations

import ast
import math
import re
from contextlib import suppress

import numpy as np

from ecephys_dal.artifacts.formats import (
    HDF5_SIGNATURE,
    FileFormat,
    MalformedError,
    ReadAt,
    UnseenError,
    UntoldError,
    View,
    superblock_places,
)
from ecephys_dal.artifacts.tiff import read_tiff

__all__ = ["looks_like_html", "needed_bytes"]

_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head)(?:[\s/>]|\Z)", re.I)


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
    view = View(read_at)
    try:
        _READERS[file_format](view)
    except UnseenError:
        pass
    except UntoldError:
        return None
    return view.needed


# HDF5: version of the superblock -> where it holds the size of its addresses, and where its four
# addresses begin: the first is the base address, the third the end-of-file address.
_SUPERBLOCKS = {0: (13, 24), 1: (13, 28), 2: (9, 12), 3: (9, 12)}


def _read_hdf5(view: View) -> None:
    at = _find_superblock(view)
    version = view.read(at + 8, 1)[0]
    if version not in _SUPERBLOCKS:
        raise UntoldError
    size_at, addresses_at = _SUPERBLOCKS[version]
    size = view.read(at + size_at, 1)[0]
    if size not in {2, 4, 8, 16, 32}:
        raise MalformedError(f"the addresses of its superblock would have {size} bytes")
    addresses = view.read(at + addresses_at, 4 * size)
    base, end = (int.from_bytes(addresses[i * size : (i + 1) * size], "little") for i in (0, 2))
    if end == 2 ** (8 * size) - 1:  # undefined
        raise UntoldError
    # It counts from where the file began when it was written: a block may stand before it since.
    end += at - base
    if end < at + addresses_at + 4 * size:  # of a file that was never closed
        raise UntoldError
    view.reaches(end)


def _find_superblock(view: View) -> int:
    with suppress(UnseenError):
        for at in superblock_places(2**63):
            if view.read(at, 8) == HDF5_SIGNATURE:
                return at
    raise UntoldError


_NPY_LENGTHS = {1: 2, 2: 4, 3: 4}  # version -> bytes of the length of the header
_NPY_MAX_HEADER = 10_000  # NumPy's own limit
# Of other text, such as a thousand calls or operators in a row, Python's parser may die.
_NPY_HEADER = re.compile(
    r"""(?:[ub]?'(?:[^'\\]|\\.)*'|[ub]?"(?:[^"\\]|\\.)*"|\d+L?(?!\d)|True|False|None|[\s{(\[,:]"""
    r"""|[})\]](?!\s*[(\[{]))*"""
)
_PYTHON_2_LONG = re.compile(r"(?<=\d)L(?=[,)])")


def _read_npy(view: View) -> None:
    version = view.start(FileFormat.NPY)[6]
    if version not in _NPY_LENGTHS:
        raise UntoldError
    width = _NPY_LENGTHS[version]
    length = int.from_bytes(view.read(8, width), "little")
    view.reaches(8 + width + length)
    if length > _NPY_MAX_HEADER:
        raise UnseenError
    header = view.read(8 + width, length)
    try:
        dtype, shape = _parsed_npy(header.decode("utf-8" if version == 3 else "latin-1"))
    except Exception as error:  # whatever a parser may say to any bytes
        raise MalformedError(f"its NPY header {header[:200]!r} describes no array") from error
    if dtype.hasobject:  # a pickle, as long as it likes
        raise UntoldError
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


_READERS = {FileFormat.HDF5: _read_hdf5, FileFormat.NPY: _read_npy, FileFormat.TIFF: read_tiff}
