"""What the header fields of an answer say (RFC 9110 and 9530), read with no more trust than due."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64decode
from binascii import Error as NotBase64
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Fields = Mapping[str, str]

__all__ = [
    "AnnouncedDigest",
    "ContentRange",
    "announced_digests",
    "announced_size",
    "content_range",
    "is_encoded",
    "retry_after",
    "strong_etag",
]

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
# Python turns no more than some thousand digits into a number.
_NUMBER = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(
    r"bytes\s+(?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE
)
_DIGEST = re.compile(r"\s*([a-z0-9-]+)=:?([A-Za-z0-9+/]+={0,2}):?\s*(?:;.*)?", re.IGNORECASE)
# The names of RFC 9530's registry that Python can compute, and Python's names.
_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5"}
_LENGTHS = {"sha512": 64, "sha256": 32, "sha1": 20, "md5": 16}


class ContentRange(NamedTuple):
    """What a Content-Range says; the bytes of a 416 are None."""

    first: int | None
    last: int | None
    total: int | None


class AnnouncedDigest(NamedTuple):
    """A digest that an answer promises.

    Attributes
    ----------
    field : str
        The field that says so.
    algorithm : str
        As hashlib names it.
    value : bytes
        The digest.
    of_body : bool
        Of the bytes of this answer, which may be a part; else of the whole file.
    """

    field: str
    algorithm: str
    value: bytes
    of_body: bool


def strong_etag(fields: Fields) -> str | None:
    """Return the ETag if it is strong, which alone lets parts be put together."""
    etag = fields.get("ETag", "").strip()
    return etag if _STRONG_ETAG.fullmatch(etag) else None


def is_encoded(fields: Fields) -> str | None:
    """Return the encoding of the body, in lower case, or None if it is the file itself."""
    encoding = fields.get("Content-Encoding", "").strip().lower()
    return None if encoding in ("", "identity") else encoding


def announced_size(fields: Fields) -> int | None:
    """Return the length of the body, None if it is unknown: chunks overrule a length."""
    length = fields.get("Content-Length", "").strip()
    if "Transfer-Encoding" in fields or not _NUMBER.fullmatch(length):
        return None
    return int(length)


def content_range(fields: Fields) -> ContentRange | None:
    """Return the range that the body is of, None if none is given that makes sense."""
    match = _CONTENT_RANGE.fullmatch(fields.get("Content-Range", "").strip())
    if match is None:
        return None
    first, last, total = (int(text) if text and text != "*" else None for text in match.groups())
    upside_down = first is not None and last is not None and first > last
    beyond = last is not None and total is not None and last >= total
    return None if upside_down or beyond else ContentRange(first, last, total)


def retry_after(fields: Fields, now: dt.datetime) -> float | None:
    """Return the seconds that the server asks us to wait, given as seconds or as a date."""
    text = fields.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (then - now).total_seconds())


def announced_digests(fields: Fields) -> Iterator[AnnouncedDigest]:
    """Yield the digests that the answer promises and that we can compute."""
    for field, of_body in (("Repr-Digest", False), ("Content-Digest", True), ("Digest", False)):
        for match in map(_DIGEST.fullmatch, fields.get(field, "").split(",")):
            algorithm = _ALGORITHMS.get(match[1].lower()) if match else None
            if match and algorithm and (digest := _decoded(match[2], algorithm)):
                yield AnnouncedDigest(field, algorithm, digest, of_body)
    if digest := _decoded(fields.get("Content-MD5", ""), "md5"):
        yield AnnouncedDigest("Content-MD5", "md5", digest, of_body=True)


def _decoded(text: str, algorithm: str) -> bytes:
    """Return a digest, nothing if it can't be one: some servers write it in hexadecimal."""
    try:
        digest = b64decode(text.strip(), validate=True)
    except (NotBase64, ValueError):
        return b""
    return digest if len(digest) == _LENGTHS[algorithm] else b""
