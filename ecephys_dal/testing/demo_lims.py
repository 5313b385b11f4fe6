"""A synthetic LIMS with its files, a server of them and the facade over both, in one call."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import closing, contextmanager, nullcontext, suppress
from http.client import HTTPConnection, HTTPException
from shutil import rmtree
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy import URL, make_url

from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings
from ecephys_dal.errors import ConfigurationError, DatabaseUnavailableError
from ecephys_dal.facade import EcephysProjectLimsApi
from ecephys_dal.paths import absolute_path
from ecephys_dal.testing.server import ArtifactServer
from ecephys_dal.testing.synthetic import create_synthetic_lims

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["DemoLims", "demo"]


class DemoLims:
    """A LIMS to try things on, as `demo` makes it; ``with`` closes it at the end of the block.

    Attributes
    ----------
    api : EcephysProjectLimsApi
        The tables and the files.
    url : str or URL
        The database.
    ids : SyntheticLims
        The ids that it holds, those of its odd records by name.
    server : ArtifactServer
        Stands in for LIMS' web application.
    folder : Path
        Holds the files, and the database if that is SQLite's.
    """

    def __init__(
        self,
        folder: Path,
        url: str | URL | None,
        sessions: int,
        *,
        progress: bool | None,
        keep: bool,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{folder} can't be the folder of a demo: {error.strerror}; name another"
            ) from error
        self.folder, self._keep, self._closed = folder, keep, False
        self.url = _url_in(folder) if url is None else url
        with _made_alone(folder) if url is None else nullcontext():
            self.ids = create_synthetic_lims(
                self.url,
                sessions=sessions,
                artifacts=folder / "files",
                exist_ok=True,
                progress=progress,
            )
        self.server = _server(folder)
        self.server.start()
        client = ArtifactClient(ArtifactSettings(host=self.server.host, progress=progress))
        self.api = EcephysProjectLimsApi(self.url, client)
        atexit.register(self.close)

    def close(self) -> None:
        """Close the connections and the server; a folder that nobody named is deleted."""
        atexit.unregister(self.close)
        self._closed = True
        self.api.close()
        self.server.stop()
        if not self._keep:
            rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        if self._closed:
            raise ConfigurationError(f"{self!r} is closed; call demo() again")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"DemoLims({str(self.folder)!r}, files at {self.server.url})"


def demo(
    folder: str | Path | None = None,
    *,
    sessions: int = 3,
    url: str | URL | None = None,
    progress: bool | None = None,
) -> DemoLims:
    """Make a synthetic LIMS, serve its files, and open the facade over both.

    Parameters
    ----------
    folder : str or Path, optional
        Where to. What an earlier call made there is used again, and is served on the same port if
        that is free. Without it, a temporary folder that `DemoLims.close` deletes.
    sessions : int
        How many plain sessions, beside the odd ones.
    url : str or URL, optional
        A database of your own to fill, such as one of PostgreSQL; ``lims.db`` in the folder
        without it.
    progress : bool, optional
        Show bars on stderr while it is made, and while its client fetches files; on a terminal
        and in a notebook without it.

    Returns
    -------
    DemoLims

    Raises
    ------
    ConfigurationError
        If the folder or the database holds a LIMS of another number of sessions, or what no demo
        made, or there can't be such a folder.

    Examples
    --------
    >>> with demo(sessions=1, progress=False) as lims:
    ...     print(len(lims.api.get_probes(session_ids=lims.ids.session_ids)))
    6
    """
    if folder == "":
        raise ConfigurationError("folder='' names no folder; leave it out, or write '.' for this")
    keep = folder is not None
    where = absolute_path(tempfile.mkdtemp(prefix="ecephys_dal-") if folder is None else folder)
    return DemoLims(where.resolve(), url, sessions, progress=progress, keep=keep)


@contextmanager
def _made_alone(folder: Path) -> Iterator[None]:
    """Say what it means if the database of a folder can't be written to."""
    try:
        yield
    except DatabaseUnavailableError as error:
        raise ConfigurationError(
            f"the demo can't be made: {error}; if another demo is being made in {folder}, wait"
            " until it is there"
        ) from error


def _url_in(folder: Path) -> str:
    """Return the URL of the folder's database, whatever characters the folder's name has."""
    url = URL.create("sqlite", database=str(folder / "lims.db"))
    text = url.render_as_string()
    if make_url(text) != url:  # SQLAlchemy escapes them only in its newer versions
        raise ConfigurationError(
            f"{folder} has a ? in its name, which SQLAlchemy {sqlalchemy.__version__} can't write"
            " in a URL; name another folder"
        )
    return text


def _server(folder: Path) -> ArtifactServer:
    """Serve on the port of the last time if that is free, for addresses that were written down."""
    noted, port, server = folder / "port", 0, None
    with suppress(OSError, ValueError, OverflowError):
        port = int(noted.read_text(encoding="utf-8"))
        server = ArtifactServer(folder / "files", port=port)
    server = server or ArtifactServer(folder / "files")
    if server.port != port and not _is_served(folder / "files", port):
        with suppress(OSError):  # a folder that can only be read is served all the same
            noted.write_text(f"{server.port}\n", encoding="utf-8")
    return server


def _is_served(files: Path, port: int) -> bool:
    """Tell whether another demo serves these files on the port, by the ETag of one of them."""
    file = next(files.glob("*/*"), None)
    if file is None or not 0 < port < 65536:
        return False
    found, number = file.stat(), file.parent.name
    with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("HEAD", f"/well_known_files/download/{number}?wkf_id={number}")
            etag = connection.getresponse().headers["ETag"]
        except (OSError, HTTPException):
            return False
    return bool(etag == f'"{found.st_mtime_ns:x}-{found.st_size:x}"')
