"""The decisions of a transfer, without I/O: what to ask for, and what an answer and its bytes mean.

A client asks with `Transfer.fields`, shows each answer to `Transfer.answer`, each piece of its body
to `Transfer.feed`, the body's end to `Transfer.end` and each failure to `Transfer.fail`, until the
transfer is `complete`. Whatever a server does, no byte is passed on twice, none is missing, and
bytes of two versions of a file are never put together.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from ecephys_dal.artifacts.body import SKIP_DIGEST, Body
from ecephys_dal.artifacts.fields import announced_size, content_range, is_encoded, strong_etag
from ecephys_dal.artifacts.inspection import SIZE_IN_LIMS, Inspection
from ecephys_dal.artifacts.patience import Patience
from ecephys_dal.artifacts.refusals import (
    Transient,
    changed,
    corrupt,
    permanent,
    refusal_of_status,
)
from ecephys_dal.artifacts.version import UNKNOWN, Version
from ecephys_dal.errors import ArtifactCorruptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecephys_dal.artifacts.fields import Fields
    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["Transfer"]


class Transfer:
    """The state of fetching one file, or a span of one.

    Parameters
    ----------
    url : str
        For messages.
    artifact : Artifact
        What is known of the file.
    settings : ArtifactSettings
        How patient to be.
    rewindable : bool
        What was passed on can be taken back, as from a file, but not from an iterator.
    version, offset : Version, int
        What of which version is there already.
    stop : int, optional
        The offset to end before; the end of the file without it.
    clock : callable
        Gives seconds.

    Attributes
    ----------
    offset : int
        How many bytes were passed on; the next one stands there.
    complete : bool
        All bytes were passed on.
    evidence : list of str
        By what it is known that they are the whole file.
    received : int
        Bytes that were read from the network.
    restarts : int
        How often it began anew.
    """

    def __init__(
        self,
        url: str,
        artifact: Artifact,
        settings: ArtifactSettings,
        *,
        rewindable: bool,
        version: Version = UNKNOWN,
        offset: int = 0,
        stop: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, self.artifact, self.rewindable = url, artifact, rewindable
        self.version, self.offset, self.stop = version, offset, stop
        self.patience = Patience(settings, url, clock, offset)
        self.inspection = Inspection(url, artifact)
        self.evidence: list[str] = []
        self.received = self.restarts = 0
        self.complete = False
        self._asked_for_part = self._only_whole = self._rejected = False
        self.body = Body()
        if offset > 0 and offset == self.total:
            self.evidence.append("size of its version")
            self._finish()

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, as far as known."""
        return self.artifact.size if self.version.total is None else self.version.total

    def fields(self) -> dict[str, str]:
        """Return the header fields to ask with."""
        self.patience.begin()
        wanted = {"Accept-Encoding": "identity"}
        can_resume = bool(self.offset and self.version.etag and not self._only_whole)
        self._asked_for_part = can_resume or self.stop is not None
        if self._asked_for_part:
            last = "" if self.stop is None else self.stop - 1
            wanted["Range"] = f"bytes={self.offset}-{last}"
            if self.version.etag:
                wanted["If-Range"] = self.version.etag
        return wanted

    def answer(self, status: int, reason: str, fields: Fields) -> None:
        """Decide what an answer means, by its status and its header fields, in any case.

        Raises
        ------
        ArtifactError
            If it can't be used; a `Transient` one if another attempt may help.
        """
        if status == 200:
            self._take_whole(fields)
        elif status == 206:
            self._take_part(fields)
        elif status == 416:
            self._take_nothing(fields)
        else:
            raise refusal_of_status(self.url, status, reason, fields, self.offset)

    def feed(self, piece: bytes, seconds: float) -> bytes | memoryview:
        """Take a piece of the body that took so long to read; return what is to be passed on."""
        self.received += len(piece)
        self.patience.read(len(piece), seconds, self.offset)
        new = self.body.take(piece)
        skipped = self.body.skipped_digest()
        if skipped is not None and skipped != self._digest_to_prove():
            raise changed(self.url, self.offset)
        if self.stop is not None:
            new = new[: self.stop - self.offset]
        if new:
            self.inspection.see(self.offset, new)
            self.offset += len(new)
            if self.total is not None and self.offset > self.total:
                raise corrupt(self.url, "number of bytes", self.total, f"{self.offset} or more")
        return new

    def end(self) -> None:
        """Decide what it means that the body has ended."""
        self.body.check_end(self.offset)
        goal = self._goal()
        # The end of a part is that of the file only if it is known where that is.
        least = 1 if goal is None else goal
        ends = self.offset >= least and not (self.body.is_part and self._ends() is None)
        if not ends and not self.body.is_part:
            raise self.passing(f"sent {self.offset} of {goal or '?'} bytes")
        try:
            agreed = self.body.compare()
            if ends:  # else it was a part that is legally shorter than what was asked for
                self.evidence += agreed if self.body.length == self.offset else []
                self._finish()
        except ArtifactCorruptError as error:
            raise self.reject(error) from error

    def _ends(self) -> int | None:
        """Return the offset at which to end, None if it is not known."""
        return min((end for end in (self.total, self.stop) if end is not None), default=None)

    def _goal(self) -> int | None:
        """Return the offset to be reached at least, None if nothing tells."""
        ends = self._ends()
        return self.inspection.needed_bytes() if ends is None and not self.body.framed else ends

    def _finish(self) -> None:
        if self.stop is None:
            self.evidence += self.inspection.compare(self.offset)
            self.evidence += [SIZE_IN_LIMS] * (self.artifact.size == self.offset)
        self.complete = True

    def fail(self, error: Transient) -> None:
        """Count a failure against the patience."""
        self.patience.fail(error, self.offset)

    def passing(self, what: str) -> Transient:
        """Return the error for a failure that may be gone at the next attempt."""
        return Transient(f"{self.url} {what}", url=self.url, received=self.offset)

    def reject(self, error: ArtifactCorruptError) -> Transient:
        """Begin anew after bytes that were wrong, once; raise the error if that can't help."""
        if self._rejected or not self.rewindable:
            raise error
        self._rejected = True
        self.restart()
        return self.passing(f"sent wrong bytes ({error})")

    def restart(self) -> None:
        """Take back what was passed on, and begin anew."""
        self.offset, self.version, self.complete = 0, UNKNOWN, False
        self.restarts += 1
        self.inspection.restart()

    def _take_whole(self, fields: Fields) -> None:
        if self.stop is not None:
            self._refuse_whole(fields)
        # Neither the length nor the validator of an encoded body is the file's, and that a file
        # is empty is believed to LIMS alone.
        version = (
            UNKNOWN
            if is_encoded(fields)
            else Version(strong_etag(fields), announced_size(fields) or None)
        )
        self._check_size(version.total)
        proven = self.offset == 0 or version.is_of(self.version)
        if not proven:
            if self.rewindable:
                self.restart()
            elif self._digest_to_prove() is None or not version.agrees(self.version):
                raise changed(self.url, self.offset)
        self.version = version
        self._open(
            Body(
                self.url,
                fields,
                skip=self.offset,
                stop=version.total,
                proven=proven or self.rewindable,
            ),
            fields,
        )

    def _take_part(self, fields: Fields) -> None:
        if not self._asked_for_part:
            raise permanent(self.url, "answered 206 with a part, but the whole was asked for")
        part = content_range(fields)
        if part is None or part.first is None or part.last is None or is_encoded(fields):
            raise self._odd_part("without a range that makes sense")
        version = Version(strong_etag(fields), part.total)
        if version.etag is None:
            raise self._odd_part("without an ETag")
        if self.version != UNKNOWN and not version.is_of(self.version):
            self._refuse_change()
        if not part.first <= self.offset <= part.last:
            raise self._odd_part(f"from byte {part.first} instead of {self.offset}")
        self._check_size(part.total)
        self.version = replace(version, total=part.total or self.version.total)
        self._open(
            Body(self.url, fields, skip=self.offset - part.first, stop=part.last + 1), fields
        )

    def _take_nothing(self, fields: Fields) -> None:
        there = content_range(fields)
        total = None if there is None else there.total
        if not self._asked_for_part:
            raise permanent(self.url, "answered 416, but no range was asked for")
        if total is None:
            raise self._odd_part("that is none (416)")
        same = self.version.etag is None or strong_etag(fields) in (None, self.version.etag)
        if not same or total != self.offset or self.total not in (None, total):
            self._refuse_change()
        self.version = replace(self.version, total=total)
        self.evidence.append("Content-Range")
        self._finish()

    def _open(self, body: Body, fields: Fields) -> None:
        """Note what is known of the body that is to come, and of the file by it."""
        self.body = body
        self.evidence = [framing] if (framing := Body.framing(fields)) else []
        digests = self.inspection.digests
        if not self.rewindable and self.version.etag is None:
            digests.want(SKIP_DIGEST)
        for digest in body.digests_of_file:
            self.inspection.expect(digest)

    def _digest_to_prove(self) -> bytes | None:
        return self.inspection.digests.at(self.offset, SKIP_DIGEST)

    def _odd_part(self, what: str) -> Transient:
        self._only_whole = True  # whoever answers so again is given up
        if self.stop is not None:
            raise permanent(self.url, f"answers with parts {what}", self.offset)
        return self.passing(f"answered with a part {what}")

    def _refuse_change(self) -> NoReturn:
        if not self.rewindable:
            raise changed(self.url, self.offset)
        self.restart()
        raise self.passing("changed while it was fetched")

    def _refuse_whole(self, fields: Fields) -> NoReturn:
        if self.version.etag and strong_etag(fields) not in (None, self.version.etag):
            raise changed(self.url, self.offset)
        raise permanent(self.url, "is served as a whole only, not in ranges; download it instead")

    def _check_size(self, total: int | None) -> None:
        if None not in (total, self.artifact.size) and total != self.artifact.size:
            raise corrupt(self.url, "number of bytes", self.artifact.size, total)
