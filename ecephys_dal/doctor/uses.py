"""Which methods need which columns of LIMS, as the repositories' own statements tell."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.orm import Session

from ecephys_dal.filters.fields import Day, IdRange, Ids, Names
from ecephys_dal.repositories import (
    REPOSITORIES,
    ChannelRepository,
    FileRepository,
    IsiExperimentRepository,
    ProbeLfpRepository,
    ProbeRepository,
    Repository,
    SessionNwbRepository,
    SessionRepository,
    TemplateRepository,
    UnitMetricRepository,
    UnitRepository,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import ColumnElement

    from ecephys_dal.filters import Filter

__all__ = [
    "FILE_METHODS",
    "METHODS",
    "Name",
    "Users",
    "columns_of",
    "name_of",
    "users_of",
    "users_of_repository",
]

Name = tuple[str, str]  # of a table, and of a column of it

_RECORDS = ("entities", "get", "one")  # outputs that are no tables
_PLACE = ", the place of a file"

# The one place that knows what each method of `EcephysProjectLimsApi` asks.
METHODS: dict[str, tuple[type[Repository[Any, Any]], str]] = {
    "get_sessions": (SessionRepository, "frame"),
    "get_probes": (ProbeRepository, "frame"),
    "get_channels": (ChannelRepository, "frame"),
    "get_units": (UnitRepository, "frame"),
    "get_unit_analysis_metrics": (UnitMetricRepository, "frame"),
    "get_isi_experiments": (IsiExperimentRepository, "frame"),
    "get_session_data": (SessionNwbRepository, "one"),
    "get_probe_lfp_data": (ProbeLfpRepository, "one"),
    "get_natural_movie_template": (TemplateRepository, "one"),
    "get_natural_scene_template": (TemplateRepository, "one"),
    "list_files": (FileRepository, "frame"),
    "locate": (FileRepository, "entities"),
    "get_file": (FileRepository, "get"),
}
FILE_METHODS = tuple(name for name, (_, output) in METHODS.items() if output in ("one", "get"))

_A_VALUE: dict[Any, Any] = {Ids: (1,), Names: ("a",), Day: "2019-10-03", IdRange: (1, 2)}


class Users(NamedTuple):
    """Who needs a column: methods of the facade, and outputs of repositories."""

    methods: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def users_of(names: Iterable[Name]) -> Users:
    """Return who needs any of these columns.

    Parameters
    ----------
    names : iterable of (str, str)
        Tables and columns; of a table that is needed at all, all columns may be given.

    Returns
    -------
    Users
    """
    wanted = set(names)
    needed = {output for output, columns in _needs().items() if wanted & columns}
    return Users(
        tuple(name for name, asked in METHODS.items() if _read_by(*asked) in needed),
        tuple(output for output in _needs() if output in needed and not output.endswith(_PLACE)),
    )


def users_of_repository(repository: type[Repository[Any, Any]]) -> Users:
    """Return who asks a repository."""
    return Users(
        tuple(name for name, (asked, _) in METHODS.items() if asked is repository),
        (f"{repository.__name__}.frame", f"{repository.__name__}.entities"),
    )


def columns_of(statement: Any) -> frozenset[Name]:
    """Return the columns that a statement names when it is compiled, those of its joins too."""
    found: set[Name] = set()

    class Noting(PGCompiler):
        """Notes each column that it writes."""

        def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
            found.update(
                (base.table.name, base.name)
                for base in column.base_columns
                if isinstance(getattr(base, "table", None), Table)
            )
            return super().visit_column(column, *args, **kw)

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    dialect.statement_compiler = Noting  # type: ignore[assignment]
    statement.compile(dialect=dialect)
    return frozenset(found)


def name_of(column: ColumnElement[Any] | Any) -> Name:
    """Return the names of a model's attribute: of its table, and its own."""
    return column.table.name, column.name


@cache
def _needs() -> Mapping[str, frozenset[Name]]:
    """Return the columns that each output of each repository needs."""
    needs: dict[str, frozenset[Name]] = {}
    nowhere = Session()  # statements are only built
    for asked in REPOSITORIES.values():
        repository, spec = asked(nowhere), _full_spec(asked.filter_type)
        table = repository._table(spec, ())  # noqa: SLF001 - the statement of its frame
        records = repository.select(spec).options(*asked.load)
        needs[f"{asked.__name__}.frame"] = columns_of(table)
        needs[f"{asked.__name__}.entities"] = columns_of(records)
        needs[f"{asked.__name__}{_PLACE}"] = columns_of(records.options(*asked.to_locate))
    return needs


def _read_by(repository: type[Repository[Any, Any]], output: str) -> str:
    """Return what of `_needs` a method of the facade reads; of records only the file's place."""
    return f"{repository.__name__}{_PLACE if output in _RECORDS else f'.{output}'}"


def _full_spec(filter_type: type[Filter]) -> Filter:
    """Return a filter with a condition in every field, so that all of its WHERE is there."""
    names = {field.name for field in fields(filter_type)} - {"without_rules"}
    hints = get_type_hints(filter_type, include_extras=True)
    return filter_type(**{name: _A_VALUE[hints[name]] for name in names})
