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
    from typing import BinaryIO

    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["check_content", "local_pieces", "open_mounted"]

_LOG = logging.getLogger(__name__)


def open_mounted(artifact: Artifact, settings: ArtifactSettings) -> BinaryIO | None:
    """Open a file on a mounted file system; None if it is not there, or is not right there.

    Parameters
    ----------
    artifact : Artifact
        What to open.
    settings : ArtifactSettings
        Whose ``mounts`` name the folders that are read.

    Returns
    -------
    binary file or None
        Unbuffered, at its beginning; its ``name`` is the path without links.
    """
    if settings.mounts is None:
        return None
    file: BinaryIO | None = None
    try:
        file = settings.mounts.opened(artifact.storage_directory, artifact.filename)  # type: ignore[union-attr]
        if file is not None:
            check_content(file, artifact)
            file.seek(0)
    except (OSError, ValueError, ArtifactCorruptError) as error:
        _LOG.debug("%s is not read from the file system: %s", artifact, error)
        if file is not None:
            file.close()
        return None
    return file


def check_content(file: BinaryIO, artifact: Artifact) -> tuple[str, ...]:
    """Compare a file with what is known of it.

    Parameters
    ----------
    file : binary file
        Open for reading, and unbuffered.
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
    size, evidence = os.fstat(file.fileno()).st_size, []
    if artifact.size is not None:
        if size != artifact.size:
            raise corrupt(file.name, "number of bytes", artifact.size, size)
        evidence.append(SIZE_IN_LIMS)

    def read_at(offset: int, n: int) -> bytes:
        file.seek(offset)
        return file.read(n) or b""

    evidence += Inspection(file.name, artifact).check_structure(read_at, size)
    return tuple(evidence)


def local_pieces(file: BinaryIO, url: str, chunksize: int) -> Iterator[bytes]:
    """Yield the bytes of a file on a mounted file system, and close it."""
    cause: OSError | None = None
    try:
        with file:
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
        f"can't be read on to its end from {file.name}: {cause or 'its size changed meanwhile'};"
        " mounts=None reads it by HTTP",
    ) from cause
