"""Write the bytes of any stream to a file, whole or not at all."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.partial import Partial
from ecephys_dal.artifacts.version import UNKNOWN
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["write_bytes"]


def write_bytes(path: str | Path, stream: Iterable[bytes]) -> None:
    """Write a stream to a file, whole or not at all; this blocks, as AllenSDK's does.

    Parameters
    ----------
    path : str or Path
        Where to.
    stream : iterable of bytes
        What a client's ``stream`` returned, which is then downloaded with all of its care. Any
        other is written as it is, for of its origin nothing is known.
    """
    save = getattr(stream, "save", None)
    if save is not None:
        save(path)
        return
    with closing(Partial(absolute_path(path), "the stream", UNKNOWN)) as partial:
        for chunk in stream:
            partial.write(chunk)
        partial.sync()
        partial.publish()
