"""The files that the fault server serves: always the same bytes, of formats that say their size."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

__all__ = ["FIRST", "LONGER", "NPY", "SECOND", "SHORTER", "SIZE", "TEXT", "TIFF", "Version"]

SIZE = 3_000_000  # of what is padded with; the files are a little larger


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a file holds at one time, and the validators that the server gives for it."""

    kind: str = "hdf5"
    seed: int = 1
    size: int = SIZE
    etag: str | None = '"first"'
    last_modified: str | None = None
    flipped: int | None = None  # the place of a byte that one bit was flipped in

    @cached_property
    def data(self) -> bytes:
        """The bytes."""
        made = _made(self.kind, self.seed, self.size)
        if self.flipped is None:
            return made
        changed = bytearray(made)
        changed[self.flipped] ^= 0b100
        return bytes(changed)

    @property
    def filename(self) -> str:
        """A name that tells the format."""
        return _SUFFIXES[self.kind]

    @property
    def sha256(self) -> str:
        """The SHA-256, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    def __len__(self) -> int:
        return len(self.data)


FIRST = Version()
SECOND = Version(seed=2, etag='"second"')
LONGER = Version(seed=3, size=SIZE + 100_000, etag='"second"')
SHORTER = Version(seed=4, size=SIZE // 3, etag='"second"')
NPY = Version(kind="npy")
TIFF = Version(kind="tiff")
TEXT = Version(kind="text")  # of no format that is known

_SUFFIXES = {
    "hdf5": "a.nwb",
    "hdf5 v2": "a.nwb",
    "hdf5 v3": "a.nwb",
    "npy": "a.npy",
    "tiff": "a.tif",
    "text": "a.txt",
}


def in_base64(digest: bytes) -> str:
    """Return a digest as header fields write it."""
    return base64.b64encode(digest).decode()


@lru_cache
def _made(kind: str, seed: int, size: int) -> bytes:
    padding = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    if kind == "text":
        return padding.tobytes()
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, padding)
    elif kind == "tiff":
        import tifffile

        tifffile.imwrite(file, padding.reshape(-1, 1000))
    else:
        _write_hdf5(file, padding, kind)
    return file.getvalue()


def _write_hdf5(file: io.BytesIO, padding: np.ndarray, kind: str) -> None:
    import h5py

    version = {"hdf5": "earliest", "hdf5 v2": "v108", "hdf5 v3": "v110"}[kind]
    with h5py.File(file, "w", libver=(version, version if version[0] == "v" else "latest")) as made:
        made.create_dataset("padding", data=padding, track_times=False)
