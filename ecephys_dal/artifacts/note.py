"""What stands beside a partial file: what it is a part of, and on which machine it was begun."""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ecephys_dal.artifacts.version import Version

__all__ = ["Note"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def _this_boot() -> str:
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
    boot : str
        Since which start of which machine it is written to. What another one wrote last may not
        have reached the disk, although the file is as long as if it had.
    """

    target: str
    url: str
    version: Version
    boot: str = field(default_factory=_this_boot)

    @property
    def is_ours(self) -> bool:
        """It was begun on this machine, since that was started."""
        return self.boot == _this_boot()

    def write(self, path: Path) -> None:
        """Write the note."""
        path.write_text(
            json.dumps(
                {
                    "target": self.target,
                    "url": self.url,
                    "etag": self.version.etag,
                    "total": self.version.total,
                    "boot": self.boot,
                }
            ),
            encoding="utf-8",
        )

    @classmethod
    def read(cls, path: Path) -> Note | None:
        """Return the note at this path, None if there is none that can be understood."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_text(encoding="utf-8"))
            etag, total = said["etag"], said["total"]
            if etag and isinstance(etag, str) and type(total) in (int, type(None)):
                return cls(said["target"], said["url"], Version(etag, total), said["boot"])
        return None
