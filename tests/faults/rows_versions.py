"""Rows 11 to 17: what changes under way, and what says less than it seems to."""

from __future__ import annotations

from dataclasses import replace

from .contents import FIRST, LONGER, SECOND, SHORTER, TEXT, Version
from .replies import Step, beyond, broken, honest, marked, plain_or_ranged, shifted, whole
from .rows_transfer import BARE, CUT, GIVES_UP, RESTARTED, RESUMED, N
from .scenarios import Must, Scenario, case

__all__ = ["CHANGED", "STALE", "VERSIONS"]

CHANGED = "ArtifactChangedError"
STALE = Must(raises=CHANGED, delivers=N)
NEW = Must(gives=SECOND, requests=2, ranges=(None, N))
NEW_LATE = Must(gives=SECOND, requests=3, ranges=(None, N, None))
SAME_TAG = replace(LONGER, etag=FIRST.etag)
# Two versions of one second: as a validator its date is weak (RFC 9110, 8.8.2.2).
DATED = replace(BARE, last_modified="Thu, 01 Jan 2026 00:00:00 GMT")
WEAK = replace(FIRST, etag='W/"first"')
UNASKED = {"requests": 2, "ranges": (None, None)}  # no part was asked for


def _hasty(version: Version) -> Step:
    return honest(version, heeds_if_range=False)


def _unseen(row: int, name: str, first: Version, second: Version) -> Scenario:
    """Script a change that no validator shows."""
    script = (broken(honest(first), N), _hasty(second))
    return case(row, name, *script, file=Must(gives=second, **UNASKED), stream=STALE)


SEEN = (
    case(11, "to the same size", CUT, honest(SECOND), file=NEW, stream=STALE),
    case(11, "to a longer one", CUT, honest(LONGER), file=replace(NEW, gives=LONGER), stream=STALE),
    case(
        11,
        "to a shorter one",
        CUT,
        honest(SHORTER),
        file=replace(NEW, gives=SHORTER),
        stream=STALE,
    ),
    case(
        11,
        "and the new one is cut too",
        CUT,
        broken(honest(SECOND), 500_000),
        honest(SECOND),
        file=Must(gives=SECOND, requests=3, ranges=(None, N, 500_000)),
        stream=STALE,
    ),
    case(
        11,
        "to one without a validator",
        CUT,
        whole(replace(SECOND, etag=None)),
        file=NEW,
        stream=STALE,
    ),
    case(12, "another ETag", CUT, _hasty(SECOND), file=NEW_LATE, stream=STALE),
    case(
        12,
        "and a longer one",
        CUT,
        _hasty(LONGER),
        file=replace(NEW_LATE, gives=LONGER),
        stream=STALE,
    ),
    case(
        12,
        "no ETag",
        CUT,
        marked(_hasty(SECOND), ETag=None),
        whole(SECOND),
        file=NEW_LATE,
        stream=STALE,
    ),
    case(
        12,
        "at every answer",
        CUT,
        _hasty(SECOND),
        CUT,
        _hasty(SECOND),
        broken(_hasty(SECOND), N),
        _hasty(FIRST),
        honest(FIRST),
        file=Must(gives=(FIRST, SECOND), raises="ArtifactTransferError", at_most=8),
        stream=STALE,
    ),
    case(
        14,
        "a longer one",
        CUT,
        _hasty(SAME_TAG),
        file=replace(NEW_LATE, gives=SAME_TAG),
        stream=STALE,
    ),
    case(
        14,
        "a longer one, Range ignored",
        CUT,
        whole(SAME_TAG),
        file=replace(NEW, gives=SAME_TAG),
        stream=STALE,
    ),
    case(
        14,
        "a shorter one",
        CUT,
        _hasty(replace(SHORTER, etag=FIRST.etag)),
        file=replace(NEW_LATE, gives=replace(SHORTER, etag=FIRST.etag)),
        stream=STALE,
    ),
)
UNSEEN = (
    _unseen(13, "to the same size", BARE, replace(SECOND, etag=None)),
    _unseen(13, "to a longer one", BARE, replace(LONGER, etag=None)),
    _unseen(13, "to a shorter one", BARE, replace(SHORTER, etag=None)),
    _unseen(13, "within the second of Last-Modified", DATED, replace(DATED, seed=2)),
    case(13, "not changed", broken(honest(DATED), N), _hasty(DATED), must=RESTARTED),
    case(15, "not changed", broken(honest(WEAK), N), _hasty(WEAK), must=RESTARTED),
    _unseen(15, "changed", WEAK, replace(WEAK, seed=2)),
)
SHORT = (
    case(
        16,
        "ten of them",
        CUT,
        shifted(most=170_000),
        must=Must(gives=FIRST, requests=12, ranges=(None, *range(N, len(FIRST), 170_000))[:12]),
    ),
    case(
        16,
        "one of them, cut",
        CUT,
        broken(shifted(most=170_000), 1000),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, N + 1000)),
    ),
    case(
        16,
        "of an unknown total",
        CUT,
        marked(honest(), Content_Range=f"bytes {N}-{len(FIRST) - 1}/*"),
        must=RESUMED,
    ),
    case(
        17,
        "all is there",
        broken(honest(TEXT), len(TEXT), framing="chunked"),
        honest(TEXT),
        must=Must(gives=TEXT, requests=2, ranges=(None, len(TEXT))),
        wanted=TEXT,
        partial=(TEXT,),
    ),
    case(
        17,
        "another total",
        CUT,
        beyond(SHORTER),
        honest(),
        file=Must(gives=FIRST, requests=3, ranges=(None, N, None)),
        stream=Must(gives=FIRST, raises=CHANGED, at_most=3),
    ),
    case(
        17,
        "half of it is all",
        CUT,
        marked(beyond(), Content_Range=f"bytes */{N}"),
        honest(),
        file=Must(gives=FIRST, requests=3, ranges=(None, N, None)),
        stream=Must(gives=FIRST, raises=CHANGED, at_most=3),
    ),
    case(
        17,
        "no total",
        CUT,
        marked(beyond(), Content_Range=None),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, None)),
    ),
    case(17, "always", plain_or_ranged(CUT, marked(beyond(), Content_Range=None)), must=GIVES_UP),
    case(
        17,
        "though no part was asked for",
        beyond(),
        must=Must(raises="ArtifactTransferError", at_most=4),
    ),
)
VERSIONS = (*SEEN, *UNSEEN, *SHORT)
