"""What it takes to import something; each run needs a new process."""

from __future__ import annotations

import pkgutil

__all__ = ["load"]


def load(names: list[str]) -> None:
    """Import packages, or what they hold, as ``package:name``."""
    for name in names:
        pkgutil.resolve_name(name)
