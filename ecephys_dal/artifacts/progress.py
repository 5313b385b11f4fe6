"""The bars that show how far a transfer is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["Bar", "bar_of", "bar_of_all"]


class Bar(Protocol):
    """What is needed of a bar of tqdm."""

    total: float | None
    n: float

    def update(self, n: float | None = 1) -> bool | None:
        """Go on by so much."""


class _NoBar:
    """Shows nothing; a disabled bar of tqdm would still start tqdm's thread."""

    total: float | None = None
    n: float = 0

    def update(self, n: float | None = 1) -> None:
        """Show nothing."""


def bar_of(
    settings: ArtifactSettings, artifact: Artifact, *, stays: bool = True
) -> AbstractContextManager[Bar]:
    """Return the bar of one file, in bytes; it stays on the screen, or goes when it is full."""
    if not settings.progress:
        return nullcontext(_NoBar())
    bar: AbstractContextManager[Bar] = tqdm(
        total=artifact.size,
        unit="B",
        unit_scale=True,
        desc=artifact.filename or "Downloading",
        leave=stays,
    )
    return bar


def bar_of_all(settings: ArtifactSettings, n_files: int) -> AbstractContextManager[Bar]:
    """Return the bar of many files, in files."""
    if not settings.progress:
        return nullcontext(_NoBar())
    bar: AbstractContextManager[Bar] = tqdm(total=n_files, unit="file", desc="Downloading")
    return bar
