"""What is different between two snapshots, such as those of two releases."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ecephys_dal.display import html_table, printable
from ecephys_dal.repositories import ProbeRepository, SessionRepository, UnitRepository
from ecephys_dal.snapshot.opening import SnapshotDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from ecephys_dal.repositories import Repository

__all__ = ["SnapshotDiff", "TableDiff", "diff"]

_FEW = 5
_REPOSITORIES: dict[str, type[Repository[Any, Any]]] = {
    "sessions": SessionRepository,
    "probes": ProbeRepository,
    "units": UnitRepository,
}


@dataclass(frozen=True, kw_only=True)
class TableDiff:
    """What is different in one table.

    Attributes
    ----------
    added, removed, changed : tuple of int
        Ids that only the new one has, that only the old one has, and whose row is different.
    columns : dict of str to int
        How many rows differ, by column.
    """

    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[int, ...]
    columns: Mapping[str, int]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, as values that JSON can hold."""
        ids = {name: list(getattr(self, name)) for name in ("added", "removed", "changed")}
        return {**ids, "columns": dict(self.columns)}


@dataclass(frozen=True, kw_only=True)
class SnapshotDiff:
    """What is different between two snapshots, in the rows that the rules show.

    Attributes
    ----------
    old, new : str
        The snapshots.
    sessions, probes, units : TableDiff
        What is different in each table.
    """

    old: str
    new: str
    sessions: TableDiff
    probes: TableDiff
    units: TableDiff

    def __bool__(self) -> bool:
        return any(one for _, one in self._tables())

    def _tables(self) -> Iterator[tuple[str, TableDiff]]:
        names = (one.name for one in fields(self))
        return ((name, getattr(self, name)) for name in names if name in _REPOSITORIES)

    def _rows(self) -> Iterator[tuple[str, str, int, str]]:
        for table, one in self._tables():
            for kind in ("added", "removed", "changed"):
                ids = getattr(one, kind)
                told = ", ".join(map(str, ids[:_FEW])) + (", ..." if len(ids) > _FEW else "")
                if kind == "changed" and ids:
                    told += f" in {', '.join(one.columns)}"
                yield table, kind, len(ids), told

    def __str__(self) -> str:
        lines = (f"  {n:>8,} {table} {kind}: {told}" for table, kind, n, told in self._rows() if n)
        same = () if self else ("  no difference in sessions, probes and units",)
        return printable("\n".join([f"{self.old} -> {self.new}", *lines, *same]))

    def _repr_html_(self) -> str:
        return html_table(("table", "", "number", "ids"), list(self._rows()))

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, as values that JSON can hold."""
        tables = {name: one.to_dict() for name, one in self._tables()}
        return {"old": self.old, "new": self.new, **tables}


def diff(old: str | Path, new: str | Path) -> SnapshotDiff:
    """Tell which sessions, probes and units were added, removed or changed.

    Parameters
    ----------
    old, new : str or Path
        Snapshots; of one filter, or the difference is that of the filters too.

    Returns
    -------
    SnapshotDiff

    Raises
    ------
    DatabaseUnavailableError, ConfigurationError
        If one of them is no snapshot that can be read.
    """
    with SnapshotDatabase(old) as before, SnapshotDatabase(new) as after:
        tables = {
            name: _compared(repository(before).frame(), repository(after).frame())
            for name, repository in _REPOSITORIES.items()
        }
    return SnapshotDiff(old=str(old), new=str(new), **tables)


def _compared(before: pd.DataFrame, after: pd.DataFrame) -> TableDiff:
    common = before.index.intersection(after.index)
    ours, theirs = before.loc[common], after.loc[common]
    differs = ~((ours == theirs).fillna(False) | (ours.isna() & theirs.isna()))
    per_column = differs.sum()
    return TableDiff(
        added=tuple(after.index.difference(before.index).tolist()),
        removed=tuple(before.index.difference(after.index).tolist()),
        changed=tuple(common[differs.any(axis=1).to_numpy()].tolist()),
        columns={str(name): int(n) for name, n in per_column.items() if n},
    )
