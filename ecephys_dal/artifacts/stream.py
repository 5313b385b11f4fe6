"""One transfer: the bytes of a file, to iterate over or to save, with the one retry loop."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from tqdm.auto import tqdm
from urllib3.exceptions import HTTPError

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
        yield from self._body(self._persistently(self._ask))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def save(self, path: str | Path) -> Path:
        """Fetch into a file, as `ArtifactClient.download` does."""
        target = Path(path)
        _publish(target, lambda partial: self._persistently(lambda: self._fetch(partial)))
        return target

    def _persistently(self, step: Callable[[], T]) -> T:
        """Take a step, and again after a passing failure: the one retry loop."""
        settings = self.client.settings
        retrying = Retrying(
            retry=retry_if_exception_type(_Transient),
            stop=stop_after_attempt(settings.attempts),
            wait=wait_random_exponential(settings.backoff, settings.max_backoff),
            reraise=True,
        )
        try:
            return retrying(step)
        except _Transient as error:
            raise ArtifactTransferError(
                f"{error}; gave up after {settings.attempts} attempts, try again later",
                url=self.url,
                attempts=settings.attempts,
                received=error.received,
            ) from error.__cause__

    def _fetch(self, partial: Path) -> None:
        _write(partial, self._body(self._ask()))

    def _ask(self) -> requests.Response:
        """Make one request, and return the answer if it promises the file."""
        settings = self.client.settings
        try:
            response = self.client.http.get(
                self.url,
                stream=True,
                timeout=(settings.connect_timeout, settings.read_timeout),
                headers={"Accept-Encoding": "identity"},
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Transient(
                f"{self.url} can't be reached ({_root_of(error)}); check host and network",
                url=self.url,
            ) from error
        except requests.RequestException as error:
            raise ArtifactTransferError(
                f"can't ask for {self.url}: {error}", url=self.url
            ) from error
        try:
            self._check_answer(response)
        except BaseException:
            response.close()
            raise
        return response

    def _check_answer(self, response: requests.Response) -> None:
        status = f"{self.url} answered {response.status_code} {response.reason}"
        if response.status_code in _NOT_FOR_US:
            raise ArtifactNotFoundError(
                f"{status}: there is no such file there, or not for us", url=self.url
            )
        if response.status_code in _WORTH_ANOTHER_TRY:
            raise _Transient(status, url=self.url)
        if response.status_code != 200:
            raise ArtifactTransferError(f"{status}, not 200", url=self.url)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise ArtifactCorruptError(
                f"{self.url} came encoded as {encoding}, which was not asked for",
                url=self.url,
                expected="identity",
                found=encoding,
            )

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the bytes of an answer; raise if they are not the file, or not all of it."""
        settings = self.client.settings
        deadline = time.monotonic() + settings.timeout if settings.timeout else None
        announced = response.headers.get("Content-Length")
        total = int(announced) if announced is not None else getattr(self.route, "size", None)
        received = 0
        bar = tqdm(
            total=total,
            unit="B",
            unit_scale=True,
            desc="Downloading",
            disable=not settings.progress,
        )
        with response, bar:
            for chunk in self._read(response):
                received += len(chunk)
                bar.update(len(chunk))
                yield chunk
                if deadline is not None and time.monotonic() > deadline:
                    raise ArtifactTransferError(
                        f"{self.url} took longer than timeout={settings.timeout} s",
                        url=self.url,
                        received=received,
                    )
        if received == 0 or (total is not None and received != total):
            raise _Transient(
                f"{self.url} sent {received} of {total if total is not None else '?'} bytes",
                url=self.url,
                received=received,
            )

    def _read(self, response: requests.Response) -> Iterator[bytes]:
        """Yield what arrives, the first piece long enough to tell the format and checked for it."""
        pieces = self._pieces(response)
        start = b""
        for piece in pieces:
            start += piece
            if len(start) >= _LONGEST_MAGIC:
                break
        expected = getattr(self.route, "file_format", None)
        if start and expected is not None and not expected.begins(start):
            raise ArtifactCorruptError(
                f"{self.url} is no {expected.name} file but begins with {start[:32]!r}",
                url=self.url,
                expected=expected,
                found=start[:32],
            )
        if start:
            yield start
        yield from pieces

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            # What is there, not what fills a buffer, so that a slow transfer meets its deadline.
            while piece := response.raw.read1(self.client.settings.chunksize):
                yield piece
        except HTTPError as error:
            raise _Transient(f"{self.url} broke off ({_root_of(error)})", url=self.url) from error


def _root_of(error: BaseException) -> BaseException:
    """Return what went wrong, of the layers that requests and urllib3 wrap around it."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: str | Path, chunks: Iterable[bytes]) -> None:
    """Write an iterable of bytes to a file, whole or not at all."""
    _publish(Path(path), lambda partial: _write(partial, chunks))


def _publish(path: Path, write: Callable[[Path], None]) -> None:
    """Give a file its name only when it has been written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
