"""The parts of a report in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["row", "table", "verdict"]


def row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def table(title: str, header: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a section that is a table; its first column is of text, the others of numbers."""
    yield from (f"## {title}", "")
    yield row(header)
    yield row(["---", *["---:"] * (len(header) - 1)])
    yield from map(row, rows)
    yield ""


def verdict(*, met: bool) -> str:
    """Say whether a target was met."""
    return "met" if met else "**missed**"
