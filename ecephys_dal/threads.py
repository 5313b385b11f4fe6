"""Thread pools that also work for threads that outlive the main thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, thread
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import ParamSpec, override

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ThreadPool"]

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool(ThreadPoolExecutor):
    """A pool of threads; once the main thread has ended, the thread that submits does the work.

    When the main thread ends, Python lets the threads of all pools end, and begins no new ones.
    Other threads may go on asking.
    """

    _is_ended = False  # by us: `_shutdown` is also set by a thread that Python ends

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_ended = True
        super().shutdown(wait, cancel_futures=cancel_futures)

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError:
            if self._is_ended or not thread._shutdown:  # noqa: SLF001
                raise
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future
