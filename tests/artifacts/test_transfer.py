"""The decisions of a transfer, as a table: what a server answers, and what is made of it."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ecephys_dal import (
    Artifact,
    ArtifactChangedError,
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ArtifactSettings,
    ArtifactTransferError,
)
from ecephys_dal.artifacts.refusals import Transient
from ecephys_dal.artifacts.transfer import Transfer
from ecephys_dal.artifacts.version import Version

FILE = bytes(range(256)) * 40  # 10,240 bytes
OTHER = FILE[::-1]
N = len(FILE)
PATIENT = ArtifactSettings(attempts=3, min_bytes_per_second=0)
ETAG, OTHER_ETAG = '"one"', '"two"'
CORRUPT, CHANGED, FAILED, MISSING = (
    ArtifactCorruptError,
    ArtifactChangedError,
    ArtifactTransferError,
    ArtifactNotFoundError,
)


@dataclass
class Answer:
    """What a server sends, and how much of it arrives."""

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    fields: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


def whole(
    body: bytes = FILE, etag: str | None = ETAG, cut: int | None = None, **fields: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    named.setdefault("Content-Length", str(len(body)))
    if etag:
        named["ETag"] = etag
    return Answer(200, body, {k: v for k, v in named.items() if v}, cut)


def part(
    first: int,
    last: int = N - 1,
    *,
    etag: str | None = ETAG,
    total: object = N,
    body: bytes = FILE,
    cut: int | None = None,
    **fields: str,
) -> Answer:
    named = {"Content-Range": f"bytes {first}-{last}/{total}"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    if etag:
        named["ETag"] = etag
    return Answer(206, body[first : last + 1], {k: v for k, v in named.items() if v}, cut)


def status(code: int, **fields: str) -> Answer:
    return Answer(code, b"<html>", {name.replace("_", "-"): v for name, v in fields.items()})


def digest(body: bytes = FILE, algorithm: str = "sha256") -> str:
    return b64encode(hashlib.new(algorithm, body).digest()).decode()


@dataclass
class Outcome:
    """What came of a transfer."""

    transfer: Transfer = field(repr=False)
    passed_on: bytes = field(repr=False)
    asked: list[dict[str, str]]
    error: Exception | None = None

    @property
    def ranges(self) -> list[str | None]:
        return [one.get("Range") for one in self.asked]


def run(
    answers: list[Answer],
    *,
    rewindable: bool,
    size: int | None = None,
    filename: str | None = None,
    step: int = 1000,
    **beginning: Any,
) -> Outcome:
    """Drive a transfer through these answers, the last of which is given for ever."""
    artifact = Artifact("files/7", size=size, filename=filename)
    transfer = Transfer(
        "http://lims2/files/7", artifact, PATIENT, rewindable=rewindable, **beginning
    )
    outcome = Outcome(transfer, b"", [])
    script = iter([*answers, *answers[-1:] * 50])
    try:
        while not transfer.complete:
            outcome.passed_on = _attempt(transfer, next(script), outcome, step)
    except (ArtifactCorruptError, ArtifactTransferError, ArtifactNotFoundError) as error:
        outcome.error = error
    return outcome


def _attempt(transfer: Transfer, answer: Answer, outcome: Outcome, step: int) -> bytes:
    outcome.asked.append(transfer.fields())
    given = outcome.passed_on
    try:
        transfer.answer(answer.status, "", CaseInsensitiveDict(answer.fields))
        given = given[: transfer.offset]  # what a sink that can be rewound does
        for piece in _pieces(answer, step) if not transfer.complete else ():
            given += transfer.feed(piece, 0.0)
            outcome.passed_on = given
        if answer.cut is not None:
            raise transfer.passing("broke off")
        if not transfer.complete:
            transfer.end()
    except Transient as error:
        transfer.fail(error)
        if transfer.patience.exhausted:
            raise
    return given[: transfer.offset]


def _pieces(answer: Answer, step: int) -> Iterator[bytes]:
    body = answer.body[: answer.cut]
    edges = [*range(0, len(body), step), len(body)]
    yield from (body[a:b] for a, b in pairwise(edges))


# In each row: the answers, what comes of them for a file and for an iterator (the bytes, or the
# error), and the ranges that are asked for, if they are the same for both.
CHUNKED = {"Content_Length": "", "Transfer_Encoding": "chunked"}
UNFRAMED = {"Content_Length": ""}
TABLE: dict[str, tuple[list[Answer], Any, Any, list[str | None] | None]] = {
    "all is well": ([whole()], FILE, FILE, [None]),
    "all is well, in chunks": ([whole(**CHUNKED)], FILE, FILE, [None]),
    "all is well, to the close": ([whole(**UNFRAMED)], FILE, FILE, [None]),
    "cut, and resumed": ([whole(cut=4000), part(4000)], FILE, FILE, [None, "4000-"]),
    "cut twice": (
        [whole(cut=4000), part(4000, cut=3000), part(7000)],
        FILE, FILE, [None, "4000-", "7000-"],
    ),
    "cut before the first byte": ([whole(cut=0), whole()], FILE, FILE, [None, None]),
    "chunks cut, and resumed": (
        [whole(cut=4000, **CHUNKED), part(4000)], FILE, FILE, [None, "4000-"],
    ),
    "length and chunks": (
        [whole(Content_Length="5", Transfer_Encoding="chunked")], FILE, FILE, [None],
    ),
    "range ignored, same ETag": ([whole(cut=4000), whole()], FILE, FILE, [None, "4000-"]),
    "range ignored, no ETag": (
        [whole(etag=None, cut=4000), whole(etag=None)], FILE, FILE, [None, None],
    ),
    "no ETag at first, then one": (
        [whole(etag=None, cut=4000), whole(cut=6000), part(6000)],
        FILE, FILE, [None, None, "6000-"],
    ),
    "an ETag at first, then none": (
        [whole(cut=4000), whole(etag=None)], FILE, CHANGED, [None, "4000-"],
    ),
    "changed, no ETag": (
        [whole(etag=None, cut=4000), whole(OTHER, etag=None)], OTHER, CHANGED, [None, None],
    ),
    "changed, no ETag, another length": (
        [whole(etag=None, cut=4000), whole(FILE + b"!", etag=None)],
        FILE + b"!", CHANGED, [None, None],
    ),
    "changed, If-Range honoured": (
        [whole(cut=4000), whole(OTHER, OTHER_ETAG)], OTHER, CHANGED, [None, "4000-"],
    ),
    "changed, If-Range ignored": (
        [whole(cut=4000), part(4000, etag=OTHER_ETAG, body=OTHER), whole(OTHER, OTHER_ETAG)],
        OTHER, CHANGED, [None, "4000-", None],
    ),
    "changed, only the total differs": (
        [whole(cut=4000), part(4000, total=N + 1), whole()], FILE, CHANGED, [None, "4000-", None],
    ),
    "a weak ETag": (
        [whole(etag='W/"x"', cut=4000), whole(etag='W/"x"')], FILE, FILE, [None, None],
    ),
    "an ETag without quotes": (
        [whole(etag="x", cut=4000), whole(etag="x")], FILE, FILE, [None, None],
    ),
    "a part that begins earlier": ([whole(cut=4000), part(3000)], FILE, FILE, [None, "4000-"]),
    "a part that leaves a gap": (
        [whole(cut=4000), part(5000), whole()], FILE, FILE, [None, "4000-", None],
    ),
    "a part of what is there already": (
        [whole(cut=4000), part(0, 3999), whole()], FILE, FILE, [None, "4000-", None],
    ),
    "a part without a range": (
        [whole(cut=4000), part(4000, Content_Range=""), whole()],
        FILE, FILE, [None, "4000-", None],
    ),
    "a part without an ETag": (
        [whole(cut=4000), part(4000, etag=None), whole()], FILE, FILE, [None, "4000-", None],
    ),
    "parts in several bodies": (
        [whole(cut=4000), part(4000, Content_Range="", Content_Type="multipart/x"), whole()],
        FILE, FILE, [None, "4000-", None],
    ),
    "a part that nobody asked for": ([part(0)], FAILED, FAILED, [None]),
    "a part of an unknown whole": (
        [whole(cut=4000), part(4000, total="*")], FILE, FILE, [None, "4000-"],
    ),
    "a shorter part": (
        [whole(cut=4000), part(4000, 5999), part(6000)], FILE, FILE, [None, "4000-", "6000-"],
    ),
    "416, but all is there": (
        [whole(cut=N, **CHUNKED), status(416, Content_Range=f"bytes */{N}")],
        FILE, FILE, [None, f"{N}-"],
    ),
    "416, and the file is shorter": (
        [whole(cut=4000), status(416, Content_Range="bytes */3000"), whole(OTHER, OTHER_ETAG)],
        OTHER, CHANGED, [None, "4000-", None],
    ),
    "416, and what is there shall be all": (
        [whole(cut=4000), status(416, Content_Range="bytes */4000"), whole(OTHER, OTHER_ETAG)],
        OTHER, CHANGED, [None, "4000-", None],
    ),
    "416 without a total": (
        [whole(cut=4000), status(416), whole()], FILE, FILE, [None, "4000-", None],
    ),
    "416 without a range": ([status(416)], FAILED, FAILED, [None]),
    "busy in the middle": (
        [whole(cut=4000), status(503), part(4000)], FILE, FILE, [None, "4000-", "4000-"],
    ),
    "gone in the middle": ([whole(cut=4000), status(404)], MISSING, MISSING, [None, "4000-"]),
    "not found": ([status(404)], MISSING, MISSING, [None]),
    "no content": ([status(204)], FAILED, FAILED, [None]),
    "not implemented": ([status(501)], FAILED, FAILED, [None]),
    "busy for ever": ([status(503)], FAILED, FAILED, [None] * 3),
    "empty for ever": ([whole(b"")], FAILED, FAILED, [None] * 3),
    "empty once": ([whole(b"", etag=None), whole()], FILE, FILE, [None, None]),
    "gzip": ([whole(gzip.compress(FILE), Content_Encoding="gzip")], FILE, FILE, [None]),
    "gzip, cut": (
        [whole(gzip.compress(FILE), Content_Encoding="gzip", cut=50),
         whole(gzip.compress(FILE), Content_Encoding="gzip")],
        FILE, FILE, [None, None],
    ),
    "gzip that ends early": (
        [whole(gzip.compress(FILE)[:-9], Content_Encoding="gzip"),
         whole(gzip.compress(FILE), Content_Encoding="gzip")],
        FILE, FILE, [None, None],
    ),
    "gzip with something behind": (
        [whole(gzip.compress(FILE) + b"!", Content_Encoding="gzip")], CORRUPT, CORRUPT, [None],
    ),
    "another encoding": ([whole(Content_Encoding="br")], CORRUPT, CORRUPT, [None]),
    "a digest that agrees": ([whole(Repr_Digest=f"sha-256=:{digest()}:")], FILE, FILE, [None]),
    "a digest that differs, once": (
        [whole(OTHER, Repr_Digest=f"sha-256=:{digest()}:"),
         whole(Repr_Digest=f"sha-256=:{digest()}:")],
        FILE, CORRUPT, [None, None],
    ),
    "a digest that differs, for ever": (
        [whole(OTHER, Repr_Digest=f"sha-512=:{digest(FILE, 'sha512')}:")],
        CORRUPT, CORRUPT, None,
    ),
    "an MD5 that differs": (
        [whole(OTHER, Content_MD5=digest(FILE, "md5")), whole(Content_MD5=digest(FILE, "md5"))],
        FILE, CORRUPT, [None, None],
    ),
    "a part whose digest differs": (
        [whole(cut=4000),
         part(4000, body=OTHER, Content_Digest=f"sha-256=:{digest(FILE[4000:])}:"), whole()],
        FILE, CORRUPT, [None, "4000-", None],
    ),
    "a part whose digest agrees": (
        [whole(cut=4000), part(4000, Content_Digest=f"sha-256=:{digest(FILE[4000:])}:")],
        FILE, FILE, [None, "4000-"],
    ),
    "a digest of the whole, across a cut": (
        [whole(cut=4000, Repr_Digest=f"sha-256=:{digest()}:"),
         part(4000, body=OTHER), whole(Repr_Digest=f"sha-256=:{digest()}:")],
        FILE, CORRUPT, [None, "4000-", None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", ["file", "iterator"])
@pytest.mark.parametrize("row", TABLE)
def test_what_comes_of_answers(row: str, form: str) -> None:
    answers, of_file, of_iterator, ranges = TABLE[row]
    expected = of_file if form == "file" else of_iterator
    outcome = run(answers, rewindable=form == "file")
    if isinstance(expected, bytes):
        assert outcome.error is None
        assert outcome.passed_on == expected
    else:
        assert type(outcome.error) is expected or (
            expected is FAILED and type(outcome.error) is Transient
        )
        if expected is CHANGED:
            assert FILE.startswith(outcome.passed_on)
    if ranges and (isinstance(expected, bytes) or not isinstance(of_file, bytes)):
        assert outcome.ranges == [one and f"bytes={one}" for one in ranges]
    for asked in outcome.asked:
        assert asked["Accept-Encoding"] == "identity"
        assert asked.get("If-Range") == (ETAG if "Range" in asked else None)


@pytest.mark.parametrize("rewindable", [True, False])
def test_an_attempt_with_progress_is_not_counted(rewindable: bool) -> None:
    cuts = [whole(cut=100), *(part(first, cut=100) for first in range(100, N - 200, 100))]
    outcome = run([*cuts, part(N - 240)], rewindable=rewindable)
    assert (outcome.passed_on, outcome.error) == (FILE, None)
    assert outcome.transfer.patience.attempts == len(cuts) + 1 > 90


@pytest.mark.parametrize("rewindable", [True, False])
def test_the_same_part_again_is_no_progress(rewindable: bool) -> None:
    outcome = run([whole(etag=None, cut=4000)], rewindable=rewindable)
    assert type(outcome.error) is Transient
    assert len(outcome.asked) == 4


@pytest.mark.parametrize("rewindable", [True, False])
def test_parts_that_make_no_sense_are_not_asked_for_for_ever(rewindable: bool) -> None:
    for odd in (part(5000), part(4000, Content_Range=""), status(416)):
        outcome = run([whole(cut=4000), odd, whole(cut=5000), odd], rewindable=rewindable)
        assert type(outcome.error) is FAILED
        assert outcome.ranges == [None, "bytes=4000-", None, None]


@pytest.mark.parametrize("rewindable", [True, False])
@pytest.mark.parametrize(
    "answer",
    [whole(FILE + b"!", etag=None), part(4000, total=N + 1), whole(FILE[:-1], etag=None)],
)
def test_another_length_than_lims_has_is_refused(answer: Answer, rewindable: bool) -> None:
    begins = {"version": Version(ETAG), "offset": 4000} if answer.status == 206 else {}
    outcome = run([answer], rewindable=rewindable, size=N, **begins)
    assert type(outcome.error) is CORRUPT
    assert len(outcome.asked) == 1


@pytest.mark.parametrize("rewindable", [True, False])
def test_the_length_in_lims_tells_that_a_body_without_one_was_cut(rewindable: bool) -> None:
    short = whole(FILE[:4000], **UNFRAMED)
    outcome = run([short, part(4000)], rewindable=rewindable, size=N)
    assert outcome.passed_on == FILE
    assert outcome.ranges == [None, "bytes=4000-"]
    for_ever = run([whole(FILE[:4000], etag=None, **UNFRAMED)], rewindable=rewindable, size=N)
    assert type(for_ever.error) is Transient
    assert len(for_ever.asked) == 4
    more = run([whole(FILE + b"!", **CHUNKED)], rewindable=rewindable, size=N)
    assert type(more.error) is CORRUPT


@pytest.mark.parametrize("rewindable", [True, False])
def test_the_format_tells_that_a_body_without_a_length_was_cut(rewindable: bool) -> None:
    written = BytesIO()
    np.save(written, np.arange(1000))
    array = written.getvalue()
    answers = [
        whole(array[:4000], **UNFRAMED),
        part(4000, len(array) - 1, body=array, total="*"),  # which may be all, or may not
        status(416, Content_Range=f"bytes */{len(array)}"),
    ]
    outcome = run(answers, rewindable=rewindable, filename="a.npy")
    assert outcome.passed_on == array
    assert outcome.ranges == [None, "bytes=4000-", f"bytes={len(array)}-"]
    # Chunks that come to their end are believed here: on disk the structure is looked at again.
    assert (
        run([whole(array[:4000], **CHUNKED)], rewindable=rewindable, filename="a.npy").error is None
    )


@pytest.mark.parametrize("filename", ["a.nwb", "a.npy", "a.tif", "table.csv"])
def test_a_page_in_the_place_of_a_file_is_refused_at_once(filename: str) -> None:
    page = b"<!DOCTYPE html><html>Please log in</html>"
    outcome = run([whole(page)], rewindable=False, filename=filename)
    assert type(outcome.error) is CORRUPT
    assert outcome.passed_on == b""
    assert run([whole(page)], rewindable=False, filename="a.html").error is None
    assert type(run([whole(page)], rewindable=False).error) is CORRUPT


@pytest.mark.parametrize("step", [1, 3, 7, 8, 9, 1000])
def test_a_beginning_that_comes_in_drops_is_checked(step: int) -> None:
    start = b"\x93NUMPY" + b"\1\0" + b"x" * 100
    wrong = b"\x93NUMBY" + b"\1\0" + b"x" * 100
    outcome = run([whole(wrong)], rewindable=False, filename="a.npy", step=step)
    assert type(outcome.error) is CORRUPT
    assert len(outcome.passed_on) < 6
    assert run([whole(start)], rewindable=False, filename="a.npy", step=step).error is None


def test_what_it_took_is_counted() -> None:
    transfer = run(
        [whole(cut=4000), part(4000, cut=1000), whole(OTHER, OTHER_ETAG)], rewindable=True
    ).transfer
    assert transfer.received == 4000 + 1000 + N
    assert transfer.restarts == 1
    assert transfer.patience.attempts == 3


def test_a_deadline_and_a_floor_hold_for_the_pieces() -> None:
    artifact, clock = Artifact("files/7"), iter(range(0, 1000, 5))
    hasty = ArtifactSettings(timeout=12)
    transfer = Transfer("", artifact, hasty, rewindable=True, clock=clock.__next__)
    transfer.fields()
    transfer.answer(200, "", CaseInsensitiveDict(whole().fields))
    transfer.feed(FILE[:10], 5.0)
    transfer.feed(FILE[10:20], 5.0)
    with pytest.raises(ArtifactTransferError, match="timeout=12"):
        transfer.feed(FILE[20:30], 5.0)
    slow = Transfer("", artifact, ArtifactSettings(read_timeout=10), rewindable=True)
    slow.fields()
    slow.answer(200, "", CaseInsensitiveDict(whole().fields))
    slow.feed(FILE[:10], 9.0)
    with pytest.raises(Transient, match="min_bytes_per_second"):
        slow.feed(FILE[10:20], 2.0)


def test_what_shows_that_the_file_is_whole() -> None:
    evidence = {
        "Content-Length": whole(),
        "chunked framing": whole(**CHUNKED),
        "CRC-32 of gzip": whole(gzip.compress(FILE), Content_Encoding="gzip"),
    }
    for shown, answer in evidence.items():
        assert run([answer], rewindable=True).transfer.evidence == [shown]
    assert run([whole(**UNFRAMED)], rewindable=True).transfer.evidence == []
    nothing_left = [whole(cut=N, **CHUNKED), status(416, Content_Range=f"bytes */{N}")]
    assert run(nothing_left, rewindable=True).transfer.evidence[-1] == "Content-Range"
    assert run([whole()], rewindable=True, size=N).transfer.evidence[1:] == ["size in LIMS"]
    digests = whole(
        Repr_Digest=f"sha-256=:{digest()}:, sha-512=:{digest(FILE, 'sha512')}:",
        Content_MD5=digest(FILE, "md5"),
    )
    assert run([digests], rewindable=True).transfer.evidence[1:] == [
        "Content-MD5 (md5)", "Repr-Digest (sha256)", "Repr-Digest (sha512)",
    ]  # fmt: skip


def test_that_a_file_is_empty_is_believed_to_lims() -> None:
    for answer in (whole(b""), whole(b"", **CHUNKED), whole(b"", **UNFRAMED)):
        outcome = run([answer], rewindable=True, size=0)
        assert (outcome.passed_on, outcome.error) == (b"", None)


def test_a_download_that_is_there_as_a_whole_asks_for_nothing() -> None:
    artifact = Artifact("files/7", size=N)
    transfer = Transfer("", artifact, PATIENT, rewindable=True, version=Version(ETAG, N), offset=N)
    assert transfer.complete
    assert transfer.evidence == ["size of its version", "size in LIMS"]


def test_a_span_is_read_by_parts_of_one_version() -> None:
    span = {"rewindable": False, "offset": 2000, "stop": 5000}
    outcome = run([part(2000, 4999, cut=1000), part(3000, 4999)], **span)
    assert outcome.passed_on == FILE[2000:5000]
    assert outcome.ranges == ["bytes=2000-4999", "bytes=3000-4999"]
    assert [asked.get("If-Range") for asked in outcome.asked] == [None, ETAG]
    more = run([part(2000, 5999)], **span)
    assert more.passed_on == FILE[2000:5000]
    for answer, error in (
        (whole(), FAILED),
        (part(2000, 4999, etag=None), FAILED),
        (part(2000, 4999, etag=OTHER_ETAG), CHANGED),
        (whole(OTHER, OTHER_ETAG), CHANGED),
    ):
        refused = run([answer], version=Version(ETAG, N), **span)
        assert type(refused.error) is error
    beyond = run([part(N - 10)], rewindable=False, offset=N - 10, stop=N + 10)
    assert beyond.passed_on == FILE[-10:]


@st.composite
def answers_of_a_bad_server(draw: st.DrawFn) -> Answer:
    """Draw any answer, of two versions of a file, that a server may give."""
    body, etag = draw(st.sampled_from([(FILE, ETAG), (OTHER, OTHER_ETAG), (FILE, None)]))
    cut = draw(st.none() | st.integers(0, N))
    kind = draw(st.sampled_from(["whole", "chunks", "part", "odd part", "status"]))
    if kind == "whole":
        return whole(body, etag, cut)
    if kind == "chunks":
        return whole(body, etag, cut, **CHUNKED)
    if kind == "status":
        return status(draw(st.sampled_from([206, 404, 416, 429, 500, 503])))
    first = draw(st.integers(0, N - 1))
    last = draw(st.integers(first, N - 1))
    total = draw(st.sampled_from([N, N, "*", N + 5])) if kind == "odd part" else N
    return part(first, last, etag=etag, body=body, total=total, cut=cut)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of many answers
@settings(deadline=None, max_examples=4 * settings.default.max_examples)
@given(st.lists(answers_of_a_bad_server(), min_size=1, max_size=8), st.booleans())
def test_two_versions_are_never_mixed(answers: list[Answer], rewindable: bool) -> None:
    outcome = run([*answers, status(404)], rewindable=rewindable, step=777)
    if outcome.error is None:
        assert any(outcome.passed_on == version for version in (FILE, OTHER))
    elif not rewindable:
        assert FILE.startswith(outcome.passed_on) or OTHER.startswith(outcome.passed_on)
