"""A synthetic LIMS with its files, a server of them and the facade over both, in one call."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import suppress
from shutil import rmtree
from typing import TYPE_CHECKING

from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings
from ecephys_dal.facade import EcephysProjectLimsApi
from ecephys_dal.paths import absolute_path
from ecephys_dal.testing.server import ArtifactServer
from ecephys_dal.testing.synthetic import create_synthetic_lims

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL
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
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._keep = folder, keep
        self.url = f"sqlite:///{folder}/lims.db" if url is None else url
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
        self.api.close()
        self.server.stop()
        if not self._keep:
            rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
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
        If the folder or the database holds a LIMS of another number of sessions.

    Examples
    --------
    >>> with demo(sessions=1, progress=False) as lims:
    ...     print(len(lims.api.get_probes(session_ids=lims.ids.session_ids)))
    6
    """
    keep = folder is not None
    where = absolute_path(tempfile.mkdtemp(prefix="ecephys_dal-") if folder is None else folder)
    return DemoLims(where.resolve(), url, sessions, progress=progress, keep=keep)


def _server(folder: Path) -> ArtifactServer:
    """Serve on the port of the last time if that is free, for addresses that were written down."""
    noted = folder / "port"
    with suppress(FileNotFoundError, ValueError, OSError, OverflowError):
        return ArtifactServer(folder / "files", port=int(noted.read_text(encoding="utf-8")))
    server = ArtifactServer(folder / "files")
    if not noted.exists():  # else another demo of the folder has the port that is noted
        noted.write_text(f"{server.port}\n", encoding="utf-8")
    return server
