"""Compare the tables and columns of a LIMS with those of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecephys_dal.doctor.catalogue import Catalogue, read_catalogue
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.families import family_of, fit_of
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.doctor.uses import name_of, users_of
from ecephys_dal.errors import nearest_name
from ecephys_dal.models import LIMS_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Table

    from ecephys_dal.doctor.asking import Lims

__all__ = ["LAYOUT"]

_CODES = (
    "table_missing", "table_renamed", "table_unreadable", "column_missing", "column_renamed",
    "column_unreadable", "type_unfit", "type_differs", "type_unknown", "column_nullable",
    "row_security", "columns_extra", "tables_extra",
)  # fmt: skip


def _compare(lims: Lims) -> Iterator[Finding]:
    catalogue = lims.catalogue = read_catalogue(lims)
    renamed: set[str] = set()
    extra: dict[str, list[str]] = {}
    for name, table in sorted(LIMS_TABLES.items()):
        if name in catalogue.columns:
            comparison = _Comparison(table, catalogue)
            yield from comparison.findings()
            extra |= {name: comparison.extra} if comparison.extra else {}
        else:
            yield _missing_table(table, catalogue, renamed)
    for name in catalogue.secured:
        message = "row-level security is active for the role"
        users = users_of(map(name_of, LIMS_TABLES[name].columns))
        yield Finding.of("row_security", name, message, users=users)
    if extra:
        yield _extra_columns(extra)
    if others := [name for name in catalogue.others if name not in renamed]:
        yield _extra_tables(others)


def _missing_table(table: Table, catalogue: Catalogue, renamed: set[str]) -> Finding:
    users = users_of(map(name_of, table.columns))
    near = nearest_name(table.name, set(catalogue.others) - renamed)
    if near is not None:
        renamed.add(near)
        message = f"there is no {table.name}; did you mean {near}?"
        return Finding.of("table_renamed", table.name, message, users=users)
    schema = catalogue.elsewhere.get(table.name)
    message = f"there is no {table.name}" + (
        f", but one in the schema {schema}, where the connection does not look" if schema else ""
    )
    return Finding.of("table_missing", table.name, message, users=users)


class _Comparison:
    """A table as the models and as the database have it."""

    def __init__(self, table: Table, catalogue: Catalogue) -> None:
        self.table, self.catalogue = table, catalogue
        self.found = catalogue.columns[table.name]
        self.extra = [name for name in self.found if name not in table.columns]

    def findings(self) -> Iterator[Finding]:
        unreadable = {c for c in self.found if (self.table.name, c) in self.catalogue.unreadable}
        if unreadable == self.found.keys():
            message = f"the role may not read {self.table.name}"
            users = users_of(map(name_of, self.table.columns))
            yield Finding.of("table_unreadable", self.table.name, message, users=users)
            unreadable = set()
        for column in self.table.columns:
            if column.name not in self.found:
                yield self._missing(column)
                continue
            if column.name in unreadable:
                yield self._finding("column_unreadable", column, "the role may not read it")
            yield from self._compare(column)

    def _missing(self, column: Column[Any]) -> Finding:
        family = family_of(column.type)
        alike = [name for name in self.extra if family_of(self.found[name]["type"]) == family]
        near = nearest_name(column.name, alike)
        if near is None:
            return self._finding("column_missing", column, "it is not there")
        self.extra.remove(near)
        return self._finding("column_renamed", column, f"it is not there; did you mean {near}?")

    def _compare(self, column: Column[Any]) -> Iterator[Finding]:
        found = self.found[column.name]
        if code := fit_of(column.type, found["type"], self.catalogue.dialect):
            declared = f"the models say {family_of(column.type)}"
            yield self._finding(code, column, f"it is of type {found['type']!r}, {declared}")
        may_tell = self.table.name not in self.catalogue.views  # of a view nothing is NOT NULL
        if may_tell and found["nullable"] and not column.nullable:
            yield self._finding("column_nullable", column, "it may be NULL")

    def _finding(self, code: str, column: Column[Any], message: str) -> Finding:
        subject = f"{column.table.name}.{column.name}"
        return Finding.of(code, subject, message, users=users_of([name_of(column)]))


def _extra_columns(extra: dict[str, list[str]]) -> Finding:
    n_columns = sum(map(len, extra.values()))
    listed = "; ".join(f"{table}: {', '.join(names)}" for table, names in extra.items())
    return Finding.of("columns_extra", "", f"{n_columns} in {len(extra)} tables: {listed}")


def _extra_tables(names: list[str]) -> Finding:
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return Finding.of("tables_extra", "", f"{len(names)}: {listed}")


LAYOUT = Check("the tables and columns", _CODES, _compare, is_essential=True)
