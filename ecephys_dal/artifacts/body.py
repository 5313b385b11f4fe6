"""The body of one answer: what of it is new, and whether all of it came."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.digests import Digests
from ecephys_dal.artifacts.fields import announced_digests, announced_size, is_encoded
from ecephys_dal.artifacts.refusals import Transient, corrupt

if TYPE_CHECKING:
    from ecephys_dal.artifacts.fields import Fields

__all__ = ["SKIP_DIGEST", "Body"]

_MOST_AT_ONCE = 256 * 1024  # bytes that are inflated, of which a thousandth may have come
SKIP_DIGEST = "sha256"  # shows that bytes that are sent again are those that were passed on


class Body:
    """What is known of the body of one answer, and of how much of it has come.

    Parameters
    ----------
    url : str
        For messages.
    fields : mapping of str to str
        The header fields of the answer.
    skip : int
        How many bytes of the file it begins with that were passed on before.
    stop : int, optional
        The offset in the file at which it ends.
    proven : bool
        The skipped bytes are known to be the same; else a digest of them is kept, to compare.

    Attributes
    ----------
    is_part : bool
        It is a range of the file.
    framed : bool
        A body that breaks off is noticed, although its length is unknown.
    length : int
        Bytes of it that have come.
    holds_back : bool
        More of it is to be taken, with no further piece.
    digests_of_file : list of AnnouncedDigest
        What the whole file is to be compared with.
    """

    def __init__(
        self,
        url: str = "",
        fields: Fields | None = None,
        *,
        skip: int = 0,
        stop: int | None = None,
        proven: bool = True,
    ) -> None:
        fields = fields or {}
        self.url, self.skip, self.stop, self.length = url, skip, stop, 0
        self._begins, self.is_part = skip, "Content-Range" in fields
        self._skipped = None if proven else Digests([SKIP_DIGEST])
        encoding = is_encoded(fields)
        if encoding not in (None, "gzip", "x-gzip"):
            raise corrupt(url, "encoding, though none was asked for", "identity", encoding)
        self._decoder = None if encoding is None else zlib.decompressobj(wbits=31)
        self.holds_back = False
        self.framed = encoding is not None or "Transfer-Encoding" in fields
        digests = list(announced_digests(fields))
        # A digest of an encoded file is one of the bytes that are sent.
        self._expected = [one for one in digests if one.of_body or encoding]
        self.digests_of_file = [one for one in digests if one not in self._expected]
        self._digests = Digests(one.algorithm for one in self._expected)

    @staticmethod
    def framing(fields: Fields) -> str:
        """Return by what the end of such a body is known; nothing if by no more than a close."""
        if is_encoded(fields):
            return "CRC-32 of gzip"
        if "Content-Range" in fields:
            return "Content-Range"
        if announced_size(fields) is not None:
            return "Content-Length"
        return "chunked framing" if "Transfer-Encoding" in fields else ""

    def take(self, piece: bytes) -> bytes | memoryview:
        """Return what of a piece is new: decoded, and without what is skipped."""
        self._digests.update(self.length, piece)
        self.length += len(piece)
        if self._decoder is not None:
            piece = self._decoded(piece, self._decoder)
        if not self.skip:
            return piece
        again, new = memoryview(piece)[: self.skip], memoryview(piece)[self.skip :]
        if self._skipped is not None:
            self._skipped.update(self._begins - self.skip, again)
        self.skip -= len(again)
        return new

    def _decoded(self, piece: bytes, decoder: zlib._Decompress) -> bytes:
        try:
            decoded = decoder.decompress(decoder.unconsumed_tail + piece, _MOST_AT_ONCE)
        except zlib.error as error:
            raise self._passing(f"sent compressed bytes that are broken ({error})") from error
        if decoder.unused_data:
            raise corrupt(self.url, "number of compressed bytes", "no more", "more")
        self.holds_back = bool(decoder.unconsumed_tail) or len(decoded) == _MOST_AT_ONCE
        return decoded

    def skipped_digest(self) -> bytes | None:
        """Return the digest of the skipped bytes once they have all come; None if not needed."""
        if self._skipped is None or self.skip:
            return None
        skipped, self._skipped = self._skipped, None
        return skipped.at(self._begins, SKIP_DIGEST)

    def check_end(self, offset: int) -> None:
        """Raise a passing failure if the body broke off, at this offset of the file."""
        if self._decoder is not None and not self._decoder.eof:
            raise self._passing("sent compressed bytes that break off")
        if self.skip:
            raise self._passing(f"sent {self.length} bytes again, of {self._begins}")
        if self.stop is not None and offset < self.stop:
            raise self._passing(f"sent {offset} of {self.stop} bytes")

    def compare(self) -> list[str]:
        """Compare the whole body with its own digests; return which agreed, or raise."""
        for expected in self._expected:
            found = self._digests.at(self.length, expected.algorithm) or b""
            if found != expected.value:
                raise corrupt(self.url, expected.field, expected.value.hex(), found.hex())
        return [f"{expected.field} ({expected.algorithm})" for expected in self._expected]

    def _passing(self, what: str) -> Transient:
        return Transient(f"{self.url} {what}", url=self.url)
