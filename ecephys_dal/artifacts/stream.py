"""One file's bytes, to iterate over or to save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecephys_dal.artifacts.interruption import Interruption
from ecephys_dal.artifacts.local import local_pieces
from ecephys_dal.artifacts.progress import bar_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from ecephys_dal.artifacts.client import ArtifactClient
    from ecephys_dal.artifacts.locate import Artifact
    from ecephys_dal.artifacts.report import DownloadReport

__all__ = ["ArtifactStream"]


class ArtifactStream:
    """The bytes of a file, fetched anew each time they are iterated over.

    A transfer that breaks off is resumed, unseen by whoever iterates: no byte comes twice and none
    is missing. Where that can't be made sure, because the file changed, it raises.

    Parameters
    ----------
    client : ArtifactClient
        How to fetch.
    artifact : Artifact
        What to fetch.
    beside_others : bool
        It is read by one of several threads.
    """

    def __init__(
        self, client: ArtifactClient, artifact: Artifact, *, beside_others: bool = False
    ) -> None:
        self.client, self.artifact, self.beside_others = client, artifact, beside_others
        self.url = client.url_of(artifact)

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces(Interruption())

    def pieces(self, interruption: Interruption) -> Generator[bytes, None, None]:
        """Yield the bytes, until somebody interrupts."""
        local = self.client.open_local(self.artifact)
        if local is not None:
            yield from local_pieces(local, self.url, self.client.settings.chunksize)
            return
        fetch = self.client.fetch(
            self.artifact, interruption, rewindable=False, beside_others=self.beside_others
        )
        transfer = fetch.transfer
        with bar_of(self.client.settings, self.artifact) as bar:
            while not transfer.complete:
                response = fetch.ask()
                bar.total = transfer.total
                for piece in fetch.pieces(response):
                    bar.update(len(piece))
                    yield bytes(piece)

    def save(self, path: str | Path) -> DownloadReport:
        """Fetch into a file, as `ArtifactClient.download` does."""
        return self.client.download(self.artifact, path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
