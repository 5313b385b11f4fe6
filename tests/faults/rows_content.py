"""Rows 26 to 30: encodings, redirects, digests, and more than was announced."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

from .contents import FIRST, Version, in_base64
from .replies import Reply, Request, Step, broken, honest, marked, page, shifted, whole, zipped
from .rows_transfer import BARE, CUT, GONE, N
from .scenarios import Must, case

__all__ = ["CONTENT"]

ONCE = Must(gives=FIRST, requests=1)
FLIPPED = replace(FIRST, flipped=2_000_000)
CORRUPT = "ArtifactCorruptError"
EITHER = Must(gives=FIRST, raises=(CORRUPT, GONE), at_most=6)
ZIPPED = partial(zipped, always=True)
LINE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"


def _away(status: int = 302, place: str = "http://{elsewhere}/there") -> Step:
    return page(status, b"", Location=place)


def _promising(step: Step, field: str, of: Version = FIRST) -> Step:
    """Answer so, with a digest of the whole."""
    value = in_base64(hashlib.new("md5" if field == "Content-MD5" else "sha256", of.data).digest())
    return marked(step, **{field: value if field == "Content-MD5" else f"sha-256=:{value}:"})


def _with_digest_of_part(request: Request, *, version: Version = FIRST) -> Reply:
    """Answer with a part, and the digest that it should have."""
    reply = shifted(version)(request)
    right = hashlib.sha256(FIRST.data[request.offset or 0 :]).digest()
    return marked(lambda _: reply, Content_Digest=f"sha-256=:{in_base64(right)}:")(request)


def _zipped_parts(request: Request) -> Reply:
    """Answer with a part of the encoded form."""
    reply = ZIPPED(request)
    if request.offset is None:
        return replace(reply, cut=N, end="close")
    size, left = len(reply.body), reply.body[request.offset :]
    place = f"bytes {request.offset}-{size - 1}/{size}"
    return replace(reply, status=206, body=left, headers={**reply.headers, "Content-Range": place})


ENCODED = (
    case(26, "once", zipped, must=ONCE),
    case(
        26,
        "in mid-file",
        lambda r: replace(zipped(r), cut=N, end="close"),
        zipped,
        must=Must(gives=FIRST, requests=2, ranges=(None, N)),
    ),
    case(27, "whole", ZIPPED, must=EITHER),
    case(27, "cut", broken(ZIPPED, N), ZIPPED, must=EITHER),
    case(27, "cut, and continued in the encoded form", _zipped_parts, must=EITHER),
    case(
        27,
        "in mid-file",
        CUT,
        ZIPPED,
        file=EITHER,
        stream=replace(EITHER, raises=(CORRUPT, GONE, "ArtifactChangedError")),
    ),
    case(
        27,
        "without saying so",
        marked(ZIPPED, Content_Encoding=None),
        must=Must(raises=CORRUPT, at_most=4, delivers=0),
    ),
    case(
        27,
        "one that is not known",
        marked(whole(), Content_Encoding="br"),
        must=Must(raises=(CORRUPT, GONE), at_most=4, delivers=0),
    ),
)
SENT_AWAY = (
    *[
        case(28, f"{status} to another host", _away(status), elsewhere=(honest(),), must=ONCE)
        for status in (301, 302, 303, 307, 308)
    ],
    case(28, "to the same host", _away(place="/there"), honest(), must=replace(ONCE, requests=2)),
    case(
        28,
        "to another host that cuts",
        _away(),
        elsewhere=(CUT, honest()),
        must=replace(ONCE, requests=2),
    ),
    case(28, "in a loop", _away(place="/again"), must=Must(raises=GONE, at_most=6)),
    case(
        28,
        "to and fro",
        _away(),
        elsewhere=(_away(place="http://{elsewhere}/back"),),
        must=Must(raises=GONE, at_most=6),
    ),
    case(28, "without a place", marked(_away(), Location=None), must=Must(raises=GONE, at_most=4)),
    case(
        28,
        "to a place of another kind",
        _away(place="file:///etc/passwd"),
        must=Must(raises=GONE, at_most=4),
    ),
)
DIGESTS = (
    *[
        case(
            29,
            f"{field}, once",
            _promising(whole(FLIPPED), field),
            _promising(whole(), field),
            file=Must(gives=FIRST, requests=2, ranges=(None, None), verified_by=field),
            stream=Must(raises=CORRUPT, requests=1),
            partial=(FLIPPED,),
        )
        for field in ("Repr-Digest", "Content-Digest", "Content-MD5")
    ],
    case(
        29,
        "Repr-Digest, always",
        _promising(whole(FLIPPED), "Repr-Digest"),
        file=Must(raises=CORRUPT, requests=2),
        stream=Must(raises=CORRUPT, requests=1),
        partial=(FLIPPED,),
    ),
    case(
        29,
        "a known SHA-256, once",
        whole(FLIPPED),
        whole(),
        file=Must(gives=FIRST, requests=2, verified_by="SHA-256"),
        stream=None,
        partial=(FLIPPED,),
        sha256=FIRST.sha256,
        comparable=False,
    ),
    case(
        29,
        "a known SHA-256, always",
        whole(FLIPPED),
        file=Must(raises=CORRUPT, requests=2),
        stream=None,
        partial=(FLIPPED,),
        sha256=FIRST.sha256,
        comparable=False,
    ),
    case(
        29,
        "in a part, by its Content-Digest",
        CUT,
        partial(_with_digest_of_part, version=FLIPPED),
        whole(),
        file=Must(gives=FIRST, at_most=3),
        stream=Must(raises=CORRUPT, requests=2),
        partial=(FLIPPED,),
    ),
    case(
        29,
        "in a part, by the first Repr-Digest",
        _promising(CUT, "Repr-Digest"),
        honest(FLIPPED),
        _promising(whole(), "Repr-Digest"),
        file=Must(gives=FIRST, requests=3, verified_by="Repr-Digest"),
        stream=Must(raises=CORRUPT, requests=2),
        partial=(FLIPPED,),
    ),
    case(
        29,
        "none, and right digests of a part",
        _promising(CUT, "Repr-Digest"),
        _with_digest_of_part,
        must=Must(gives=FIRST, requests=2, ranges=(None, N), verified_by="Repr-Digest"),
    ),
    case(
        29,
        "none, and a right one",
        _promising(honest(), "Repr-Digest"),
        must=replace(ONCE, verified_by="Repr-Digest"),
    ),
    case(
        29,
        "none, and one of an unknown algorithm",
        marked(honest(), Repr_Digest="blake3=:c29tZXRoaW5n:"),
        must=ONCE,
    ),
)
LONG = (
    case(30, "after a length", whole(after=b"more" * 100), must=Must(gives=FIRST), times=2),
    case(
        30,
        "after the last chunk",
        whole(framing="chunked", after=b"more" * 100),
        must=Must(gives=FIRST),
        times=2,
    ),
    case(30, "what looks like an answer", whole(after=LINE), must=Must(gives=FIRST), times=2),
    case(
        30,
        "than LIMS has",
        whole(),
        size=len(FIRST) - 1,
        comparable=False,
        must=Must(raises=CORRUPT, at_most=4),
        partial=(FIRST,),
    ),
    case(
        30,
        "than LIMS has, without a length",
        lambda r: replace(whole(BARE)(r), framing="close"),
        size=len(FIRST) - 1,
        comparable=False,
        must=Must(raises=CORRUPT, at_most=4),
        partial=(FIRST,),
    ),
    case(
        30,
        "than a part was to have",
        CUT,
        lambda r: replace(shifted()(r), after=b"more"),
        must=Must(gives=FIRST, requests=2, ranges=(None, N)),
    ),
)
CONTENT = (*ENCODED, *SENT_AWAY, *DIGESTS, *LONG)
