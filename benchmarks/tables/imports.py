"""What it takes to import packages; each run needs a new process."""

from __future__ import annotations

import importlib

__all__ = ["load"]


def load(packages: list[str]) -> None:
    """Import packages."""
    for package in packages:
        importlib.import_module(package)
