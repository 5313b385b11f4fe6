"""What a contestant is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Task"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to fetch, and where to.

    Parameters
    ----------
    host : str
        The server, and its port.
    server : int
        Its process.
    numbers : list of int
        The ids of the files.
    size : int
        Of each, in bytes.
    folder : str
        Where to.
    settings : dict
        Of the client.
    """

    host: str
    server: int
    numbers: list[int]
    size: int
    folder: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def routes(self) -> list[str]:
        """What to ask for."""
        return [f"well_known_files/download/{number}?wkf_id={number}" for number in self.numbers]

    @property
    def paths(self) -> list[Path]:
        """Where each goes."""
        return [Path(self.folder, f"{number}.nwb") for number in self.numbers]
