"""How answers are shown: to a person, in a notebook, and as JSON."""

from __future__ import annotations

import datetime as dt
import math
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["as_json", "html_table", "shown"]


def shown(value: Any) -> str:
    """Return a value of the database as a person reads it."""
    return "NULL" if value is None else str(value) if isinstance(value, dt.date) else repr(value)


def as_json(value: Any) -> Any:
    """Return a value of the database as one that JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def html_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table for a notebook; texts can't become tags."""
    return "".join(
        [
            "<table><thead>",
            _row("th", heads),
            "</thead><tbody>",
            *(_row("td", row) for row in rows),
            "</tbody></table>",
        ]
    )


def _row(tag: str, cells: Iterable[object]) -> str:
    written = "".join(f'<{tag} style="text-align: left">{escape(str(c))}</{tag}>' for c in cells)
    return f"<tr>{written}</tr>"
