"""Ctrl-C while a driver waits for the database, and hears nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from threading import Thread

from ecephys_dal.cli.exits import NAME, Exit

__all__ = ["end_soon_after_interruption"]

_GRACE = 2.0  # seconds to tidy up in


def end_soon_after_interruption() -> None:
    """End the process some seconds after Ctrl-C, if it has not ended itself by then.

    Python raises its `KeyboardInterrupt` between two steps of its own, and to wait for an answer is
    one step of a driver's. The system's signal is heard at once.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    Thread(target=_watch, args=(heard, told), name="interruption", daemon=True).start()


def _watch(heard: socket.socket, _told: socket.socket) -> None:
    """Wait for the signal; the other end lives as long as this waits."""
    while signals := heard.recv(16):
        if signal.SIGINT in signals:
            time.sleep(_GRACE)
            os.write(2, f"{NAME}: interrupted\n".encode())
            os._exit(Exit.INTERRUPTED)
