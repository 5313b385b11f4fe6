"""Drive a transfer by blocking requests: the one place that asks, reads and tries again."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import HTTPError

from ecephys_dal.artifacts.asking import longest_wait, request
from ecephys_dal.artifacts.interruption import KeptWaiting
from ecephys_dal.artifacts.redirects import Redirections
from ecephys_dal.artifacts.refusals import Transient, permanent
from ecephys_dal.errors import ArtifactTransferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecephys_dal.artifacts.interruption import Interruption
    from ecephys_dal.artifacts.settings import ArtifactSettings
    from ecephys_dal.artifacts.transfer import Transfer
    from ecephys_dal.errors import ArtifactCorruptError

__all__ = ["Fetch", "root_of"]


class Fetch:
    """One transfer, and the connections it uses.

    Parameters
    ----------
    http : requests.Session
        The connections.
    settings : ArtifactSettings
        How to ask.
    transfer : Transfer
        Decides.
    interruption : Interruption
        Ends it from another thread.
    beside_others : bool
        Several threads read. The heap of each keeps some of what it gave back, so they read in
        smaller pieces.
    """

    def __init__(
        self,
        http: requests.Session,
        settings: ArtifactSettings,
        transfer: Transfer,
        interruption: Interruption,
        *,
        beside_others: bool = False,
    ) -> None:
        self._chunksize = settings.chunksize // (2 if beside_others else 1) or 1
        self.transfer, self.interruption = transfer, interruption
        self._http, self._settings = http, settings
        self._failure: Transient | None = None

    def ask(self) -> requests.Response:
        """Ask until there is an answer that can be used: the one retry loop.

        Returns
        -------
        requests.Response
            Its body is for `pieces`, which must be used up or closed.

        Raises
        ------
        ArtifactError
            If there is none, or too many attempts in a row have brought no progress.
        """
        patience = self.transfer.patience
        retrying = Retrying(
            retry=retry_if_exception_type(Transient),
            wait=lambda state: patience.wait(_error_of(state)),
            stop=lambda state: patience.exhausted or patience.overdue(state.upcoming_sleep),
            sleep=self.interruption.pause,
            reraise=True,
        )
        try:
            return retrying(self._attempt)
        except Transient as error:
            why = (
                f"of which the last {patience.fruitless} brought nothing"
                if patience.exhausted
                else f"for timeout={self._settings.timeout} s leave no time for another"
            )
            raise ArtifactTransferError(
                f"{error}; gave up after {patience.attempts} attempts, {why}; try again later",
                url=self.transfer.url,
                attempts=patience.attempts,
                received=self.transfer.offset,
            ) from error.__cause__
        except ArtifactTransferError as error:
            self._count(error)
            raise

    def reject(self, error: ArtifactCorruptError) -> None:
        """Begin anew after bytes that were wrong, at the next `ask`; once."""
        self._failure = self.transfer.reject(error)
        self.transfer.fail(self._failure)

    def _attempt(self) -> requests.Response:
        # A body that broke off is a failure to be waited for like any other.
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        try:
            response = self._send()
            try:
                self.transfer.answer(response.status_code, response.reason, response.headers)
            except BaseException:
                response.close()
                raise
        except BaseException as error:
            self.interruption.forget()
            if isinstance(error, Transient):
                self.transfer.fail(error)
            raise
        return response

    def _send(self) -> requests.Response:
        """Ask, and follow redirections."""
        wanted = self.transfer.fields()
        way = Redirections(self.transfer.url, self._settings.allowed_redirect_hosts)
        while True:
            self.interruption.check()
            response = self._request(way, wanted)
            try:
                if not way.follow(response):
                    return response
            except BaseException:
                response.close()
                raise
            response.close()

    def _request(self, way: Redirections, wanted: dict[str, str]) -> requests.Response:
        origin, left = self.transfer.url, self.transfer.patience.left()
        try:
            return request(
                self._http,
                self._settings,
                "GET",
                way,
                wanted,
                longest=left,
                interruption=self.interruption,
            )
        except KeptWaiting as error:
            self.interruption.check()
            raise self.transfer.passing("sent no whole header in time") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            self.interruption.check()
            if isinstance(root := root_of(error), ssl.SSLCertVerificationError):
                raise permanent(
                    origin, f"shows a certificate that is not trusted: {root}"
                ) from error
            raise self.transfer.passing(
                f"can't be reached ({root}); check host and network"
            ) from error
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            # Their messages repeat what may be secret.
            raise permanent(
                origin, "can't be asked for: headers, auth or proxies hold odd characters"
            ) from None
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise permanent(origin, f"can't be asked for: {error}") from error

    def pieces(self, response: requests.Response) -> Iterator[bytes | memoryview]:
        """Yield what an answer brings that is new; a failure is kept for the next `ask`."""
        try:
            if self.transfer.complete:
                return  # by its status alone, and the body is a page about that
            while piece := self._read(response):
                new = self.transfer.feed(piece, self._seconds)
                while new or self.transfer.body.holds_back:
                    if new:
                        yield new
                    self.interruption.check()
                    new = self.transfer.feed(b"", 0.0) if self.transfer.body.holds_back else b""
            self.interruption.check()
            self.transfer.end()
        except Transient as error:
            self.transfer.fail(error)
            self._failure = error
        except ArtifactTransferError as error:
            self._count(error)
            raise
        finally:
            self.interruption.forget()
            response.close()

    def _count(self, error: ArtifactTransferError) -> None:
        """Let an error that lasts say what was tried before it."""
        error.attempts, error.received = self.transfer.patience.attempts, self.transfer.offset

    def _read(self, response: requests.Response) -> bytes:
        """Read what is there, so that each failure keeps what had arrived."""
        self.interruption.check()
        started = time.perf_counter()
        try:
            with self.interruption.waiting(self._longest_wait()):
                piece: bytes = response.raw.read1(self._chunksize, decode_content=False)
        except KeptWaiting as error:
            self.interruption.check()
            raise self.transfer.passing("sent nothing that could be used in time") from error
        except HTTPError as error:
            self.interruption.check()
            raise self.transfer.passing(f"broke off ({root_of(error)})") from error
        self._seconds = time.perf_counter() - started
        return piece

    def _longest_wait(self) -> float:
        return min(longest_wait(self._settings), max(self.transfer.patience.left(), 0.0) + 0.1)


def _error_of(state: RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()


def root_of(error: BaseException) -> BaseException:
    """Return what went wrong, of the layers that requests and urllib3 wrap around it."""
    while True:
        wrapped = [one for one in (*error.args[:1], error.__cause__) if isinstance(one, Exception)]
        if not wrapped:
            return error
        error = wrapped[0]
