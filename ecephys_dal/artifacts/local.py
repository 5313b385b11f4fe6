"""Files that are visible on a mounted file system: whether they are right, and their bytes."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.inspection import SIZE_IN_LIMS, Inspection
from ecephys_dal.artifacts.refusals import corrupt, permanent
from ecephys_dal.errors import ArtifactCorruptError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["check_content", "local_path_of", "local_pieces"]

_LOG = logging.getLogger(__name__)


def local_path_of(artifact: Artifact, settings: ArtifactSettings) -> Path | None:
    """Return where a file is on a mounted file system, None if it is not, or is not right there."""
    mounts = settings.mounts
    if mounts is None:
        return None
    path = mounts.path(artifact.storage_directory, artifact.filename)  # type: ignore[union-attr]
    try:
        if path is None or not path.is_file():
            return None
        check_content(path, artifact)
    except (OSError, ArtifactCorruptError) as error:
        _LOG.debug("%s is not read from the file system: %s", artifact, error)
        return None
    return path


def check_content(path: Path, artifact: Artifact) -> tuple[str, ...]:
    """Compare a file with what is known of it.

    Parameters
    ----------
    path : Path
        The file.
    artifact : Artifact
        What it must be.

    Returns
    -------
    tuple of str
        What shows that it is whole; empty if nothing can tell.

    Raises
    ------
    ArtifactCorruptError
        If its size or its format is wrong.
    """
    size, evidence = path.stat().st_size, []
    if artifact.size is not None:
        if size != artifact.size:
            raise corrupt(str(path), "number of bytes", artifact.size, size)
        evidence.append(SIZE_IN_LIMS)
    with path.open("rb", buffering=0) as file:

        def read_at(offset: int, n: int) -> bytes:
            file.seek(offset)
            return file.read(n) or b""

        evidence += Inspection(str(path), artifact).check_structure(read_at, size)
    return tuple(evidence)


def local_pieces(path: Path, url: str, chunksize: int) -> Iterator[bytes]:
    """Yield the bytes of a file on a mounted file system."""
    cause: OSError | None = None
    try:
        with path.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while piece := file.read(chunksize):
                left -= len(piece)
                yield piece
        if not left:
            return
    except OSError as error:
        cause = error
    raise permanent(
        url,
        f"can't be read on to its end from {path}: {cause or 'its size changed meanwhile'};"
        " mounts=None reads it by HTTP",
    ) from cause
