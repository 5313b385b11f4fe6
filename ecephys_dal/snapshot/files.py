"""The files of a snapshot: fetched into a folder beside it, and served from there, verified."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ecephys_dal.artifacts import Artifact, ArtifactClient, locate
from ecephys_dal.artifacts.manifest import MANIFEST, Manifest, sha256_of
from ecephys_dal.artifacts.refusals import corrupt
from ecephys_dal.errors import (
    ArtifactCorruptError,
    ArtifactNotFoundError,
    ConfigurationError,
    suggestion,
)
from ecephys_dal.paths import absolute_path
from ecephys_dal.repositories import ProbeLfpRepository, SessionNwbRepository, TemplateRepository
from ecephys_dal.safe_open import is_link_of_another, is_own, is_regular, open_regular
from ecephys_dal.snapshot.opening import SnapshotDatabase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path
    from typing import BinaryIO

    from typing_extensions import Self

    from ecephys_dal.artifacts import ArtifactSettings, DownloadReport
    from ecephys_dal.repositories import Repository

__all__ = ["KINDS", "SnapshotFiles", "fetch", "folder_of", "manifest_of"]

_REPOSITORIES: dict[str, type[Repository[Any, Any]]] = {
    "nwb": SessionNwbRepository,
    "lfp": ProbeLfpRepository,
    "templates": TemplateRepository,
}
KINDS = tuple(_REPOSITORIES)


def folder_of(path: str | Path) -> Path:
    """Return the folder of the files of a snapshot, ``<path>.artifacts`` beside it."""
    path = absolute_path(path)
    return path.with_name(f"{path.name}.artifacts")


def fetch(
    path: str | Path,
    client: ArtifactClient,
    *,
    kinds: Collection[str] = KINDS,
    folder: str | Path | None = None,
) -> list[DownloadReport]:
    """Fetch the files of a snapshot into a folder, several at once; what is there stays there.

    Parameters
    ----------
    path : str or Path
        Of the snapshot.
    client : ArtifactClient
        Fetches them.
    kinds : collection of {"nwb", "lfp", "templates"}
        The NWB files of sessions, the LFP files of probes, the stimulus templates.
    folder : str or Path, optional
        Where to; ``<path>.artifacts`` without it. Its manifest ``.artifacts.jsonl`` notes the size
        and the SHA-256 of each file when it was first seen.

    Returns
    -------
    list of DownloadReport
        One a file. One that could not be had has an ``error``; call again to go on.

    Raises
    ------
    ConfigurationError
        If there is no such kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigurationError(f"kinds: {kind!r} is none; {suggestion(kind, KINDS)}")
    with SnapshotDatabase(path) as database:
        tables = [_REPOSITORIES[kind](database) for kind in kinds]
        records = [one for table in tables for one in table.entities(options=table.to_locate)]
    files = {located.id: located for located in map(locate, records)}
    place = absolute_path(folder) if folder is not None else folder_of(path)
    if folder is None and is_link_of_another(place):
        raise ConfigurationError(
            f"{place} is a link of another user's, and is not followed; remove it, or name a folder"
        )
    return client.download_many(files.values(), place)


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of the files of a snapshot.

    It shows changes, and no origin. So that of a snapshot of somebody else's may be theirs too, but
    beside one of ours it must be ours.
    """
    path = folder.with_name(folder.name.removesuffix(".artifacts"))
    return Manifest(folder, of_anybody=path == folder or not is_own(path))


class SnapshotFiles(ArtifactClient):
    """Serves the files of a snapshot from their folder, without a network.

    It stands where an `ArtifactClient` stands, as ``app_engine`` of the facade.

    Parameters
    ----------
    folder : str or Path
        As `fetch` filled it.
    settings : ArtifactSettings, optional
        How to copy files from there; the web application that they name is never asked.

    Notes
    -----
    The SHA-256 of a file is compared with the manifest before its first byte is given, and again
    only if the file was touched since.
    """

    online = False

    def __init__(self, folder: str | Path, settings: ArtifactSettings | None = None) -> None:
        super().__init__(settings)
        self.folder = absolute_path(folder)
        self._verified: dict[str, tuple[int, ...]] = {}

    @override
    def stream(self, route: str) -> Iterable[bytes]:
        """Return the bytes of a file, to iterate over.

        Parameters
        ----------
        route : Artifact
            As `locate` makes it.

        Raises
        ------
        ArtifactNotFoundError
            If it was not fetched.
        ArtifactCorruptError
            If it is not what was fetched.
        """
        self.path_of(route)
        return super().stream(route)

    @override
    def open_local(self, artifact: Artifact) -> BinaryIO:
        """Open a file of the folder, verified, or raise as `stream` does."""
        path = self._place(artifact)
        try:
            file = open_regular(path)
        except (OSError, ValueError) as error:
            raise ArtifactNotFoundError(
                f"{path} is not there, or is no regular file: the file {artifact.id} was not"
                " fetched with the snapshot; ecephys_dal.snapshot.fetch does that",
                url=str(artifact),
            ) from error
        try:
            self._verify(path, file)
        except BaseException:
            file.close()
            raise
        return file

    @override
    def url_of(self, artifact: str) -> str:
        """Return the path of a file in the folder."""
        return str(self._place(Artifact.of(artifact)))

    def _place(self, artifact: Artifact) -> Path:
        name = artifact.local_name
        if name is None:
            raise ArtifactNotFoundError(
                f"{artifact} has no id to be found by in {self.folder}", url=str(artifact)
            )
        return self.folder / name

    def _verify(self, path: Path, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        state = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        if self._verified.get(path.name) == state:
            return
        record = None
        with suppress(OSError):
            record = manifest_of(self.folder).of(path.name)
        if record is None or record.sha256 is None:
            raise ArtifactCorruptError(
                f"{path} can't be verified: {MANIFEST} beside it does not note its SHA-256;"
                " ecephys_dal.snapshot.fetch fetches it anew",
                url=str(path),
            )
        if record.size != found.st_size:
            raise corrupt(str(path), "number of bytes", record.size, found.st_size)
        if (digest := sha256_of(file)) != record.sha256:
            raise corrupt(str(path), "SHA-256", record.sha256, digest)
        file.seek(0)
        self._verified[path.name] = state

    @override
    def reachable(self, artifacts: Iterable[str]) -> list[bool]:
        """Tell of each file whether it was fetched."""
        return [is_regular(self._place(one)) for one in map(Artifact.of, artifacts)]

    @override
    def __reduce__(self) -> tuple[type[Self], tuple[Path, ArtifactSettings]]:  # type: ignore[override]
        return type(self), (self.folder, self.settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"
