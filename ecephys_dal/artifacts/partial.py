"""The file beside its target that a transfer is written to, until it is whole and gets its name.

Several processes may write one partial file at once, for its name is bound to the version of the
content: all write the same bytes at the same offsets, nobody truncates, and what it holds is always
a beginning of the file. So nothing depends on a lock, which some file systems only pretend to have;
it saves fetching twice. A version without a validator can't be told from another, so there each
process writes a partial file of its own. Only its user can read or write it, and what may be
anybody else's is not gone on with.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import time
from contextlib import contextmanager, suppress
from glob import escape
from typing import TYPE_CHECKING
from uuid import uuid4

from ecephys_dal.artifacts.note import Note, this_boot
from ecephys_dal.artifacts.version import UNKNOWN, Version
from ecephys_dal.errors import ArtifactStorageError
from ecephys_dal.paths import sync_folder
from ecephys_dal.safe_open import NotOursError, is_own, open_own, set_final_mode

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Partial", "Unpublished", "storage_errors"]

_LOG = logging.getLogger(__name__)
_HEX = "[0-9a-f]"
_STALE = 3600  # seconds after which nobody writes to a partial file any more
_WRITE_BACK = 8 * 1024 * 1024  # bytes after which the disk is asked to begin


class Unpublished(Exception):  # noqa: N818 - a turn of events, and not the caller's
    """Another process has taken the partial file away, to publish or to discard it."""


class Partial:
    """A partial file, open for writing.

    Parameters
    ----------
    target : Path
        The name that the file will have.
    url : str
        What it is a copy of.
    version : Version
        Of the content.

    Attributes
    ----------
    shared : bool
        Other processes, and later ones, can go on with it.
    path : Path
        Where it is.
    """

    def __init__(self, target: Path, url: str, version: Version) -> None:
        self.target, self.url, self.version = target, url, version
        self.shared = version.etag is not None
        self.path = self.path_of(target, url, version)
        self._note = self.path.with_name(self.path.name + ".json")
        with storage_errors(url):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except NotOursError as error:
                _LOG.warning("%s: %s; the download begins anew", error.filename, error.strerror)
                self.shared, self.path = False, self.path_of(target, url, UNKNOWN)
                self._open()
            self._written_back = self._position = self.size

    @staticmethod
    def path_of(target: Path, url: str, version: Version) -> Path:
        """Return where the partial file of a version is; without a validator it is a new one.

        What another machine writes, or this one wrote before it went down, may have holes as it is
        seen from here, although it is as long as if it had none. So that is another file.
        """
        user = os.geteuid() if os.name == "posix" else ""  # whose part nobody else goes on with
        bound = json.dumps([target.name, url, version.etag, version.total, this_boot(), user])
        mark = hashlib.sha256(bound.encode()).hexdigest() if version.etag else uuid4().hex
        return target.with_name(f"{_stem(target)}{mark[:16]}.part")

    def _open(self) -> None:
        """Say beside the file what it is a part of, before it holds anything, and open it."""
        if self.shared:
            Note(self.target.name, self.url, self.version).write(self._note)
        self._file = io.FileIO(open_own(self.path, os.O_RDWR | os.O_CREAT), "r+")

    @classmethod
    def version_to_resume(cls, target: Path, url: str, size: int | None) -> Version | None:
        """Return the version that most is there of, from an earlier download of so many bytes."""
        whole, found = Version(total=size), dict[Version, int]()
        for path in target.parent.glob(f"{escape(_stem(target))}*.part.json"):
            note, partial = Note.read(path), path.with_suffix("")
            if note is None or (note.target, note.url) != (target.name, url):
                continue
            expected = cls.path_of(target, url, note.version)
            if partial == expected and note.version.agrees(whole) and is_own(partial):
                with suppress(OSError):
                    found[note.version] = partial.lstat().st_size
        usable = [one for one, there in found.items() if 0 < there <= (one.total or there)]
        return max(usable, key=found.__getitem__, default=None)

    @property
    def size(self) -> int:
        """How many bytes of the file are there, by whoever wrote them."""
        return os.fstat(self._file.fileno()).st_size

    def lock(self) -> bool:
        """Lock it against other downloads; tell whether that worked."""
        if not self.shared or fcntl is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # no locks here: both fetch, which is right too
        return True

    @property
    def is_in_place(self) -> bool:
        """Nobody has published or discarded it."""
        return _is_same(self.path, self._file.fileno())

    def check_space(self, total: int | None) -> None:
        """Raise if the rest of the file has no space."""
        with storage_errors(self.url):
            free = shutil.disk_usage(self.path.parent).free
        missing = 0 if total is None else total - self.size
        if missing > free:
            raise ArtifactStorageError(
                f"{self.target} needs {missing} more bytes, and {free} are free; make space, or"
                " choose another folder",
                url=self.url,
            )

    def seek(self, offset: int) -> None:
        """Write the next bytes at this offset."""
        self._position = self._written_back = self._file.seek(offset)

    def write(self, piece: bytes | memoryview) -> None:
        """Write bytes, all of them."""
        with storage_errors(self.url):
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        self._position += len(piece)
        if self._position - self._written_back >= _WRITE_BACK:
            self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Let the disk begin with what is written, so that less is left to wait for at the end."""
        length = self._position - self._written_back
        with suppress(OSError, AttributeError):  # advice, which not every system takes
            os.posix_fadvise(
                self._file.fileno(), self._written_back, length, os.POSIX_FADV_DONTNEED
            )
        self._written_back = self._position

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes that are there."""
        with storage_errors(self.url):
            self._file.seek(offset)
            piece = self._file.read(length) or b""
            self._file.seek(self._position)
        return piece

    def sync(self) -> os.stat_result:
        """Wait until the disk has it; return what the file is like then."""
        with storage_errors(self.url):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno())

    def publish(self) -> None:
        """Give the file its name.

        Raises
        ------
        Unpublished
            If another process took the partial file away without giving it its name.
        """
        with storage_errors(self.url):
            set_final_mode(self._file.fileno(), self.path.parent)
            identity = os.fstat(self._file.fileno())
            self._file.close()
            if not self._renamed(identity) and not _is_same(self.target, identity):
                raise Unpublished
            sync_folder(self.target.parent)
            self._note.unlink(missing_ok=True)
            self._sweep()

    def _renamed(self, identity: os.stat_result) -> bool:
        """Give the file its name, unless another process has taken it away."""
        # Under the shared name may stand by now what another process has begun; under this one
        # stands only what was looked at.
        own = self.path.with_name(f"{_stem(self.target)}{uuid4().hex}.part")
        try:
            self.path.rename(own)
        except FileNotFoundError:
            return False
        mine = _is_same(own, identity)
        try:
            own.replace(self.target if mine else self.path)
        except OSError:  # a folder has that name
            if self.shared:
                own.replace(self.path)
            else:
                own.unlink()
            raise
        return mine

    def _sweep(self) -> None:
        """Remove what downloads of this file have left behind that were killed."""
        # The dots of other files' names begin otherwise.
        for path in self.target.parent.glob(f"{escape(_stem(self.target))}{_HEX * 16}*.part*"):
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime > _STALE:
                    path.unlink()

    def discard(self) -> None:
        """Remove the file, so that the next one begins anew."""
        if not self._file.closed and self.is_in_place:
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
        self._file.close()

    def release(self) -> None:
        """Leave the file to whoever writes to it."""
        self._file.close()

    def close(self) -> None:
        """Keep the file for a later download, if that can use it."""
        if self._file.closed:
            return
        if not self.shared or self.size == 0:
            self.discard()
        self._file.close()


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn an error of the file system, which is not the network's, into ours."""
    try:
        yield
    except ArtifactStorageError:
        raise
    except NotOursError as error:
        raise ArtifactStorageError(
            f"{url} can't be stored: {error.filename}: {error.strerror}", url=url
        ) from error
    except OSError as error:
        raise ArtifactStorageError(
            f"{url} can't be stored at {error.filename or 'its place'}: {error.strerror or error};"
            " make space or choose another folder, then download it again",
            url=url,
        ) from error
    except ValueError as error:  # NUL, or half a surrogate pair
        raise ArtifactStorageError(
            f"{url} can't be stored: no file can have its name ({error}); give another path",
            url=url,
        ) from error


def _stem(target: Path) -> str:
    name = target.name
    if len(os.fsencode(name)) > 150:  # a file's name has 255 bytes at most
        name = f"{name[:30]}.{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"
    return f".{name}."


def _is_same(path: Path, there: int | os.stat_result) -> bool:
    try:
        found = path.lstat()  # a link to it is another file
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(there) if isinstance(there, int) else there)
