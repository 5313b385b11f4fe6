"""How answers are shown: to a person, on a terminal, in a notebook, and as JSON."""

from __future__ import annotations

import datetime as dt
import math
import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["as_json", "html_table", "on_one_line", "printable", "shown", "without_passwords"]

# Control characters (C0, DEL, C1, all but tab and line feed), halves of surrogate pairs, and what
# nobody sees: marks of direction, joiners, separators, tags. Each steers a terminal, or can't be
# written to it, or makes a text look like another.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# In a URL, behind the user up to the last @ of a line, or to the end of a word that was cut there
# (a port is none); and the value of an option.
_PASSWORD = re.compile(
    r"""(:/{1,2}[^\s:/@\[]*:)(?:[^\n]*(?=@)|(?![0-9]{1,5}(?:[^0-9\w]|$))[^\s'"]+)"""
    r"""|((?:\b|/)[^\s:/@%'"=?&]*(?::(?!/)|%3A))\S*(?=@|%40)"""  # without slashes, or quoted
    r"""|((?i:password)\s*(?:=|%3D)\s*)(?:'[^']*'|[^&\s]+)"""
)


def printable(text: str) -> str:
    """Return a text with a ``?`` for each character that could steer a terminal, or hide there."""
    return _UNPRINTABLE.sub("?", text)


def on_one_line(text: str) -> str:
    """Return what `printable` does, which can't pass for several lines, as of a log."""
    return re.sub(r"[\t\n]", "?", printable(text))


def without_passwords(text: str) -> str:
    """Return a text without what stands where a password can stand, whoever repeats it.

    Nothing is hidden elsewhere: to hide a word that happens to be the password would tell it.
    """
    return _PASSWORD.sub(lambda found: f"{next(filter(None, found.groups()))}***", text)


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
