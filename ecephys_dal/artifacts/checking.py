"""Check a file that was downloaded earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from ecephys_dal.artifacts.inspection import SIZE_IN_LIMS
from ecephys_dal.artifacts.local import check_content
from ecephys_dal.artifacts.locate import Artifact
from ecephys_dal.artifacts.manifest import Manifest, sha256_of
from ecephys_dal.artifacts.refusals import corrupt
from ecephys_dal.artifacts.report import DownloadReport
from ecephys_dal.errors import ArtifactStorageError
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["verify"]


def verify(path: str | Path) -> DownloadReport:
    """Compare a file with what was recorded when it was downloaded, and with its format.

    Parameters
    ----------
    path : str or Path
        A file; the record is in ``.artifacts.jsonl`` of its folder.

    Returns
    -------
    DownloadReport
        Whose ``verified_by`` says what agreed: the SHA-256 and the size that were recorded, the
        structure of the format. Empty if there is no record and the format is not known.

    Raises
    ------
    ArtifactCorruptError
        If the file is not what was recorded, or not whole.
    ArtifactStorageError
        If it can't be read.

    Notes
    -----
    A SHA-256 that was computed from what arrived shows that nothing changed since. It can't show
    that what arrived was right: that is for the size, the format and a digest of the server's.
    """
    target = absolute_path(path)
    try:
        record = Manifest(target.parent).of(target.name)
        known = Artifact(
            record.url if record else "", filename=target.name, size=record.size if record else None
        )
        with target.open("rb", buffering=0) as file:
            evidence = check_content(cast("BinaryIO", file), known)
        digest, size = sha256_of(target), target.stat().st_size
    except OSError as error:
        raise ArtifactStorageError(
            f"{error.filename or target} can't be read: {error.strerror or error}",
            url=str(target),
        ) from error
    if record is not None:
        evidence = tuple("recorded size" if one == SIZE_IN_LIMS else one for one in evidence)
        if record.sha256 is not None:
            if digest != record.sha256:
                raise corrupt(str(target), f"SHA-256, since {record.at}", record.sha256, digest)
            evidence = (f"SHA-256 of {record.at}", *evidence)
    return DownloadReport(
        path=target,
        url=record.url if record else "",
        size=size,
        validator=record.etag if record else None,
        sha256=digest,
        verified_by=evidence,
        source="present",
    )
