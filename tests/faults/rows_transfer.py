"""Rows 1 to 10: bodies that break off, and parts that are not those that were asked for."""

from __future__ import annotations

from dataclasses import replace

from .contents import FIRST, NPY, TEXT, TIFF, Version
from .replies import Script, broken, honest, marked, plain_or_ranged, shifted, whole
from .scenarios import Must, Scenario, case

__all__ = ["BARE", "CUT", "GIVES_UP", "GONE", "RESTARTED", "RESUMED", "TRANSFER", "N"]

N = 1_300_077  # where bodies are cut: no multiple of anything
BARE = replace(FIRST, etag=None)
GONE = "ArtifactTransferError"
RESUMED = Must(gives=FIRST, requests=2, ranges=(None, N))
RESTARTED = Must(gives=FIRST, requests=2, ranges=(None, None))
RESTARTED_LATE = Must(gives=FIRST, requests=3, ranges=(None, N, None))
GIVES_UP = Must(raises=GONE, at_most=12)
CUT, CUT_BARE = broken(honest(), N), broken(honest(BARE), N)
STEP = 100_000
IN_STEPS = (None, *range(STEP, len(FIRST), STEP))
MULTIPART = marked(shifted(), Content_Range=None, Content_Type="multipart/byteranges; boundary=x")


def _unannounced(version: Version, at: int = N) -> Script:
    """Script a body without a length that ends early, and then one that does not."""
    full = marked(honest(version))
    return (
        lambda request: replace(full(request), framing="close", cut=at),
        lambda request: replace(full(request), framing="close"),
    )


def _chunked(version: Version, at: int) -> Script:
    full = honest(version)
    return (broken(full, at, framing="chunked"), full)


def _with_both(announced: int, **changes: object) -> Script:
    return (whole(framing="both", announced=announced, **changes), honest())


CUTS = (
    case(1, "strong ETag", CUT, honest(), must=RESUMED),
    case(1, "no validator", CUT_BARE, honest(BARE), must=RESTARTED),
    case(
        1,
        "twice",
        CUT,
        broken(honest(), 700_000),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, N + 700_000)),
    ),
    case(1, "before the first byte", broken(honest(), 0), honest(), must=RESTARTED),
    case(
        1,
        "before the last byte",
        broken(honest(), len(FIRST) - 1),
        honest(),
        must=Must(gives=FIRST, requests=2, ranges=(None, len(FIRST) - 1)),
    ),
    case(2, "strong ETag", broken(honest(), N, "reset"), honest(), must=RESUMED),
    case(2, "no validator", broken(honest(BARE), N, "reset"), honest(BARE), must=RESTARTED),
    case(
        3,
        "strong ETag",
        broken(honest(), STEP),
        must=Must(gives=FIRST, requests=len(IN_STEPS), ranges=IN_STEPS),
    ),
    case(
        3,
        "no validator",
        *[broken(honest(BARE), n * 200_000) for n in range(1, 12)],
        honest(BARE),
        must=Must(gives=FIRST, requests=12, ranges=(None,) * 12),
    ),
    case(
        4,
        "strong ETag",
        CUT,
        broken(honest(), 0),
        file=Must(raises=GONE, requests=5, ranges=(None, N, N, N, N), keeps=N),
        stream=Must(raises=GONE, requests=5, ranges=(None, N, N, N, N), delivers=N),
    ),
    case(4, "no validator", CUT_BARE, must=Must(raises=GONE, requests=5, ranges=(None,) * 5)),
    case(4, "Range ignored", broken(whole(), N), must=Must(raises=GONE, requests=5)),
)
UNFRAMED = (
    case(
        5,
        "size from LIMS",
        *_unannounced(TEXT),
        wanted=TEXT,
        size=len(TEXT),
        must=replace(RESUMED, gives=TEXT, verified=True),
        partial=(TEXT,),
    ),
    *[
        case(
            5,
            f"{version.kind} tells",
            *_unannounced(version),
            wanted=version,
            must=replace(RESTARTED, gives=version, verified=True),
            partial=(version,),
        )
        for version in (
            BARE,
            replace(BARE, kind="hdf5 v2"),
            replace(BARE, kind="hdf5 v3"),
            replace(NPY, etag=None),
            replace(TIFF, etag=None),
        )
    ],
    case(
        5,
        "HDF5 tells, strong ETag",
        *_unannounced(FIRST),
        must=replace(RESUMED, verified=True),
    ),
    case(5, "cut in the first header", *_unannounced(BARE, 30), must=RESTARTED),
    case(5, "always", _unannounced(BARE)[0], must=Must(raises=GONE, requests=5)),
    case(
        5,
        "whole, of no known format",
        _unannounced(TEXT)[1],
        wanted=TEXT,
        must=Must(gives=TEXT, requests=1, verified=False),
        partial=(TEXT,),
    ),
    case(6, "within a chunk", *_chunked(FIRST, N), must=RESUMED),
    case(
        6,
        "between chunks",
        *_chunked(FIRST, 20 * 65536),
        must=replace(RESUMED, ranges=(None, 20 * 65536)),
    ),
    case(6, "no validator", *_chunked(BARE, N), must=RESTARTED),
    case(6, "no validator, between chunks", *_chunked(BARE, 20 * 65536), must=RESTARTED),
    case(6, "always", _chunked(BARE, N)[0], must=Must(raises=GONE, requests=5)),
    case(7, "too short a length", *_with_both(1000), must=Must(gives=FIRST, raises=GONE)),
    case(7, "too long a length", *_with_both(9_999_999), must=Must(gives=FIRST, raises=GONE)),
    case(
        7, "cut", *_with_both(len(FIRST), cut=N, end="close"), must=Must(gives=FIRST, raises=GONE)
    ),
)
PARTS = (
    case(8, "strong ETag", CUT, whole(), must=RESUMED),
    case(8, "no validator", CUT_BARE, whole(BARE), must=RESTARTED),
    case(
        8,
        "cut further on",
        CUT,
        broken(whole(), 2 * N),
        whole(),
        must=Must(gives=FIRST, requests=3),
    ),
    case(
        8,
        "cut before what was there",
        CUT,
        broken(whole(), N // 2),
        whole(),
        must=Must(gives=FIRST, requests=3),
    ),
    case(9, "an overlap", CUT, shifted(by=-1000), must=RESUMED),
    case(9, "from the beginning", CUT, shifted(by=-N), must=RESUMED),
    case(9, "a gap", CUT, shifted(by=1000), honest(), must=RESTARTED_LATE),
    case(9, "always a gap", plain_or_ranged(CUT, shifted(by=1000)), must=GIVES_UP),
    case(
        9,
        "a length that is not the range's",
        CUT,
        lambda request: replace(shifted()(request), body=FIRST.data[N : N + 1000]),
        honest(),
        must=Must(gives=FIRST, at_most=3),
    ),
    case(10, "once", CUT, marked(honest(), Content_Range=None), honest(), must=RESTARTED_LATE),
    case(
        10,
        "from the beginning",
        CUT,
        marked(shifted(by=-N), Content_Range=None),
        honest(),
        must=RESTARTED_LATE,
    ),
    case(10, "always", plain_or_ranged(CUT, marked(honest(), Content_Range=None)), must=GIVES_UP),
    case(10, "several parts", CUT, MULTIPART, honest(), must=RESTARTED_LATE),
    case(
        10,
        "one that makes no sense",
        CUT,
        marked(honest(), Content_Range="bytes 9-5/3"),
        honest(),
        must=RESTARTED_LATE,
    ),
    case(
        10,
        "no part was asked for",
        marked(shifted(by=1000), Content_Range=None),
        honest(),
        must=Must(gives=FIRST, raises=GONE),
    ),
)
TRANSFER: tuple[Scenario, ...] = (*CUTS, *UNFRAMED, *PARTS)
