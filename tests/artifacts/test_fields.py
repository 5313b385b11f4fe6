"""Header fields are believed where they are clear, and never break anything where they are not."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ecephys_dal.artifacts.fields import (
    announced_digests,
    announced_size,
    content_range,
    is_encoded,
    retry_after,
    strong_etag,
)

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone.utc)
ENDLESS = "9" * 5000  # digits, more than Python turns into a number


def fields(**named: str) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict({name.replace("_", "-"): text for name, text in named.items()})


def coded(algorithm: str) -> str:
    return b64encode(hashlib.new(algorithm, b"x").digest()).decode()


@pytest.mark.parametrize(
    ("text", "strong"),
    [
        ('"a"', True), ('"5f-6:x/y+z=="', True), ('""', True), (' "a" ', True), ('"W/a"', True),
        ('"\xfc"', True), ('W/"a"', False), ('w/"a"', False), ("a", False), ('"a', False),
        ('a"', False), ("'a'", False), ("*", False), ("", False), ('"a" ', True),
        ('"a", "b"', False), ('"a"b"', False), ('"a b"', False), ('"a\n"', False),
        ('"a"-gzip', False),
    ],
)  # fmt: skip
def test_only_a_strong_etag_is_a_validator(text: str, strong: bool) -> None:
    assert strong_etag(fields(etag=text)) == (text.strip() if strong else None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("5", 5), (" 5 ", 5), ("007", 7), ("10000000000000", 10**13), ("-5", None),
        ("+5", None), ("5, 5", None), ("5,6", None), ("5.0", None), ("5e3", None), ("0x5", None),
        ("5_000", None), ("", None), ("\u0665", None), ("\xb2", None), (ENDLESS, None),
    ],
)  # fmt: skip
def test_a_length_is_digits_and_nothing_else(text: str, size: int | None) -> None:
    assert announced_size(fields(content_length=text)) == size


@pytest.mark.parametrize("coding", ["chunked", "gzip, chunked", "identity", ""])
def test_a_transfer_coding_overrules_a_length(coding: str) -> None:
    assert announced_size(fields(content_length="5", transfer_encoding=coding)) is None
    assert announced_size(fields()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-4/5", (0, 4, 5)), ("bytes 0-4/*", (0, 4, None)), ("bytes */5", (None, None, 5)),
        ("bytes */0", (None, None, 0)), ("Bytes 0-4/5", (0, 4, 5)), ("  bytes  3-3/5 ", (3, 3, 5)),
        ("bytes */*", (None, None, None)), ("bytes 0-5/5", None), ("bytes 4-0/5", None),
        ("bytes=0-4/5", None), ("bytes 0-4", None), ("bytes 0-/5", None), ("bytes -4/5", None),
        ("bytes 0-4/-5", None), ("bytes 0-4/5, bytes 0-4/5", None), ("0-4/5", None),
        ("items 0-4/5", None), ("bytes a-b/c", None), ("bytes 0 - 4 / 5", None), ("", None),
        ("bytes \u0660-\u0664/\u0665", None), (f"bytes 0-{ENDLESS}/{ENDLESS}", None),
    ],
)  # fmt: skip
def test_a_range_makes_sense_or_is_none(
    text: str, expected: tuple[int | None, int | None, int | None] | None
) -> None:
    assert content_range(fields(content_range=text)) == expected
    assert content_range(fields()) is None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", None), ("identity", None), (" Identity ", None), ("gzip", "gzip"), ("GZip", "gzip"),
        ("x-gzip", "x-gzip"), ("br", "br"), ("gzip, identity", "gzip, identity"),
    ],
)  # fmt: skip
def test_an_encoding_is_anything_but_identity(text: str, encoding: str | None) -> None:
    assert is_encoded(fields(content_encoding=text)) == encoding
    assert is_encoded(fields()) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("120", 120), (" 7 ", 7), ("-5", None), ("1.5", None), ("", None), ("soon", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30), ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30), ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30), ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +99999999999999", None), ("120, 120", None),
    ],
)  # fmt: skip
def test_a_server_says_when_to_come_again_in_seconds_or_by_a_date(
    text: str, seconds: float | None
) -> None:
    assert retry_after(fields(retry_after=text), NOW) == seconds
    assert retry_after(fields(), NOW) is None


def test_a_wait_without_end_is_a_number() -> None:
    assert (retry_after(fields(retry_after=ENDLESS), NOW) or 0) > 1e9


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"repr_digest": f"sha-256=:{coded('sha256')}:"}, [("Repr-Digest", "sha256", False)]),
        ({"content_digest": f"SHA-256=:{coded('sha256')}:"}, [("Content-Digest", "sha256", True)]),
        ({"digest": f"SHA-256={coded('sha256')}"}, [("Digest", "sha256", False)]),
        ({"digest": f"md5={coded('md5')},sha={coded('sha1')}, unixsum=30637"},
         [("Digest", "md5", False), ("Digest", "sha1", False)]),
        ({"content_md5": coded("md5")}, [("Content-MD5", "md5", True)]),
        ({"repr_digest": f"sha-256=:{coded('sha256')}:, sha-512=:{coded('sha512')}:;q=1"},
         [("Repr-Digest", "sha256", False), ("Repr-Digest", "sha512", False)]),
        ({"repr_digest": f"crc32c=:{b64encode(b'abcd').decode()}:, id-sha-256=:AAAA:"}, []),
        # What can't be such a digest, by its length or its letters, says nothing of the file.
        ({"repr_digest": "sha-256=:AAAA:"}, []),
        ({"repr_digest": f"sha-256=:{coded('md5')}:"}, []),
        ({"repr_digest": "sha-256=:===:"}, []), ({"repr_digest": "sha-256"}, []),
        ({"content_md5": "9dd4e461268c8034f5c8564e155c67a6"}, []), ({"content_md5": "?"}, []),
        ({"content_md5": ""}, []), ({"content_md5": "\xfc"}, []), ({"digest": "md5"}, []),
    ],
)  # fmt: skip
def test_digests_that_can_be_computed_are_announced(
    named: dict[str, str], expected: list[tuple[str, str, bool]]
) -> None:
    found = list(announced_digests(fields(**named)))
    assert [(one.field, one.algorithm, one.of_body) for one in found] == expected
    for one in found:
        assert one.value == hashlib.new(one.algorithm, b"x").digest()


PARTS = st.sampled_from(
    ["bytes", "sha-256", "md5", "W/", '"', "=", ":", "-", "/", "*", ",", " ", ";", "GMT", "Mon",
     "Jan", "99", "+0000", "0", "9" * 30, ENDLESS, "\xff", "\0", "\n", "\u0665", "====", "AAAA"]
)  # fmt: skip
GARBAGE = st.text() | st.lists(PARTS, max_size=12).map("".join)


@given(GARBAGE)
@example("Mon, 01 Jan 2026 00:00:00 +" + ENDLESS)
def test_no_field_breaks_anything(text: str) -> None:
    named = fields(
        etag=text, content_encoding=text, content_length=text, content_range=text,
        retry_after=text, repr_digest=text, content_digest=text, digest=text, content_md5=text,
    )  # fmt: skip
    strong_etag(named), is_encoded(named)
    size, part, wait = announced_size(named), content_range(named), retry_after(named, NOW)
    assert size is None or size >= 0
    assert part is None or part.total is None or (part.last or 0) <= part.total
    assert wait is None or (wait >= 0 and not math.isnan(wait))
    for one in announced_digests(named):
        assert len(one.value) == hashlib.new(one.algorithm).digest_size
