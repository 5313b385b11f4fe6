"""Reach the files: by the web application, and on a mounted file system."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import requests
from sqlalchemy import func, select
from urllib3.exceptions import HTTPError

from ecephys_dal.artifacts import locate
from ecephys_dal.artifacts.asking import answer_of
from ecephys_dal.artifacts.fetch import root_of
from ecephys_dal.artifacts.fields import (
    announced_digests,
    announced_size,
    content_range,
    is_encoded,
    strong_etag,
)
from ecephys_dal.artifacts.interruption import KeptWaiting
from ecephys_dal.artifacts.local import check_content
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.doctor.uses import FILE_METHODS, Users, columns_of
from ecephys_dal.errors import ArtifactCorruptError, ArtifactTransferError
from ecephys_dal.models import WellKnownFile
from ecephys_dal.repositories import SessionNwbRepository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ecephys_dal.artifacts import Artifact, ArtifactClient
    from ecephys_dal.artifacts.mounts import Mounts
    from ecephys_dal.doctor.asking import Lims

__all__ = ["Files"]

_USERS = Users(FILE_METHODS)
_IDENTITY = {"Accept-Encoding": "identity"}
_A_BYTE = {"Range": "bytes=0-0", **_IDENTITY}
_NEWEST = SessionNwbRepository.visible().with_only_columns(
    func.max(WellKnownFile.id), maintain_column_froms=True
)
_RECORD = select(
    WellKnownFile.id, WellKnownFile.filename, WellKnownFile.storage_directory, WellKnownFile.size
)


class Files:
    """One file of LIMS, by which it is seen how all of them are reached.

    Parameters
    ----------
    client : ArtifactClient
        Asks for it.
    file_id : int, optional
        Which; the newest NWB file in force without it.
    """

    def __init__(self, client: ArtifactClient, file_id: int | None) -> None:
        self._client, self._file_id = client, file_id
        self._artifact: Artifact | None = None
        if file_id is not None:  # of which no more is known until its record was read
            self._artifact = locate(WellKnownFile(id=file_id))

    def checks(self) -> tuple[Check, ...]:
        """Return what is to be looked at, in this order."""
        needs = columns_of(_RECORD) | (
            columns_of(_NEWEST) if self._file_id is None else frozenset()
        )
        return (
            Check("well_known_files", ("file_unknown",), self._choose, needs),
            Check("the web application", (), self._ask, of_database=False),
            Check("the mounted file system", (), self._look, of_database=False),
        )

    def _choose(self, lims: Lims) -> Iterator[Finding]:
        """Find the record of the file."""
        wanted = self._file_id
        if wanted is None:
            wanted = lims.rows(_NEWEST)[0][0]
        found = lims.rows(_RECORD.where(WellKnownFile.id == wanted))
        self._artifact = locate(WellKnownFile(**found[0]._asdict())) if found else None
        if not found:
            what = "NWB file in force" if self._file_id is None else f"file {self._file_id}"
            yield Finding.of("file_unknown", "well_known_files", f"there is no {what}")

    def _ask(self, lims: Lims) -> Iterator[Finding]:
        """Ask for the file, and for a byte of it; without a file, whether anybody answers."""
        url, started = self._client.url_of(self._artifact or ""), time.perf_counter()
        try:
            answer = self._answer(url, "HEAD", _IDENTITY, lims)
            seconds = time.perf_counter() - started
            part = self._answer(url, "GET", _A_BYTE, lims) if self._artifact else None
        except _Unreachable as error:
            yield self._finding("web_unreachable", url, f"it can't be reached: {error}")
            return
        told = f"it answers {answer.status_code} {answer.reason}".rstrip()
        facts = {"status": answer.status_code, "latency_ms": seconds * 1000}
        yield _well("web_unreachable", url, f"{told} in {seconds * 1000:.1f} ms", facts)
        if self._artifact is not None and part is not None:
            if answer.status_code != 200:
                yield self._finding("file_not_served", url, told)
                return
            yield _well("file_not_served", url, told)
            yield from self._compare_size(url, answer.headers)
            yield from self._support(url, answer.headers, part)

    def _answer(
        self, url: str, method: str, wanted: dict[str, str], lims: Lims
    ) -> requests.Response:
        http, settings = self._client.http, self._client.settings
        try:
            return answer_of(http, settings, url, method, wanted=wanted, longest=lims.time_limit)
        except KeptWaiting as error:
            raise _Unreachable("it sent no whole header in time") from error
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            # Their messages repeat what may be secret.
            raise _Unreachable("headers, auth or proxies hold odd characters") from None
        except (requests.RequestException, HTTPError, ValueError, ArtifactTransferError) as error:
            raise _Unreachable(str(root_of(error))) from error

    def _compare_size(self, url: str, fields: Mapping[str, str]) -> Iterator[Finding]:
        in_lims = self._artifact.size if self._artifact else None
        served = None if is_encoded(fields) else announced_size(fields)
        told = f"{_bytes(in_lims)} in LIMS, {_bytes(served)} from the server"
        if in_lims is None or served is None:
            yield self._finding("file_size_unknown", url, told)
        elif in_lims != served:
            yield self._finding("file_size_differs", url, told)
        else:
            yield _well("file_size_differs", url, told)

    def _support(
        self, url: str, fields: Mapping[str, str], part: requests.Response
    ) -> Iterator[Finding]:
        """Tell what the server can do beside sending a whole file."""
        is_part = part.status_code == 206 and content_range(part.headers) is not None
        etag, digests = strong_etag(fields), sorted({d.field for d in announced_digests(fields)})
        for code, there, what in (
            ("ranges_missing", is_part, f"answers {part.status_code} to a Range"),
            ("etag_missing", etag is not None, f"sends the ETag {fields.get('ETag')}"),
            ("digest_missing", bool(digests), f"sends {', '.join(digests) or 'no digest'}"),
        ):
            if there:
                yield _well(code, url, f"it {what}")
            else:
                yield self._finding(code, url, f"it {what}")

    def _look(self, lims: Lims) -> Iterator[Finding]:
        """Look for the file where it may be mounted, for no longer than the limit."""
        mounts, artifact = cast("Mounts | None", self._client.settings.mounts), self._artifact
        if mounts is None or artifact is None or not artifact.filename:
            return
        path = mounts.path(artifact.storage_directory, artifact.filename)
        if path is None:
            where = f"{artifact.storage_directory}{artifact.filename}"
            yield self._finding("file_not_mounted", where, "no path below a folder of mounts")
            return
        seen: list[Finding] = []
        # Nothing ends a wait for a file server that is gone, so it is left behind.
        thread = Thread(target=lambda: seen.append(self._seen(mounts, path, artifact)), daemon=True)
        thread.start()
        thread.join(lims.time_limit)
        told = f"no answer in {lims.time_limit:g} s"
        yield seen[0] if seen else self._finding("mount_stalled", str(path), told)

    def _seen(self, mounts: Mounts, path: Path, artifact: Artifact) -> Finding:
        try:
            file = mounts.opened(artifact.storage_directory, artifact.filename)
            if file is None:
                return self._finding("file_not_mounted", str(path), "it is not there")
            with file:
                evidence = check_content(file, artifact)
        except FileNotFoundError:
            return self._finding("file_not_mounted", str(path), "it is not there")
        except (OSError, ValueError, ArtifactCorruptError) as error:
            return self._finding("mounted_file_differs", str(path), str(error))
        return _well("mounted_file_differs", str(path), f"{', '.join(evidence) or 'there'}")

    @staticmethod
    def _finding(code: str, subject: str, message: str) -> Finding:
        return Finding.of(code, subject, message, users=_USERS)


class _Unreachable(Exception):  # noqa: N818 - never leaves this module
    """The web application gives no answer."""


def _well(code: str, subject: str, message: str, facts: Mapping[str, Any] | None = None) -> Finding:
    return Finding(severity="ok", code=code, subject=subject, message=message, facts=facts or {})


def _bytes(size: int | None) -> str:
    return "of unknown size" if size is None else f"{size} bytes"
