"""A folder for the caches of libraries, where the home folder can't be written to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["ensure_cache_folder"]


def ensure_cache_folder() -> None:
    """Name a temporary folder for caches, if theirs can't be made.

    pynwb makes a folder in the user's cache as soon as it is imported, and fails where the home
    folder is read-only, as in many containers.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
        writable = existing.is_dir() and os.access(existing, os.W_OK)
    except (OSError, RuntimeError):  # of a home that is not there, or not ours
        writable = False
    if not writable:
        os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="ecephys_dal-cache-")
