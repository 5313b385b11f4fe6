"""The faults that are known, what brings them about, and what must come of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .contents import FIRST, Version
from .replies import Script

__all__ = ["FAULTS", "ROUTE", "Must", "Scenario", "case"]

ROUTE = "well_known_files/download/7?wkf_id=7"

FAULTS = {
    1: "body cut by a clean close",
    2: "body cut by a reset",
    3: "cut on every attempt, some progress each time",
    4: "no progress for ever",
    5: "no Content-Length, closed early",
    6: "chunked body without its last chunk",
    7: "Content-Length and Transfer-Encoding together",
    8: "Range ignored (200)",
    9: "206 from another offset",
    10: "206 without Content-Range",
    11: "content changed, If-Range honoured",
    12: "content changed, If-Range ignored",
    13: "content changed, no validator",
    14: "content changed, only the total differs",
    15: "weak ETag",
    16: "a legal short 206",
    17: "416",
    18: "stall",
    19: "drip",
    20: "no response header",
    21: "429 or 503 with Retry-After",
    22: "500, 502, 504",
    23: "401, 403, 404, 410",
    24: "an HTML page with status 200",
    25: "an empty 200",
    26: "gzip when allowed",
    27: "gzip although identity was asked",
    28: "redirect to another host, or in a loop",
    29: "a flipped bit at the right length",
    30: "more bytes than announced",
    31: "disk full",
    32: "kill -9, restart",
    33: "six processes, one file",
    34: "power loss",
    35: "abandoned, cancelled, Ctrl-C",
    36: "a reader's error",
    37: "file mode",
}


@dataclass(frozen=True, kw_only=True)
class Must:
    """What must come of it: bytes, or an error, or either where both are right."""

    gives: Version | tuple[Version, ...] = ()
    raises: str | tuple[str, ...] = ()
    requests: int | None = None
    at_most: int | None = None  # requests
    ranges: tuple[int | None, ...] | None = None  # where each request's range begins
    waits: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # after the n-th
    within: float | None = None  # seconds, all together
    delivers: int | None = None  # bytes of a stream before its error
    keeps: int | None = None  # bytes of the partial file
    verified: bool | None = None
    verified_by: str = ""  # among others

    @property
    def versions(self) -> tuple[Version, ...]:
        """What may be given."""
        return self.gives if isinstance(self.gives, tuple) else (self.gives,)

    @property
    def errors(self) -> tuple[str, ...]:
        """The names of the errors that may be raised."""
        return self.raises if isinstance(self.raises, tuple) else (self.raises,)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way in which a fault of the table comes about."""

    row: int
    name: str
    script: Script
    file: Must | None
    stream: Must | None  # None where the form does not know the notion
    elsewhere: Script = ()  # of another host
    wanted: Version = FIRST  # tells the artifact's name
    size: int | None = None  # as LIMS has it
    sha256: str | None = None  # as the caller has it
    comparable: bool = True  # without what only we can be told
    partial: tuple[Version, ...] = (FIRST,)  # what delivered bytes may be the beginning of
    times: int = 1  # how often it is fetched by one client
    settings: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.row}, {self.name}"


def case(
    row: int,
    name: str,
    *script: object,
    must: Must | None = None,
    file: Must | None = None,
    stream: Must | None = None,
    **more: object,
) -> Scenario:
    """Return a scenario whose file and stream must do the same unless it is said otherwise."""
    both = {"file": file or must, "stream": stream or must}
    return Scenario(row=row, name=name, script=script, **both, **more)  # type: ignore[arg-type]
