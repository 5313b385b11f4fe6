"""A question: tried again if the connection breaks off, counted, timed and logged."""

from __future__ import annotations

import logging
import time
from json import JSONDecodeError
from typing import TYPE_CHECKING, TypeVar

from ecephys_dal.database.bulk import BulkUnfitError
from ecephys_dal.errors import ConnectionLostError, SchemaMismatchError, StatementRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tenacity import RetryCallState, Retrying
    from typing_extensions import Self

    from ecephys_dal.database.database import Database

__all__ = ["Question"]

_LOG = logging.getLogger(__name__)
_LONGEST = 30  # seconds to wait for the next attempt
T = TypeVar("T")


class Question:
    """One question of a repository; ``with`` it is counted and logged when it ends.

    Parameters
    ----------
    method : str
        What asks, such as ``UnitRepository.frame``, for logs and errors.
    database : Database, optional
        What is asked, which says how often a question is tried again. Without it the question is
        asked inside a transaction of the caller's, which a lost connection ends: it is asked once.

    Attributes
    ----------
    rows : int
        How many rows have come.
    seconds : float
        How long `ask` took so far.
    """

    def __init__(self, method: str, database: Database | None = None) -> None:
        self.method = method
        self.rows, self.seconds = 0, 0.0
        self._database = database

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns, which is made again if the connection breaks off.

        Raises
        ------
        ConnectionLostError
            If it broke off too often, or may not be tried again.
        SchemaMismatchError
            As the call raises it, naming the method.
        """
        began = time.perf_counter()
        try:
            answer = self._asked(call)
        except JSONDecodeError as error:
            raise SchemaMismatchError(
                f"{self.method}: LIMS holds text that is no JSON where JSON belongs: {error}",
                method=self.method,
            ) from error
        except StatementRefusedError as error:
            raise StatementRefusedError(f"{self.method}: {error}") from error.__cause__
        except SchemaMismatchError as error:
            raise SchemaMismatchError(
                f"{self.method}: {error}",
                table=error.table,
                column=error.column,
                method=self.method,
            ) from error.__cause__
        finally:
            self.seconds += time.perf_counter() - began
        return answer

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()  # the loop below would take longer than some answers
        except BulkUnfitError as error:  # in the middle of an answer
            if self._database is None or self._database.bulk is None:
                raise
            self._database.bulk.note(error, for_good=True)
            return self._asked(call)
        except ConnectionLostError as error:
            lost = error
        if self._database is None:
            raise ConnectionLostError(
                f"{self.method}: {lost}, but not within your ORM session, whose transaction is"
                " gone: roll it back and ask again"
            ) from lost.__cause__
        self._database.has_answered = True
        return self._again(call, self._database, [lost])

    def _again(
        self, call: Callable[[], T], database: Database, failures: list[ConnectionLostError]
    ) -> T:
        def attempt() -> T:
            if failures:
                raise failures.pop()  # the first attempt, that was made already
            return call()

        try:
            return self._retrying(database)(attempt)
        except ConnectionLostError as error:
            raise ConnectionLostError(
                f"{self.method}: {error}; gave up after retries={database.settings.retries}"
            ) from error.__cause__

    def _retrying(self, database: Database) -> Retrying:
        from tenacity import (  # noqa: PLC0415 - where no connection breaks off, nothing waits
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_exponential,
            wait_random_exponential,
        )

        settings = database.settings
        half, longest = settings.backoff / 2, _LONGEST / 2  # the other half is left to chance
        return Retrying(
            retry=retry_if_exception_type(ConnectionLostError),
            wait=wait_exponential(half, longest) + wait_random_exponential(half, longest),
            stop=stop_after_attempt(1 + settings.retries),
            before_sleep=self._note_retry,
            reraise=True,
        )

    def _note_retry(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        wait = state.upcoming_sleep
        _LOG.warning(
            "%s: %s; tried again in %.2f s",
            self.method,
            error,
            wait,
            extra={"method": self.method, "attempt": state.attempt_number, "wait": wait},
        )
        if self._database is not None:
            self._database.counters.add(retries=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        extra = {"method": self.method, "seconds": self.seconds, "rows": self.rows}
        if _LOG.isEnabledFor(logging.DEBUG):
            failed = "" if kind in (None, GeneratorExit) else f", failed with {kind.__name__}"
            _LOG.debug(
                "%s: %d rows in %.4f s%s",
                self.method,
                self.rows,
                self.seconds,
                failed,
                extra=extra,
            )
        if self._database is None:
            return
        self._database.counters.add(queries=1, rows=self.rows, seconds=self.seconds)
        limit = self._database.settings.slow_query_seconds
        if limit is not None and self.seconds > limit:
            _LOG.warning(
                "%s: %d rows took %.1f s, longer than slow_query_seconds=%g",
                self.method,
                self.rows,
                self.seconds,
                limit,
                extra=extra,
            )
