"""Read parts of a file where it is, by requests for ranges, through a cache of blocks."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, cast

from ecephys_dal.artifacts.interruption import Interruption
from ecephys_dal.artifacts.manifest import Manifest
from ecephys_dal.artifacts.partial import Partial
from ecephys_dal.artifacts.refusals import permanent
from ecephys_dal.artifacts.version import UNKNOWN, Version
from ecephys_dal.safe_open import is_own, open_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Buffer

    from ecephys_dal.artifacts.client import ArtifactClient
    from ecephys_dal.artifacts.locate import Artifact

__all__ = ["open_remote"]

_BLOCK = 1024 * 1024
_BLOCKS = 64


def open_remote(client: ArtifactClient, artifact: Artifact, path: Path | None) -> BinaryIO:
    """Open a file of the web application, as `ArtifactClient.open_artifact` does."""
    return cast("BinaryIO", _Reader(client, artifact, path))


class _Reader(io.RawIOBase):
    """A file that is read by ranges, all of one version.

    Parameters
    ----------
    client : ArtifactClient
        How to fetch.
    artifact : Artifact
        What to read.
    path : Path, optional
        Where it is being downloaded to.
    """

    def __init__(self, client: ArtifactClient, artifact: Artifact, path: Path | None) -> None:
        super().__init__()
        self._client, self._artifact = client, artifact
        self._lock, self._position = Lock(), 0
        self._version = UNKNOWN
        self._places: list[Path] = []
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        self.name = client.url_of(artifact)
        self._block(0)  # which tells the version
        size = artifact.size if self._version.total is None else self._version.total
        if size is None:
            raise permanent(self.name, "does not say how long it is; download it instead")
        self._size = size
        if path is not None:
            self._places = list(self._local(path))

    def _local(self, path: Path) -> Iterator[Path]:
        """Yield where bytes of the same version are, or will be."""
        yield Partial.path_of(path, self.name, self._version)
        with suppress(OSError):
            record = Manifest(path.parent).of(path.name)
            if record is not None and is_own(path) and record.is_of(path.stat()):
                found = Version(record.etag, record.size)
                if record.url == self.name and found.is_of(self._version):
                    yield path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        if self.closed or whence not in starts:
            raise ValueError("the file is closed" if self.closed else f"whence={whence} is none")
        start = starts[whence]
        if start + offset < 0:
            raise ValueError(f"{offset} from {start} is before the beginning of the file")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        if self.closed:
            raise ValueError("the file is closed")
        view, done = memoryview(buffer).cast("B"), 0
        with self._lock:
            while done < len(view) and self._position < self._size:
                number, offset = divmod(self._position, _BLOCK)
                piece = self._block(number)[offset : offset + len(view) - done]
                view[done : done + len(piece)] = piece
                done += len(piece)
                self._position += len(piece)
        return done

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._blocks[number] = self._stored(number) or self._fetched(number)
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _stored(self, number: int) -> bytes | None:
        """Return a block that the download has brought already."""
        first, stop = number * _BLOCK, min((number + 1) * _BLOCK, self._size)
        for path in self._places:
            try:
                with open(open_own(path, os.O_RDONLY), "rb") as file:  # noqa: PTH123
                    file.seek(first)
                    block = file.read(stop - first)
            except OSError:
                continue
            if len(block) == stop - first:
                return block
        return None

    def _fetched(self, number: int) -> bytes:
        first = number * _BLOCK
        fetch = self._client.fetch(
            self._artifact,
            Interruption(),
            rewindable=False,
            version=self._version,
            offset=first,
            stop=first + _BLOCK,
        )
        pieces = []
        while not fetch.transfer.complete:
            pieces += [bytes(piece) for piece in fetch.pieces(fetch.ask())]
        self._version = fetch.transfer.version
        return b"".join(pieces)
