"""Ending a transfer from outside: because somebody asks, or because the server keeps it waiting."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interrupted", "Interruption", "KeptWaiting", "use_socket"]

_LOOKS = 4  # of the guard, while a wait is as long as it may be


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for it
    """A transfer was asked to end."""


class KeptWaiting(Exception):  # noqa: N818 - never leaves this package
    """A wait for the server took too long, and was ended by hanging up."""


class Interruption:
    """Ends a transfer in another thread: at its next step, in a wait, or while it reads.

    A socket's own time-out is one for each of its reads, of which a header, or the line with the
    size of a chunk, may take many when it drips. So a guard looks after each wait as a whole.
    """

    def __init__(self) -> None:
        self._event, self._lock = Event(), Lock()
        self._children: WeakSet[Interruption] = WeakSet()
        self._sock: socket.socket | None = None
        self._until: float | None = None
        self._hung_up = False
        self._guarded: Event | None = None

    def child(self) -> Interruption:
        """Return one for a single transfer, which ends when this one is set."""
        child = Interruption()
        with self._lock:
            self._children.add(child)
            if self._event.is_set():
                child.set()
        return child

    def set(self) -> None:
        """Ask the transfer to end, and wake it."""
        with self._lock:
            self._event.set()
            self._hang_up()
            children = list(self._children)
        for child in children:
            child.set()

    def check(self) -> None:
        """Raise if the transfer was asked to end."""
        if self._event.is_set():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Wait, or raise as soon as the transfer is asked to end."""
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def waiting(self, longest: float, connecting: float = 0) -> Iterator[None]:
        """Wait for the server in this block, for so many seconds at most.

        Parameters
        ----------
        longest : float
            Seconds; they count anew from when there is a connection.
        connecting : float
            Seconds that connecting may take before that.

        Raises
        ------
        KeptWaiting
            If it took longer.
        """
        with self._lock:
            self._until, self._hung_up = time.monotonic() + connecting + longest, False
            self._longest = longest
            if self._guarded is None:
                self._guarded = Event()
                interval, ended = longest / _LOOKS, self._guarded
                self._thread = Thread(target=self._guard, args=(interval, ended), daemon=True)
                self._thread.name = "ecephys_dal-guard"
                self._thread.start()
        token = _USER.set(self)
        try:
            yield
        finally:
            _USER.reset(token)
            with self._lock:  # so that the guard does not hang up in the middle of the next wait
                self._until, hung_up = None, self._hung_up
            if hung_up:
                raise KeptWaiting

    def _guard(self, interval: float, ended: Event) -> None:
        while not ended.wait(interval):
            with self._lock:
                if self._until is None:  # nobody waits; who does next starts another guard
                    if self._guarded is ended:
                        self._guarded = None
                    return
                if time.monotonic() > self._until:
                    self._hung_up = True
                    self._hang_up()

    def use(self, sock: socket.socket) -> None:
        """Hang up on this socket when the transfer is to end."""
        with self._lock:
            self._sock = sock
            if self._until is not None:
                self._until = time.monotonic() + self._longest
            if self._event.is_set():
                self._hang_up()

    def forget(self) -> None:
        """Use no socket any more, for it may serve another transfer by now."""
        with self._lock:
            self._sock = None
            ended, self._guarded = self._guarded, None
        if ended is not None:
            ended.set()
            self._thread.join()

    def _hang_up(self) -> None:
        if self._sock is not None:
            with suppress(OSError):  # it was closed at the same moment
                # Not the method of an SSL socket, which would forget the encryption.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


_USER: ContextVar[Interruption | None] = ContextVar("_USER", default=None)


def use_socket(sock: socket.socket | None) -> None:
    """Tell who waits in this thread which socket it waits for."""
    user = _USER.get()
    if user is not None and sock is not None:
        user.use(sock)
