"""Who is measured against whom, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.downloads.server import NO_ETAG, PLAIN, SMALL, WITH_MD5, WITH_SHA256

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MEMORY_TARGET", "RACES", "Contestant", "Race"]

MEMORY_TARGET = 16.0  # MiB above import
_OFF = {"sha256": False}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Somebody who fetches.

    Parameters
    ----------
    name : str
        In the report.
    does : str
        Module and function, as ``ours.download``; empty for curl.
    settings : dict
        Of our client.
    numbers : sequence of int
        The ids of the files.
    target : float, optional
        How fast it must be, as a ratio to the first of its race.
    lean : bool
        Its memory has a target.
    """

    name: str
    does: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    numbers: Sequence[int] = (PLAIN,)
    target: float | None = None
    lean: bool = False


@dataclass(frozen=True, kw_only=True)
class Race:
    """Contestants that are compared.

    Parameters
    ----------
    title : str
        In the report.
    contestants : tuple of Contestant
        The first one is what the others are compared with.
    places : tuple of str
        Where to: ``"disk"``, ``"memory"`` or both; ``"nowhere"`` if nothing is written.
    """

    title: str
    contestants: tuple[Contestant, ...]
    places: tuple[str, ...]


RACES = (
    Race(
        title="One file",
        places=("disk", "memory"),
        contestants=(
            Contestant(name="curl"),
            Contestant(
                name="`download`", does="ours.download", settings=_OFF, target=1.0, lean=True
            ),
            Contestant(
                name="`download`, asynchronous",
                does="ours.download_async",
                settings=_OFF,
                target=0.9,
                lean=True,
            ),
            Contestant(name="`download` with SHA-256", does="ours.download", target=0.5, lean=True),
            Contestant(
                name="`write_bytes(path, stream(...))`",
                does="ours.write_bytes",
                settings=_OFF,
                target=1.0,
                lean=True,
            ),
            Contestant(
                name="`write_bytes(path, iter(stream(...)))`",
                does="ours.write_pieces",
                settings=_OFF,
                lean=True,
            ),
            Contestant(name="AllenSDK `HttpEngine`", does="theirs.write_bytes"),
            Contestant(name="AllenSDK `AsyncHttpEngine`", does="theirs.write_bytes_async"),
        ),
    ),
    Race(
        title="Eight files at once, of an eighth of the size",
        places=("disk", "memory"),
        contestants=(
            Contestant(name="curl --parallel", numbers=SMALL),
            Contestant(
                name="`download_many`",
                does="ours.download_many",
                settings=_OFF,
                numbers=SMALL,
                lean=True,
            ),
            Contestant(
                name="`download_many`, asynchronous",
                does="ours.download_many_async",
                settings=_OFF,
                numbers=SMALL,
                lean=True,
            ),
            Contestant(
                name="`download_many` with SHA-256",
                does="ours.download_many",
                numbers=SMALL,
                lean=True,
            ),
        ),
    ),
    Race(
        title="Bytes that are thrown away",
        places=("nowhere",),
        contestants=(
            Contestant(name="curl -o /dev/null"),
            Contestant(name="`for piece in stream(...)`", does="ours.stream", lean=True),
            Contestant(
                name="`async for piece in stream(...)`", does="ours.stream_async", lean=True
            ),
            Contestant(
                name="`for piece in stream(...)`, no ETag: running SHA-256",
                does="ours.stream",
                numbers=(NO_ETAG,),
                lean=True,
            ),
            Contestant(name="AllenSDK `HttpEngine`", does="theirs.stream"),
            Contestant(name="AllenSDK `AsyncHttpEngine`", does="theirs.stream_async"),
        ),
    ),
    Race(
        title="What each verification costs",
        places=("memory",),
        contestants=(
            Contestant(
                name="`download`: size, ETag, structure of HDF5",
                does="ours.download",
                settings=_OFF,
            ),
            Contestant(
                name="of unknown size and format", does="ours.download_unknown", settings=_OFF
            ),
            Contestant(
                name="without an ETag", does="ours.download", settings=_OFF, numbers=(NO_ETAG,)
            ),
            Contestant(name="and SHA-256 for the manifest", does="ours.download"),
            Contestant(
                name="and the server's Repr-Digest (SHA-256)",
                does="ours.download",
                settings=_OFF,
                numbers=(WITH_SHA256,),
            ),
            Contestant(name="and both", does="ours.download", numbers=(WITH_SHA256,)),
            Contestant(
                name="and the server's Content-MD5",
                does="ours.download",
                settings=_OFF,
                numbers=(WITH_MD5,),
            ),
        ),
    ),
)
