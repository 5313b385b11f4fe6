"""The bars that show how far a transfer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["bar_of", "bar_of_all"]


def bar_of(settings: ArtifactSettings, artifact: Artifact, *, stays: bool = True) -> tqdm[Any]:
    """Return the bar of one file, in bytes; it stays on the screen, or goes when it is full."""
    return tqdm(
        total=artifact.size,
        unit="B",
        unit_scale=True,
        desc=artifact.filename or "Downloading",
        leave=stays,
        disable=not settings.progress,
    )


def bar_of_all(settings: ArtifactSettings, n_files: int) -> tqdm[Any]:
    """Return the bar of many files, in files."""
    return tqdm(total=n_files, unit="file", desc="Downloading", disable=not settings.progress)
