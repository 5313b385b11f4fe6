"""How many bytes a TIFF file must have, by its directories."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecephys_dal.artifacts.formats import FileFormat, MalformedError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ecephys_dal.artifacts.formats import View

__all__ = ["read_tiff"]

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


def read_tiff(view: View) -> None:
    """Note how far the directories of a file and what they describe reach."""
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


def _read_ifd(view: View, layout: _Layout, at: int) -> list[int]:
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


def _numbers(view: View, layout: _Layout, entry: Any) -> npt.NDArray[np.uint64]:
    """Return the values of an entry: they stand in it where they fit, else elsewhere."""
    _, kind, n, value = entry or (0, 0, 0, b"")
    if kind not in _TIFF_UNSIGNED:
        return np.empty(0, np.uint64)
    size = n * _TIFF_SIZES[kind]
    if size > len(value):
        value = view.read(layout.pointer.unpack(value)[0], size)
    return np.frombuffer(value[:size], f"{layout.order}u{_TIFF_SIZES[kind]}").astype(np.uint64)
