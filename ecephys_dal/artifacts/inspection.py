"""What a file's bytes tell while they go by: whether they can be the file, and the whole of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.digests import Digests
from ecephys_dal.artifacts.formats import MalformedError
from ecephys_dal.artifacts.refusals import corrupt
from ecephys_dal.artifacts.verify import looks_like_html, needed_bytes

if TYPE_CHECKING:
    from ecephys_dal.artifacts.fields import AnnouncedDigest
    from ecephys_dal.artifacts.formats import FileFormat, ReadAt
    from ecephys_dal.artifacts.locate import Artifact

__all__ = ["SIZE_IN_LIMS", "Inspection"]

SIZE_IN_LIMS = "size in LIMS"

_HEAD = 64 * 1024  # of the beginning, kept to tell how long the whole file is
_LONGEST_MAGIC = 8
_LONGEST = 2**64  # bytes, more than any file has
_PAGES = (".html", ".htm", ".xhtml", ".xml", ".svg")


class Inspection:
    """What is known of a file's content so far.

    Parameters
    ----------
    url : str
        For messages.
    artifact : Artifact
        What the file must be.
    """

    def __init__(self, url: str, artifact: Artifact) -> None:
        self.url, self.file_format = url, artifact.file_format
        suffix = PurePosixPath(artifact.filename or "").suffix.lower()
        self._page_is_wrong = suffix not in _PAGES
        self._head = bytearray()
        self._expected: dict[str, AnnouncedDigest] = {}
        self.digests = Digests()

    def restart(self) -> None:
        """Forget the bytes that were seen."""
        self._head.clear()
        self._expected.clear()
        self.digests.restart()

    def expect(self, digest: AnnouncedDigest) -> None:
        """Compare the whole file with this digest when it is there."""
        self._expected[digest.algorithm] = digest
        self.digests.want(digest.algorithm)

    def see(self, offset: int, piece: bytes | memoryview) -> None:
        """Take the bytes at this offset; raise if no such file can have them."""
        if offset == len(self._head) < _HEAD:
            self._head += piece[: _HEAD - offset]
            if offset < _LONGEST_MAGIC:
                self._check_beginning(bytes(self._head))
        self.digests.update(offset, piece)

    def _check_beginning(self, start: bytes) -> None:
        if self.file_format is None:
            if self._page_is_wrong and looks_like_html(start):
                raise corrupt(self.url, "beginning", "no web page", start[:32])
        elif not self._can_begin(self.file_format, start):
            raise corrupt(self.url, "beginning", self.file_format.name, start[:32])

    @staticmethod
    def _can_begin(file_format: FileFormat, start: bytes) -> bool:
        if len(start) >= _LONGEST_MAGIC:
            return file_format.begins(start)
        return any(
            magic.startswith(start) or start.startswith(magic) for magic in file_format.value
        )

    def needed_bytes(self) -> int | None:
        """Return how long the file is at least, as far as its beginning tells."""
        head = bytes(self._head)
        return self._needed_by(lambda offset, n: head[offset : offset + n])

    def check_structure(self, read_at: ReadAt, size: int) -> list[str]:
        """Compare the whole file with what it says of itself.

        Parameters
        ----------
        read_at : callable
            As for `needed_bytes`.
        size : int
            Of the file.

        Returns
        -------
        list of str
            What agreed; empty if it says nothing.

        Raises
        ------
        ArtifactCorruptError
            If it is not of its format, or not whole.
        """
        if self.file_format is None:
            return []
        start = read_at(0, 1024)
        if not self.file_format.begins(start):
            raise corrupt(self.url, "beginning", self.file_format.name, start[:32])
        needed = self._needed_by(read_at)
        if needed is None:
            return []
        if size < needed:
            raise corrupt(self.url, "number of bytes", f"{needed} or more", size)
        return [f"structure of {self.file_format.name}"]

    def _needed_by(self, read_at: ReadAt) -> int | None:
        if self.file_format is None:
            return None
        try:
            needed = needed_bytes(self.file_format, read_at)
            # A header may claim a number of more digits than Python writes.
            return None if needed is None else min(needed, _LONGEST)
        except MalformedError as error:
            raise corrupt(self.url, "content", self.file_format.name, str(error)) from error

    def compare(self, offset: int) -> list[str]:
        """Compare the whole file, of so many bytes, with the digests that were announced.

        Returns
        -------
        list of str
            What agreed.

        Raises
        ------
        ArtifactCorruptError
            If one differs.
        """
        agreed = []
        for algorithm, expected in self._expected.items():
            found = self.digests.at(offset, algorithm)
            if found is None:
                continue  # the bytes that it lacks are gone
            if found != expected.value:
                raise corrupt(self.url, expected.field, expected.value.hex(), found.hex())
            agreed.append(f"{expected.field} ({algorithm})")
        return agreed
