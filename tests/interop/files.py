"""The files that both are asked for, and what each of them gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ecephys_dal import NotExactlyOneError

from .sides import Sides

__all__ = ["FILES", "NOT_ONE", "Fetched", "fetched_by_both"]

Fetched = bytes | str  # the file, or why there is none

NOT_ONE = "not exactly one"
_RECORDS = {"get_session_data": "session", "get_probe_lfp_data": "probe"}
# natural_movie_98 has no file, and is a case of departure 7.
_TEMPLATES = {
    "get_natural_movie_template": [0, 1, 2, 3, 97, 99, 100],
    "get_natural_scene_template": [-1, 0, 1, 58, 117, 118, np.int64(7)],
}
FILES = (*_RECORDS, *_TEMPLATES)


def fetched_by_both(
    getter: str, sides: Sides, folder: Path
) -> Iterator[tuple[Any, Fetched, Fetched]]:
    """Yield each id or number, and what AllenSDK and we give for it."""
    for number in _numbers(getter, sides):
        theirs = _fetched(sides.theirs, getter, number, folder / "theirs")
        yield number, theirs, _fetched(sides.ours, getter, number, folder / "ours")


def _numbers(getter: str, sides: Sides) -> list[Any]:
    if getter in _TEMPLATES:
        return _TEMPLATES[getter]
    choices = sides.known[_RECORDS[getter]]
    return [*choices["all"], *choices["unknown"], np.int64(choices["all"][0])]


def _fetched(api: Any, getter: str, number: Any, path: Path) -> Fetched:
    try:
        stream = getattr(api, getter)(number)
    except ValueError as error:
        return NOT_ONE if type(error) in (ValueError, NotExactlyOneError) else repr(error)
    streamed = b"".join(stream)
    api.app_engine.write_bytes(str(path), getattr(api, getter)(number))
    return streamed if path.read_bytes() == streamed else "written otherwise than streamed"
