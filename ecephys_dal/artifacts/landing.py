"""Where a transfer lands: the partial file that fits what the transfer is doing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.partial import Partial

if TYPE_CHECKING:
    from pathlib import Path

    from ecephys_dal.artifacts.transfer import Transfer
    from ecephys_dal.artifacts.version import Version

__all__ = ["Busy", "Landing"]

_BLOCK = 1024 * 1024


class Busy(Exception):  # noqa: N818 - a turn of events, and not the caller's
    """Another process is fetching the same version of the file to the same place."""

    def __init__(self, partial: Partial) -> None:
        super().__init__(str(partial.path))
        self.partial = partial


class Landing:
    """The partial file of one transfer, another one after each time that the transfer begins anew.

    Parameters
    ----------
    target : Path
        The name that the file will have.
    url : str
        What it is a copy of.
    unlocked : bool
        Write even if another process has the partial file locked.
    """

    def __init__(self, target: Path, url: str, *, unlocked: bool = False) -> None:
        self._target, self._url, self._unlocked = target, url, unlocked
        self._partial: Partial | None = None
        self._restarts = 0

    def resume(self, size: int | None) -> tuple[Version, int] | None:
        """Open what an earlier download left of a file of this size, if that is known.

        Returns
        -------
        (Version, int) or None
            Which version, and how many bytes of it; never all, so that the server is asked whether
            it still has that version, and for its digests.
        """
        version = Partial.version_to_resume(self._target, self._url, size)
        if version is None:
            return None
        self._partial = self._opened(version)
        size = self._partial.size
        return version, size - (size == version.total)

    def follow(self, transfer: Transfer) -> Partial:
        """Return the partial file, ready for the next bytes of the transfer."""
        if self._restarts != transfer.restarts:
            self._restarts = transfer.restarts
            self.discard()
        if self._partial is None:
            self._partial = self._opened(transfer.version)
        self._partial.check_space(transfer.total)
        self._catch_up(self._partial, transfer)
        self._partial.seek(transfer.offset)
        return self._partial

    def _opened(self, version: Version) -> Partial:
        partial = Partial(self._target, self._url, version)
        if not self._unlocked and not partial.lock():
            raise Busy(partial)
        return partial

    @staticmethod
    def _catch_up(partial: Partial, transfer: Transfer) -> None:
        """Show the bytes that were there before to the digests that need them."""
        digests = transfer.inspection.digests
        while (position := digests.position) is not None and position < transfer.offset:
            piece = partial.read_at(position, min(_BLOCK, transfer.offset - position))
            if not piece:
                return
            digests.update(position, piece)

    def discard(self) -> None:
        """Give up what is there."""
        if self._partial is not None:
            self._partial.discard()
            self._partial = None

    def close(self) -> None:
        """Keep what is there for a later download, if that can use it."""
        if self._partial is not None:
            with closing(self._partial):
                self._partial = None
