"""What a fault server answers: replies as values, and the steps that scripts are made of."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .contents import FIRST, Version

__all__ = [
    "Reply",
    "Request",
    "Script",
    "Step",
    "beyond",
    "broken",
    "dripping",
    "honest",
    "marked",
    "page",
    "part",
    "plain_or_ranged",
    "shifted",
    "silent",
    "stalled",
    "whole",
    "zipped",
]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that has arrived, and what became of it."""

    number: int  # 1 is the first
    at: float  # by time.monotonic
    line: str
    headers: Mapping[str, str]  # by names in small letters
    sent: list[int] = field(default_factory=lambda: [0])  # bytes of the body

    @property
    def offset(self) -> int | None:
        """Where the range begins that is asked for, or None if the whole is."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(wanted[1]) if wanted else None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer: what it says of itself, and how much of it comes, and how it ends."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    framing: str = "length"  # or "chunked", "close", "both"
    announced: int | None = None  # instead of the body's length
    cut: int | None = None  # bytes of the body that are sent before the end
    end: str = "keep"  # or "close", "reset", "stall", "drip"
    head: str = "whole"  # or "none" (hang up), "stall", "drip"
    pause: float = 0.05  # seconds between two dripping bytes
    pace: float = 0  # seconds after each 64 KiB
    after: bytes = b""  # follows the body, beyond what was announced

    @property
    def arriving(self) -> bytes:
        """The part of the body that is sent at full speed."""
        return self.body if self.cut is None else self.body[: self.cut]


Step = Callable[[Request], Reply]
Script = tuple[Step, ...]  # the n-th answers the n-th request, and the last all further ones


def whole(version: Version = FIRST, **changes: object) -> Step:
    """Answer with all of it, whatever part is asked for."""
    return lambda _: replace(_about(version), body=version.data, **changes)


def part(version: Version, begin: int, end: int | None = None) -> Reply:
    """Return a part of it, said to be what it is."""
    body = version.data[begin:end]
    about = _about(version)
    place = f"bytes {begin}-{begin + len(body) - 1}/{len(version)}"
    return replace(about, status=206, body=body, headers={**about.headers, "Content-Range": place})


def honest(version: Version = FIRST, *, heeds_if_range: bool = True) -> Step:
    """Answer as RFC 9110 wants it: the part that is asked for if If-Range holds, else all."""

    def answer(request: Request) -> Reply:
        condition = request.headers.get("if-range", version.etag)
        fails = heeds_if_range and (condition != version.etag or str(condition).startswith("W/"))
        if request.offset is None or fails:
            return whole(version)(request)
        if request.offset >= len(version):
            return beyond(version)(request)
        return part(version, request.offset)

    return answer


def shifted(version: Version = FIRST, by: int = 0, most: int | None = None) -> Step:
    """Answer with another part than the one that is asked for, or with less of it."""

    def answer(request: Request) -> Reply:
        begin = (request.offset or 0) + by
        return part(version, begin, None if most is None else begin + most)

    return answer


def beyond(version: Version = FIRST) -> Step:
    """Answer that there is nothing there to send."""
    return lambda _: Reply(status=416, headers={"Content-Range": f"bytes */{len(version)}"})


def broken(step: Step, at: int, end: str = "close", **changes: object) -> Step:
    """Answer so, but end at this byte of the body."""
    return lambda request: replace(step(request), cut=at, end=end, **changes)


def stalled(step: Step, at: int | None = None) -> Step:
    """Answer so, but send no more after this byte, or nothing at all."""
    if at is None:
        return lambda request: replace(step(request), head="stall")
    return broken(step, at, "stall")


def dripping(step: Step, at: int | None = None, pause: float = 0.05) -> Step:
    """Answer so, but one byte at a time after this one, or from the header on."""
    if at is None:
        return lambda request: replace(step(request), head="drip", pause=pause)
    return broken(step, at, "drip", pause=pause)


def marked(step: Step, **headers: str | None) -> Step:
    """Answer so, with other header fields; None takes one away."""

    def answer(request: Request) -> Reply:
        reply = step(request)
        changed = {**reply.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return replace(reply, headers={k: v for k, v in changed.items() if v is not None})

    return answer


def page(status: int, body: bytes = b"<html><body>No.</body></html>", **headers: str) -> Step:
    """Answer with a page for people instead of the file."""
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda _: Reply(status=status, body=body, headers={"Content-Type": "text/html", **named})


def plain_or_ranged(plain: Step, ranged: Step) -> Step:
    """Answer by whether a part is asked for."""
    return lambda request: (plain if request.offset is None else ranged)(request)


def silent() -> Step:
    """Hang up without an answer."""
    return lambda _: Reply(head="none")


def zipped(request: Request, *, always: bool = False) -> Reply:
    """Answer with gzip where it is allowed, or always."""
    allowed = "gzip" in request.headers.get("accept-encoding", "gzip")
    step = whole(replace(FIRST, etag='"zipped"')) if allowed or always else honest()
    reply = step(request)
    if not (allowed or always):
        return reply
    body = gzip.compress(reply.body, compresslevel=1, mtime=0)
    return replace(reply, body=body, headers={**reply.headers, "Content-Encoding": "gzip"})


def _about(version: Version) -> Reply:
    headers = {"Content-Type": "application/octet-stream"}
    if version.etag is not None:
        headers["ETag"] = version.etag
    if version.last_modified is not None:
        headers["Last-Modified"] = headers["Date"] = version.last_modified
    return Reply(headers=headers)
