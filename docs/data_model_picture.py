"""The picture of data-model.md: which table refers to which, drawn from the models as SVG."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.repositories import REPOSITORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTER, HEIGHT, ROW, GAP = 6.7, 24, 74, 14
STYLE = """<style>
  rect.ground { fill: #fff }
  rect.table { fill: #f1f3f5; stroke: #868e96 }
  rect.asked { fill: #d0ebff; stroke: #1971c2 }
  text { font: 11px monospace; fill: #212529; text-anchor: middle }
  path { fill: none; stroke: #868e96; stroke-width: 1.2 }
  path.nullable { stroke-dasharray: 4 3 }
</style>"""


@dataclass(eq=False)
class Box:
    """A table; or, without a name, the place where a line passes a row of tables."""

    name: str
    rank: int
    width: float = 0
    x: float = 0
    above: list[Box] = field(default_factory=list)
    below: list[Box] = field(default_factory=list)


@dataclass
class Line:
    """A reference, from the table that is referred to down to the one that has the column."""

    boxes: list[Box]
    nullable: bool


def picture() -> Iterator[str]:
    rows, lines = arranged()
    width = max(map(end, rows)) + GAP
    height = (len(rows) - 1) * ROW + HEIGHT + 2 * GAP
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img">'
    )
    yield from (STYLE, f'<rect class="ground" width="{width:.0f}" height="{height}"/>')
    yield from map(drawn_line, lines)
    asked = {one.model.__tablename__ for one in REPOSITORIES.values()}
    for box in (box for row in rows for box in row if box.name):
        yield from drawn_box(box, "asked" if box.name in asked else "table")
    yield "</svg>"


def arranged() -> tuple[list[list[Box]], list[Line]]:
    """Return the rows, each below what it refers to, and the lines between them."""
    references = referred()
    ranks = ranked(references)
    boxes = {name: Box(name, rank, len(name) * LETTER + 12) for name, rank in ranks.items()}
    rows: list[list[Box]] = [[] for _ in range(max(ranks.values()) + 1)]
    for box in boxes.values():
        rows[box.rank].append(box)
    lines = []
    for (child, parent), nullable in references.items():
        passed = [Box("", rank) for rank in range(ranks[parent] + 1, ranks[child])]
        for box in passed:
            rows[box.rank].append(box)
        lines.append(Line([boxes[parent], *passed, boxes[child]], nullable))
        for one, other in pairwise(lines[-1].boxes):
            one.below.append(other)
            other.above.append(one)
    place(rows)
    return rows, lines


def referred() -> dict[tuple[str, str], bool]:
    """Return whether a reference may be NULL, by the two tables; not those of one to itself."""
    found: dict[tuple[str, str], bool] = {}
    for name, table in sorted(LIMS_TABLES.items()):
        for column in table.columns:
            for key in column.foreign_keys:
                ends = name, key.column.table.name
                if ends[0] != ends[1]:
                    found[ends] = found.get(ends, True) and bool(column.nullable)
    return found


def ranked(references: dict[tuple[str, str], bool]) -> dict[str, int]:
    """Return the row of each table: below all that it refers to, and no higher than it must be."""
    parents, children = defaultdict(list), defaultdict(list)
    for child, parent in references:
        parents[child].append(parent)
        children[parent].append(child)

    def depth(name: str) -> int:
        return max((depth(parent) + 1 for parent in parents[name]), default=0)

    ranks = {name: depth(name) for name in sorted(LIMS_TABLES)}
    for name in sorted(ranks, key=ranks.__getitem__, reverse=True):
        ranks[name] = min((ranks[child] - 1 for child in children[name]), default=ranks[name])
    return ranks


def place(rows: list[list[Box]]) -> None:
    """Order the rows so that few lines cross, and centre them."""
    spread(rows)
    for turn in range(24):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            row.sort(key=lambda box: mean(box.above if down else box.below, box))
            spread([row])
    widest = max(map(end, rows))
    for row in rows:
        shift = (widest - end(row)) / 2 + GAP
        for box in row:
            box.x += shift


def end(row: list[Box]) -> float:
    return row[-1].x + row[-1].width


def mean(others: list[Box], box: Box) -> float:
    return sum(middle(one) for one in others) / len(others) if others else middle(box)


def middle(box: Box) -> float:
    return box.x + box.width / 2


def spread(rows: list[list[Box]]) -> None:
    for row in rows:
        x = 0.0
        for box in row:
            box.x, x = x, x + box.width + GAP


def drawn_line(line: Line) -> str:
    (x, y), *others = [(middle(box), top(box) + HEIGHT / 2) for box in line.boxes]
    way = f"M{x:.0f} {y:.0f}"
    for to_x, to_y in others:
        half = (y + to_y) / 2
        way += f" C{x:.0f} {half:.0f} {to_x:.0f} {half:.0f} {to_x:.0f} {to_y:.0f}"
        x, y = to_x, to_y
    kind = "nullable" if line.nullable else "demanded"
    return f'<path class="{kind}" d="{way}"/>'


def top(box: Box) -> float:
    return GAP + box.rank * ROW


def drawn_box(box: Box, kind: str) -> Iterator[str]:
    size = f'width="{box.width:.0f}" height="{HEIGHT}" rx="4"'
    yield f'<rect class="{kind}" x="{box.x:.0f}" y="{top(box):.0f}" {size}/>'
    # Told how long it is, a name fits into its box in whatever font there is.
    place = f'x="{middle(box):.0f}" y="{top(box) + 16:.0f}"'
    yield f'<text {place} textLength="{len(box.name) * LETTER:.0f}">{box.name}</text>'
