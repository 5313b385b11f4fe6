"""Ctrl-C in tests that are run where nobody hears it."""

from __future__ import annotations

import signal


def hear_interruptions() -> None:
    """Let SIGINT interrupt this process and its children, also in a job that ignores it.

    A job in the background, nohup and many CI systems begin with SIGINT ignored, and Python leaves
    it so; a handler of its own is no part of what a child inherits.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
