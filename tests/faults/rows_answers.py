"""Rows 18 to 25: answers that come late, not at all, or are not the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from .contents import FIRST, NPY, TIFF
from .replies import Reply, Request, broken, dripping, honest, marked, page, silent, stalled, whole
from .rows_transfer import BARE, CUT, GONE, RESTARTED, RESUMED, N
from .scenarios import Must, case

__all__ = ["ANSWERS"]

QUICK = {"read_timeout": 0.3, "attempts": 2}
AGAIN = Must(gives=FIRST, requests=2, ranges=(None, None))
NEVER = Must(raises=GONE, requests=2, delivers=0)
REFUSED = Must(raises="ArtifactNotFoundError", requests=1, delivers=0)
NOT_THE_FILE = Must(raises="ArtifactCorruptError", at_most=4, delivers=0)
A_SECOND = {1: (0.95, 30.0)}
CAPPED = {1: (0.3, 30.0)}


def _later(request: Request) -> Reply:
    """Ask for patience until a date, which has whole seconds: this is 0.3 to 1.3 of them ahead."""
    then = datetime.now(timezone.utc) + timedelta(seconds=1.3)
    return page(503, Retry_After=format_datetime(then, usegmt=True))(request)


SLOW = (
    case(18, "strong ETag", stalled(honest(), N), honest(), must=RESUMED, settings=QUICK),
    case(
        18, "no validator", stalled(honest(BARE), N), honest(BARE), must=RESTARTED, settings=QUICK
    ),
    case(
        18,
        "for ever",
        stalled(honest(), N),
        stalled(honest(), 0),
        must=Must(raises=GONE, requests=3, keeps=N, delivers=N),
        settings=QUICK,
    ),
    case(
        19,
        "once",
        dripping(honest(), N),
        honest(),
        must=Must(gives=FIRST, requests=2),
        settings=QUICK,
    ),
    case(
        19,
        "from the first byte",
        dripping(honest(BARE), 0),
        honest(BARE),
        must=AGAIN,
        settings=QUICK,
    ),
    case(
        19,
        "for ever",
        dripping(honest(), N),
        dripping(honest(), 0),
        must=Must(raises=GONE, at_most=5),
        settings=QUICK,
    ),
    case(
        19,
        "until the deadline",
        dripping(honest(), N),
        must=Must(raises=GONE, requests=1, within=20),
        settings={"timeout": 0.4, "min_bytes_per_second": 1},
    ),
    case(20, "once", stalled(honest()), honest(), must=AGAIN, settings=QUICK),
    case(20, "for ever", stalled(honest()), must=NEVER, settings=QUICK),
    case(
        20,
        "in mid-file",
        CUT,
        stalled(honest()),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, N)),
        settings=QUICK,
    ),
    case(
        20,
        "one that drips",
        dripping(honest()),
        honest(),
        must=replace(AGAIN, within=5),
        settings=QUICK,
    ),
    case(
        20,
        "one that drips for ever",
        dripping(honest()),
        must=replace(NEVER, within=5),
        settings=QUICK,
    ),
    case(20, "the server hangs up", silent(), honest(), must=AGAIN),
    case(20, "the server always hangs up", silent(), must=Must(raises=GONE, requests=4)),
)
TWICE = (
    case(
        20,
        "the server hangs up after a file",
        broken(honest(), len(FIRST)),
        must=Must(gives=FIRST, requests=2),
        times=2,
    ),
    case(
        20,
        "the server hangs up on the second file",
        honest(),
        silent(),
        honest(),
        must=Must(gives=FIRST, requests=3),
        times=2,
    ),
)
BUSY = (
    case(
        21,
        "seconds",
        page(429, Retry_After="1"),
        honest(),
        must=replace(AGAIN, waits=A_SECOND),
    ),
    case(21, "a date", _later, honest(), must=replace(AGAIN, waits={1: (0.25, 30.0)})),
    case(
        21,
        "in mid-file",
        CUT,
        page(503, Retry_After="1"),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, N), waits={2: (0.95, 30.0)}),
    ),
    case(
        21,
        "an hour, capped",
        page(503, Retry_After="3600"),
        honest(),
        must=replace(AGAIN, waits=CAPPED),
        settings={"max_retry_after": 0.3},
    ),
    case(
        21,
        "a date long ago",
        page(429, Retry_After="Thu, 01 Jan 2026 00:00:00 GMT"),
        honest(),
        must=AGAIN,
    ),
    case(21, "nonsense", page(429, Retry_After="soon"), honest(), must=AGAIN),
    case(
        21, "for ever", page(503, Retry_After="0"), must=Must(raises=GONE, requests=4, delivers=0)
    ),
    case(
        22,
        "each once",
        page(500),
        page(502),
        page(504),
        honest(),
        must=Must(gives=FIRST, requests=4),
    ),
    case(
        22,
        "in mid-file",
        CUT,
        page(502),
        honest(),
        must=Must(gives=FIRST, requests=3, ranges=(None, N, N)),
    ),
    *[
        case(22, f"{status} for ever", page(status), must=Must(raises=GONE, requests=4, delivers=0))
        for status in (500, 502, 504)
    ],
    *[case(23, str(status), page(status), must=REFUSED) for status in (401, 403, 404, 410)],
    case(
        23,
        "404 in mid-file",
        CUT,
        page(404),
        must=Must(raises="ArtifactNotFoundError", requests=2, delivers=N),
    ),
)
PAGES = (
    *[
        case(24, f"instead of {version.kind}", page(200), must=NOT_THE_FILE, wanted=version)
        for version in (FIRST, NPY, TIFF)
    ],
    case(24, "in small pieces", dripping(page(200), 1, pause=0.01), must=NOT_THE_FILE),
    case(24, "size from LIMS", page(200), must=NOT_THE_FILE, size=len(FIRST)),
    case(
        24,
        "without a length",
        lambda request: replace(page(200)(request), framing="close"),
        must=NOT_THE_FILE,
    ),
    case(
        24,
        "in mid-file",
        CUT,
        page(200),
        file=replace(NOT_THE_FILE, delivers=None),
        stream=Must(raises=("ArtifactChangedError", "ArtifactCorruptError"), delivers=N),
    ),
    case(
        24,
        "of the right length",
        page(200, b"<html>" + bytes(len(FIRST) - 6)),
        must=NOT_THE_FILE,
        size=len(FIRST),
    ),
    case(
        24,
        "only by its type",
        marked(whole(), Content_Type="text/html"),
        must=Must(gives=FIRST, requests=1),
    ),
    case(25, "once", page(200, b""), honest(), must=AGAIN),
    case(
        25,
        "without a length",
        lambda request: replace(page(200, b"")(request), framing="close"),
        honest(),
        must=AGAIN,
    ),
    case(25, "for ever", page(200, b""), must=Must(raises=GONE, requests=4, delivers=0)),
    case(
        25,
        "in mid-file",
        CUT,
        page(200, b""),
        honest(),
        file=Must(gives=FIRST, at_most=3),
        stream=Must(gives=FIRST, raises="ArtifactChangedError", at_most=3),
    ),
)
ANSWERS = (*SLOW, *TWICE, *BUSY, *PAGES)
