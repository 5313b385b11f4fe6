"""The bars that show how far a transfer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecephys_dal.bars import Bar, make_bar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["bar_of", "bar_of_all"]


def bar_of(
    settings: ArtifactSettings, artifact: Artifact, *, stays: bool = True
) -> AbstractContextManager[Bar]:
    """Return the bar of one file, in bytes; it stays on the screen, or goes when it is full."""
    bar: AbstractContextManager[Bar] = make_bar(
        settings.progress,
        total=artifact.size,
        unit="B",
        unit_scale=True,
        desc=artifact.filename or "Downloading",
        leave=stays,
    )
    return bar


def bar_of_all(settings: ArtifactSettings, n_files: int) -> AbstractContextManager[Bar]:
    """Return the bar of many files, in files."""
    bar: AbstractContextManager[Bar] = make_bar(
        settings.progress, total=n_files, unit="file", desc="Downloading"
    )
    return bar
