"""One file's bytes, to iterate over or to save, with the one retry loop."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import requests
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    stop_never,
    wait_random_exponential,
)
from tqdm.auto import tqdm
from urllib3.exceptions import HTTPError

from ecephys_dal.artifacts.locate import Route
from ecephys_dal.artifacts.verify import FileFormat
from ecephys_dal.errors import ArtifactCorruptError, ArtifactNotFoundError, ArtifactTransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ecephys_dal.artifacts.client import ArtifactClient

__all__ = ["ArtifactStream", "write_whole"]

T = TypeVar("T")

_WORTH_ANOTHER_TRY = frozenset({408, 429, *range(500, 600)})
_NOT_FOR_US = frozenset({401, 403, 404, 410})
_LONGEST_MAGIC = 8


class _Transient(ArtifactTransferError):  # noqa: N818 - never leaves this module
    """A failure that may be gone at the next attempt."""


class ArtifactStream:
    """The bytes of a file, fetched anew each time they are iterated over.

    Parameters
    ----------
    client : ArtifactClient
        How to fetch.
    route : str
        What to fetch; a `Route` also says what the file must look like.
    """

    def __init__(self, client: ArtifactClient, route: str) -> None:
        self.client = client
        self.route = route
        self.url = f"{client.settings.scheme}://{client.settings.host}/{route.lstrip('/')}"

    def __iter__(self) -> Iterator[bytes]:
        transfer = _Transfer(self, getattr(self.route, "file_format", None))
        response = transfer.persistently(transfer.ask)
        try:
            yield from transfer.body(response)
        except _Transient as error:
            raise ArtifactTransferError(
                f"{error}; what was handed out can't be taken back: fetch it anew, or by download",
                url=self.url,
                received=error.received,
            ) from error.__cause__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def save(self, path: str | Path) -> Path:
        """Fetch into a file, as `ArtifactClient.download` does."""
        target, route = Path(path), self.route
        # Of a bare path nothing is known, so there the file's name tells the format.
        known = route.file_format if isinstance(route, Route) else FileFormat.of(target.name)
        transfer = _Transfer(self, known)
        _publish(
            target,
            lambda partial: transfer.persistently(
                lambda: _write(partial, transfer.body(transfer.ask()))
            ),
        )
        return target


class _Transfer:
    """The attempts at one file: since when, and how far the last one got."""

    def __init__(self, stream: ArtifactStream, file_format: FileFormat | None) -> None:
        self.url = stream.url
        self.settings = stream.client.settings
        self.http = stream.client.http
        self.file_format = file_format
        self.recorded_size: int | None = getattr(stream.route, "size", None)
        self.started = time.monotonic()
        self.received = 0

    def persistently(self, step: Callable[[], T]) -> T:
        """Take a step, and again after a passing failure: the one retry loop."""
        settings = self.settings
        too_late = stop_before_delay(settings.timeout) if settings.timeout else stop_never
        retrying = Retrying(
            retry=retry_if_exception_type(_Transient),
            stop=stop_after_attempt(settings.attempts) | too_late,
            wait=wait_random_exponential(settings.backoff, settings.max_backoff),
            reraise=True,
        )
        try:
            return retrying(step)
        except _Transient as error:
            attempts = retrying.statistics["attempt_number"]
            raise ArtifactTransferError(
                f"{error}; gave up after {attempts} attempts, try again later",
                url=self.url,
                attempts=attempts,
                received=error.received,
            ) from error.__cause__

    def ask(self) -> requests.Response:
        """Make one request, and return the answer if it promises the file."""
        self.received = 0
        try:
            response = self.http.get(
                self.url,
                stream=True,
                timeout=(self.settings.connect_timeout, self.settings.read_timeout),
                headers={"Accept-Encoding": "identity"},
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise self._transient(
                f"can't be reached ({_root_of(error)}); check host and network"
            ) from error
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise ArtifactTransferError(
                f"{self.url} can't be asked for: {error}", url=self.url
            ) from error
        try:
            self._check_answer(response)
        except BaseException:
            response.close()
            raise
        return response

    def _check_answer(self, response: requests.Response) -> None:
        status = f"answered {response.status_code} {response.reason}"
        if response.status_code in _NOT_FOR_US:
            raise ArtifactNotFoundError(
                f"{self.url} {status}: there is no such file there, or not for us", url=self.url
            )
        if response.status_code in _WORTH_ANOTHER_TRY:
            raise self._transient(status)
        if response.status_code != 200:
            raise ArtifactTransferError(f"{self.url} {status}, not 200", url=self.url)
        encoding = response.headers.get("Content-Encoding", "").lower()
        if encoding not in ("", "identity"):
            raise self._corrupt("encoding, though none was asked for", "identity", encoding)
        announced = _announced_size(response)
        if announced and self.recorded_size and announced != self.recorded_size:
            raise self._corrupt("number of bytes", self.recorded_size, announced)

    def body(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the bytes of an answer; raise if they are not the file, or not all of it."""
        announced = _announced_size(response)
        total = self.recorded_size if announced is None else announced
        bar = tqdm(
            total=total,
            unit="B",
            unit_scale=True,
            desc="Downloading",
            disable=not self.settings.progress,
        )
        with response, bar:
            for chunk in self._checked(self._pieces(response)):
                bar.update(len(chunk))
                yield chunk
        if self.received == 0 or self.received != (total or self.received):
            raise self._transient(f"sent {self.received} of {total or '?'} bytes")

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Yield what arrives when it arrives, so that a slow transfer meets its deadline."""
        while True:
            try:
                piece = response.raw.read1(self.settings.chunksize)
            except HTTPError as error:
                raise self._transient(f"broke off ({_root_of(error)})") from error
            if not piece:
                return
            self.received += len(piece)
            timeout = self.settings.timeout
            if timeout and time.monotonic() > self.started + timeout:
                raise ArtifactTransferError(
                    f"{self.url} took longer than timeout={timeout} s",
                    url=self.url,
                    received=self.received,
                )
            yield piece

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces, the first one long enough to tell the format and checked for it."""
        start = b""
        for piece in pieces:
            start += piece
            if len(start) >= _LONGEST_MAGIC:
                break
        expected = self.file_format
        if start and expected is not None and not expected.begins(start):
            raise self._corrupt("beginning", expected.name, start[:32])
        if start:
            yield start
        yield from pieces

    def _transient(self, what: str) -> _Transient:
        return _Transient(f"{self.url} {what}", url=self.url, received=self.received)

    def _corrupt(self, what: str, expected: object, found: object) -> ArtifactCorruptError:
        return ArtifactCorruptError(
            f"{self.url} has the wrong {what}: expected {expected}, found {found!r}",
            url=self.url,
            expected=expected,
            found=found,
        )


def write_whole(path: str | Path, chunks: Iterable[bytes]) -> None:
    """Write an iterable of bytes to a file, whole or not at all."""
    _publish(Path(path), lambda partial: _write(partial, chunks))


def _announced_size(response: requests.Response) -> int | None:
    announced = response.headers.get("Content-Length", "")
    return int(announced) if announced.isascii() and announced.isdigit() else None


def _root_of(error: BaseException) -> BaseException:
    """Return what went wrong, of the layers that requests and urllib3 wrap around it."""
    if error.args and isinstance(error.args[0], BaseException):  # so requests wraps urllib3's
        error = error.args[0]
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def _publish(path: Path, write: Callable[[Path], None]) -> None:
    """Give a file its name only when it has been written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
