"""Download one file: from where it is nearest, whole or not at all."""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecephys_dal.artifacts.inspection import SIZE_IN_LIMS
from ecephys_dal.artifacts.landing import Busy, Landing
from ecephys_dal.artifacts.local import local_pieces
from ecephys_dal.artifacts.locate import Artifact
from ecephys_dal.artifacts.manifest import Manifest, Record, sha256_of
from ecephys_dal.artifacts.partial import Partial, Unpublished, storage_errors
from ecephys_dal.artifacts.progress import bar_of
from ecephys_dal.artifacts.refusals import corrupt
from ecephys_dal.artifacts.report import DownloadReport
from ecephys_dal.artifacts.version import UNKNOWN
from ecephys_dal.display import on_one_line
from ecephys_dal.errors import (
    ArtifactCorruptError,
    ArtifactError,
    ArtifactStorageError,
    ArtifactTransferError,
)
from ecephys_dal.safe_open import is_own

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from ecephys_dal.artifacts.client import ArtifactClient
    from ecephys_dal.artifacts.fetch import Fetch
    from ecephys_dal.artifacts.interruption import Interruption
    from ecephys_dal.artifacts.report import Source
    from ecephys_dal.artifacts.transfer import Transfer
    from ecephys_dal.bars import Bar

__all__ = ["Download"]

_LOG = logging.getLogger(__name__)
_BLOCK = 1024 * 1024
_GLANCE = 0.1  # seconds between two looks at what another process does


class Download:
    """One file on its way to its target.

    Parameters
    ----------
    client : ArtifactClient
        How to fetch.
    artifact : Artifact
        What to fetch.
    target : Path
        Where to.
    interruption : Interruption
        Ends it from another thread.
    sha256 : str, optional
        What its SHA-256 must be, in hexadecimal.
    beside_others : bool
        Other threads download too; the bar goes when it is full.
    """

    def __init__(
        self,
        client: ArtifactClient,
        artifact: Artifact,
        target: Path,
        interruption: Interruption,
        *,
        sha256: str | None = None,
        beside_others: bool = False,
    ) -> None:
        self._client, self._settings = client, client.settings
        self._url, self._target = client.url_of(artifact), target
        # Of a bare route nothing is known, so there the target's name tells the format.
        known = {**artifact.__dict__, "filename": artifact.filename or target.name}
        self._artifact = Artifact(artifact, **known)
        self._interruption, self._sha256 = interruption, sha256
        self._manifest = Manifest(target.parent)
        self._beside_others = beside_others

    def run(self, *, refresh: bool = False) -> DownloadReport:
        """Fetch the file, and log one line about it.

        Parameters
        ----------
        refresh : bool
            Fetch it although it is there.

        Returns
        -------
        DownloadReport

        Raises
        ------
        ArtifactError
            If there is no file to be had.
        """
        started = time.monotonic()
        try:
            report = self._run(refresh)
        except ArtifactError as error:
            _LOG.warning(
                "%s was not downloaded to %s: %s",
                self._url,
                on_one_line(str(self._target)),
                on_one_line(str(error)),
            )
            raise
        report = replace(report, seconds=time.monotonic() - started)
        _LOG.info("%s in %.1f s", report, report.seconds)
        return report

    def _run(self, refresh: bool) -> DownloadReport:
        with storage_errors(self._url):
            is_folder = self._target.is_dir()
            before = None if is_folder else self._manifest.of(self._target.name)
        if is_folder:
            raise ArtifactStorageError(
                f"{self._target} is a folder; name a file in it", url=self._url
            )
        unlocked = False
        while True:
            with storage_errors(self._url):
                present = None if refresh else self._present()
            if present is not None:
                return present
            try:
                return self._copied() or self._fetched(
                    Landing(self._target, self._url, unlocked=unlocked)
                )
            except Unpublished:
                pass  # another process has just brought it, or we do it again
            except Busy as busy:
                unlocked = not self._wait_for(busy.partial)
            refresh = refresh and self._manifest.of(self._target.name) == before

    def _present(self) -> DownloadReport | None:
        """Report the file that is there, if the manifest shows that it is the one."""
        record = self._manifest.of(self._target.name)
        try:
            found = self._target.stat()
        except FileNotFoundError:
            return None
        if record is None or (record.url, record.size) != (self._url, found.st_size):
            return None
        if self._artifact.size not in (None, record.size):
            return None
        if self._sha256 is not None and record.sha256 != self._sha256.lower():
            return None
        untouched = record.is_of(found) and is_own(self._target)
        if not untouched and (record.sha256 is None or sha256_of(self._target) != record.sha256):
            return None
        return self._report(
            "present",
            size=record.size,
            sha256=record.sha256,
            validator=record.etag,
            verified_by=record.verified_by,
        )

    def _wait_for(self, partial: Partial) -> bool:
        """Wait for the other process; tell whether it is done, and not just idle."""
        size, since = partial.size, time.monotonic()
        try:
            while not partial.lock():
                self._interruption.pause(_GLANCE)
                if partial.size != size:
                    size, since = partial.size, time.monotonic()
                if time.monotonic() - since > self._settings.read_timeout:
                    return False  # to write beside it is right too
            return True
        finally:
            partial.release()

    def _copied(self) -> DownloadReport | None:
        """Copy the file from a mounted file system, if it is visible and right there."""
        local = self._client.open_local(self._artifact)
        if local is None:
            return None
        try:
            with local:
                return self._copied_from(local)
        except (ArtifactCorruptError, ArtifactTransferError) as error:
            if not self._client.online:
                raise
            _LOG.debug("%s is not copied from the file system: %s", self._url, error)
            return None

    def _copied_from(self, local: BinaryIO) -> DownloadReport:
        transfer = self._fetch().transfer
        partial = Partial(self._target, self._url, UNKNOWN)
        with closing(partial), self._bar() as bar:
            partial.check_space(os.fstat(local.fileno()).st_size)
            for piece in local_pieces(local, self._url, _BLOCK):
                self._interruption.check()
                partial.write(piece)
                transfer.inspection.see(transfer.offset, piece)
                transfer.offset += len(piece)
                bar.update(len(piece))
            self._check(partial, transfer)
            if self._artifact.size == transfer.offset:
                transfer.evidence.append(SIZE_IN_LIMS)
            return self._published(partial, transfer, "file system")

    def _fetched(self, landing: Landing) -> DownloadReport:
        """Fetch the file from the web application."""
        with closing(landing), self._bar() as bar:
            version, resumed_from = landing.resume(self._artifact.size) or (UNKNOWN, 0)
            fetch = self._fetch(version=version, offset=resumed_from)
            try:
                partial = self._whole(fetch, landing, bar)
            except ArtifactCorruptError:
                landing.discard()  # or the next download would go on with it
                raise
            return self._published(partial, fetch.transfer, "web application", resumed_from)

    def _whole(self, fetch: Fetch, landing: Landing, bar: Bar) -> Partial:
        """Bring the whole file into a partial file, in two attempts if the first is wrong."""
        while True:
            partial = self._complete(fetch, landing, bar)
            try:
                self._check(partial, fetch.transfer)
            except ArtifactCorruptError as error:
                fetch.reject(error)
            else:
                return partial

    def _fetch(self, **beginning: Any) -> Fetch:
        fetch = self._client.fetch(
            self._artifact,
            self._interruption,
            rewindable=True,
            beside_others=self._beside_others,
            **beginning,
        )
        if self._settings.sha256 or self._sha256:
            fetch.transfer.inspection.digests.want("sha256")
        return fetch

    def _complete(self, fetch: Fetch, landing: Landing, bar: Bar) -> Partial:
        """Write what the server sends to a partial file, until nothing is missing."""
        transfer = fetch.transfer
        while not transfer.complete:
            with closing(fetch.ask()) as response:
                partial = landing.follow(transfer)
                bar.total, bar.n = transfer.total, transfer.offset
                for piece in fetch.pieces(response):
                    partial.write(piece)
                    bar.update(len(piece))
        return landing.follow(transfer)

    def _check(self, partial: Partial, transfer: Transfer) -> None:
        """Compare what is on disk with what is known of the file."""
        if partial.size != transfer.offset:
            raise corrupt(self._url, "number of bytes on disk", transfer.offset, partial.size)
        transfer.evidence += transfer.inspection.check_structure(partial.read_at, transfer.offset)
        if self._sha256 is not None:
            found = (transfer.inspection.digests.at(transfer.offset, "sha256") or b"").hex()
            if found != self._sha256.lower():
                raise corrupt(self._url, "SHA-256", self._sha256, found)
            transfer.evidence.append("SHA-256 that was given")

    def _published(
        self, partial: Partial, transfer: Transfer, source: Source, resumed_from: int = 0
    ) -> DownloadReport:
        """Give the file its name, with a record of it beside it."""
        digest = transfer.inspection.digests.at(transfer.offset, "sha256")
        report = self._report(
            source,
            size=transfer.offset,
            received=transfer.received,
            attempts=transfer.patience.attempts,
            resumed_from=0 if transfer.restarts else resumed_from,
            restarts=transfer.restarts,
            validator=transfer.version.etag,
            sha256=digest.hex() if digest else None,
            verified_by=tuple(dict.fromkeys(transfer.evidence)),
        )
        there = partial.sync()
        with storage_errors(self._url):
            # Before the file has its name: a name without a record would be fetched again.
            self._manifest.add(
                Record.now(
                    name=self._target.name,
                    url=self._url,
                    size=report.size,
                    mtime_ns=there.st_mtime_ns,
                    sha256=report.sha256,
                    etag=report.validator,
                    verified_by=report.verified_by,
                )
            )
        partial.publish()
        return report

    def _report(self, source: Source, **columns: Any) -> DownloadReport:
        return DownloadReport(path=self._target, url=self._url, source=source, **columns)

    def _bar(self) -> AbstractContextManager[Bar]:
        return bar_of(self._settings, self._artifact, stays=not self._beside_others)
