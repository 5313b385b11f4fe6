"""The standard streams, each of which somebody may have closed."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["open_what_is_closed", "silence"]


def open_what_is_closed() -> None:
    """Let a standard stream that is closed lead nowhere.

    The next file that is opened would take its number, and then be written to: a database, say, by
    a message for stderr.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(nowhere)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def silence(stream: TextIO) -> None:
    """Let what was not written yet go nowhere, so that nothing complains at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
