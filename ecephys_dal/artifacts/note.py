"""What stands beside a partial file: what it is a part of."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ecephys_dal.artifacts.version import Version
from ecephys_dal.safe_open import open_own

__all__ = ["Note", "this_boot"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def this_boot() -> str:
    """Return what names the time since this machine was started."""
    with suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return platform.node()


@dataclass(frozen=True)
class Note:
    """What a partial file is.

    Parameters
    ----------
    target, url : str
        The name that the file will have, and what it is a copy of.
    version : Version
        Of the content.
    """

    target: str
    url: str
    version: Version

    def write(self, path: Path) -> None:
        """Write the note; raise a `NotOursError` if what stands there may not be ours."""
        said = {
            "target": self.target,
            "url": self.url,
            "etag": self.version.etag,
            "total": self.version.total,
        }
        with open(open_own(path, os.O_RDWR | os.O_CREAT), "r+b") as file:  # noqa: PTH123
            file.write(json.dumps(said).encode())
            file.truncate()

    @classmethod
    def read(cls, path: Path) -> Note | None:
        """Return the note at this path, None if there is none of ours that can be understood."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            with open(open_own(path, os.O_RDONLY), "rb") as file:  # noqa: PTH123
                said = json.loads(file.read())
            etag, total = said["etag"], said["total"]
            if etag and isinstance(etag, str) and type(total) in (int, type(None)):
                return cls(said["target"], said["url"], Version(etag, total))
        return None
