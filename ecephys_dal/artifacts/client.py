"""Fetch files, from the web application or where they are mounted, by blocking calls."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

import requests

from ecephys_dal.artifacts.asking import answers_for
from ecephys_dal.artifacts.connections import open_connections
from ecephys_dal.artifacts.download import Download
from ecephys_dal.artifacts.fetch import Fetch
from ecephys_dal.artifacts.interruption import Interruption
from ecephys_dal.artifacts.local import open_mounted
from ecephys_dal.artifacts.locate import Artifact
from ecephys_dal.artifacts.many import download_all
from ecephys_dal.artifacts.reader import open_remote
from ecephys_dal.artifacts.settings import ArtifactSettings
from ecephys_dal.artifacts.stream import ArtifactStream
from ecephys_dal.artifacts.transfer import Transfer
from ecephys_dal.artifacts.writing import write_bytes
from ecephys_dal.errors import ArtifactNotFoundError, ConfigurationError
from ecephys_dal.paths import absolute_path
from ecephys_dal.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from ecephys_dal.artifacts.report import DownloadReport

__all__ = ["ArtifactClient"]


class ArtifactClient:
    """Fetches files from the LIMS web application, or from where they are mounted.

    It may be used by several threads at once.

    Parameters
    ----------
    settings : ArtifactSettings, optional
        Where it is, and how patient to be.
    """

    online: ClassVar[bool] = True  # what is not here is asked of the web application

    def __init__(self, settings: ArtifactSettings | None = None) -> None:
        self.settings = settings or ArtifactSettings()
        self._http: requests.Session | None = None
        self._pid, self._lock = os.getpid(), Lock()

    def stream(self, route: str) -> Iterable[bytes]:
        """Return the bytes of a file, to iterate over.

        Parameters
        ----------
        route : str
            The path under the web application; an `Artifact` is one that knows more of its file.

        Returns
        -------
        iterable of bytes
            The request is made when it is iterated over. A transfer that breaks off is resumed,
            unseen; where that can't be done rightly, an `ArtifactError` is raised.
        """
        return ArtifactStream(self, Artifact.of(route))

    def download(
        self,
        artifact: str,
        path: str | Path,
        *,
        refresh: bool = False,
        sha256: str | None = None,
    ) -> DownloadReport:
        """Fetch a file; nothing is seen under its name until it is there as a whole.

        Parameters
        ----------
        artifact : Artifact or str
            What: a file of `locate`, or a path under the web application.
        path : str or Path
            Where to; its folder is made if need be, and an older file there is replaced.
        refresh : bool
            Fetch it although the folder's manifest shows that it is there already.
        sha256 : str, optional
            What its SHA-256 must be, in hexadecimal.

        Returns
        -------
        DownloadReport
            Which can be used as the path.

        Raises
        ------
        ArtifactNotFoundError
            If the server has no such file for us.
        ArtifactTransferError
            If too many attempts in a row have brought nothing. What arrived is kept beside the
            target, and the next download goes on from there if the server's version is the same.
        ArtifactCorruptError
            If what arrived is not the file: its size, format or digest is wrong.
        ArtifactStorageError
            If it can't be stored.
        """
        target = absolute_path(path)
        download = Download(self, Artifact.of(artifact), target, Interruption(), sha256=sha256)
        return download.run(refresh=refresh)

    def download_many(
        self,
        wanted: Iterable[str] | Mapping[str, str | Path],
        folder: str | Path | None = None,
        *,
        refresh: bool = False,
    ) -> list[DownloadReport]:
        """Fetch files, ``max_parallel`` at once; the rest goes on when one fails.

        Parameters
        ----------
        wanted : iterable of Artifact, or mapping of Artifact to path
            What, and where to.
        folder : str or Path, optional
            Where to, if ``wanted`` does not say so: each becomes ``<folder>/<id>_<filename>``.
        refresh : bool
            Fetch also what is there already; without it only what is missing is fetched.

        Returns
        -------
        list of DownloadReport, length n_files
            In the order of ``wanted``. A file that could not be had has an ``error``.
        """
        return download_all(self, wanted, folder, Interruption(), refresh=refresh)

    def path_of(self, artifact: str) -> Path:
        """Return where a file is on a mounted file system, for tools that open files in place.

        Parameters
        ----------
        artifact : Artifact
            What.

        Returns
        -------
        Path
            Its size and format are as they should be.

        Raises
        ------
        ArtifactNotFoundError
            If it is not visible there.
        """
        path = self.visible(Artifact.of(artifact))
        if path is None:
            wanted = Artifact.of(artifact)
            raise ArtifactNotFoundError(
                f"{wanted} is not visible as {wanted.storage_directory or ''}"
                f"{wanted.filename or '(of unknown name)'} with mounts={self.settings.mounts!r};"
                " name its folder in mounts, as {'/allen': '/allen'}, or download it",
                url=self.url_of(wanted),
            )
        return path

    def reachable(self, artifacts: Iterable[str]) -> list[bool]:
        """Tell of each file whether it is mounted or the web application answers for it.

        Parameters
        ----------
        artifacts : iterable of Artifact
            Which files; they are asked for in parallel, without their bytes.

        Returns
        -------
        list of bool, length n_files
        """
        if isinstance(artifacts, str):
            raise ConfigurationError(f"artifacts={artifacts!r} is one file; give a list of it")
        unreachable = Event()
        with ThreadPool(self.settings.max_parallel) as pool:
            one = partial(self._is_reachable, unreachable=unreachable)
            return list(pool.map(one, map(Artifact.of, artifacts)))

    def _is_reachable(self, artifact: Artifact, unreachable: Event) -> bool:
        if self.visible(artifact) is not None:
            return True
        if unreachable.is_set():
            return False
        try:
            return answers_for(self.http, self.settings, self.url_of(artifact))
        except requests.ConnectionError:
            unreachable.set()  # for whom to wait once is enough
            return False

    def open_artifact(self, artifact: str, path: str | Path | None = None) -> BinaryIO:
        """Open a file where it is, to read parts of it, as h5py and pynwb do.

        Parameters
        ----------
        artifact : Artifact or str
            What.
        path : str or Path, optional
            Where it was, or is being, downloaded to: what is there is read from there.

        Returns
        -------
        binary file
            Seekable, with a cache of the blocks that were read. From a mounted file system if it
            is visible there, else by requests for ranges.

        Raises
        ------
        ArtifactTransferError
            If the server gives no ranges, or no strong ETag, without which parts of two versions
            could not be told apart.
        """
        local = self.open_local(Artifact.of(artifact))
        if local is not None:
            return io.BufferedReader(cast("io.RawIOBase", local))
        return open_remote(
            self, Artifact.of(artifact), None if path is None else absolute_path(path)
        )

    write_bytes = staticmethod(write_bytes)

    def url_of(self, artifact: str) -> str:
        """Return the URL of a file."""
        return f"{self.settings.url}/{artifact.lstrip('/')}"

    def visible(self, artifact: Artifact) -> Path | None:
        """Return where a file is on a mounted file system, None if it is not there."""
        file = self.open_local(artifact)
        if file is None:
            return None
        with file:
            return Path(file.name)

    def open_local(self, artifact: Artifact) -> BinaryIO | None:
        """Open a file on a mounted file system, unbuffered; None if it is not there."""
        return open_mounted(artifact, self.settings)

    def fetch(
        self,
        artifact: Artifact,
        interruption: Interruption,
        *,
        beside_others: bool = False,
        **beginning: Any,
    ) -> Fetch:
        """Return a transfer of a file, to be driven; ``beginning`` is as for `Transfer`."""
        transfer = Transfer(self.url_of(artifact), artifact, self.settings, **beginning)
        return Fetch(self.http, self.settings, transfer, interruption, beside_others=beside_others)

    @property
    def http(self) -> requests.Session:
        """The connections, kept for the next request; a forked process makes its own."""
        if self._pid != os.getpid():
            self._http, self._pid, self._lock = None, os.getpid(), Lock()
        with self._lock:
            if self._http is None:
                self._http = open_connections(max(self.settings.max_parallel, 10))
            return self._http

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None and self._pid == os.getpid():
            self._http.close()
        self._http = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[ArtifactSettings]]:
        return type(self), (self.settings,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.url})"
