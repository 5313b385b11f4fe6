"""Fetch files from the web application, by blocking requests that are tried again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import requests

from ecephys_dal.artifacts.settings import ArtifactSettings
from ecephys_dal.artifacts.stream import ArtifactStream, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["ArtifactClient"]


class ArtifactClient:
    """Fetches files from the LIMS web application.

    Parameters
    ----------
    settings : ArtifactSettings, optional
        Where it is, and how patient to be.
    """

    def __init__(self, settings: ArtifactSettings | None = None) -> None:
        self.settings = settings or ArtifactSettings()
        self._http: requests.Session | None = None
        self._pid = os.getpid()

    def stream(self, route: str) -> Iterable[bytes]:
        """Return the bytes of a file, to iterate over.

        Parameters
        ----------
        route : str
            The path under the web application.

        Returns
        -------
        iterable of bytes
            The request is made when it is iterated over. It raises an `ArtifactError` rather
            than end early; after a failure in mid-file it is not continued, for what it gave
            can't be taken back, so `download` is the way to a file on disk.
        """
        return ArtifactStream(self, route)

    def download(self, route: str, path: str | Path) -> Path:
        """Fetch a file; nothing is seen under its name until it is there as a whole.

        Parameters
        ----------
        route : str
            The path under the web application.
        path : str or Path
            Where to; its folder is made if need be, and an older file there is replaced.

        Returns
        -------
        Path

        Raises
        ------
        ArtifactNotFoundError
            If the server has no such file for us.
        ArtifactTransferError
            If the transfer failed after all attempts.
        ArtifactCorruptError
            If what arrived is not of the format that the file must have.
        """
        return ArtifactStream(self, route).save(path)

    @staticmethod
    def write_bytes(path: str | Path, stream: Iterable[bytes]) -> None:
        """Write a stream to a file, whole or not at all; this blocks, as AllenSDK's does.

        Parameters
        ----------
        path : str or Path
            Where to.
        stream : iterable of bytes
            What a client's ``stream`` returned, which is then fetched with all attempts, or any
            other.
        """
        save = getattr(stream, "save", None)
        if save is not None:
            save(path)
        else:
            write_whole(path, stream)

    @property
    def http(self) -> requests.Session:
        """The connections, kept for the next request; a forked process makes its own."""
        if self._http is None or self._pid != os.getpid():
            self._http, self._pid = requests.Session(), os.getpid()
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
        return f"{type(self).__name__}({self.settings.scheme}://{self.settings.host})"
