"""What a kind of finding is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SEVERITIES", "Kind", "Severity"]

Severity = Literal["ok", "info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("ok", "info", "warning", "error")


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Parameters
    ----------
    code : str
        What it is called, for programs; it never changes.
    severity : {"info", "warning", "error"}
        How bad it is. An error: a method does not work. A warning: a method stumbles over some
        records, or something should be looked after. An info is only to be known.
    meaning, advice : str
        What it means and what to do, for a person.
    unneeded : {"info", "warning", "error"}, optional
        How bad it is where no method of `EcephysProjectLimsApi` is affected, if less.
    """

    code: str
    severity: Severity
    meaning: str
    advice: str
    unneeded: Severity | None = None
