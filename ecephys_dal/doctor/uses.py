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
from ecephys_dal.repositories.files import ON_NO_OLDER_RUN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm.interfaces import ORMOption

    from ecephys_dal.filters import Filter
    from ecephys_dal.repositories.statement import Where

__all__ = [
    "FILE_METHODS",
    "METHODS",
    "Asked",
    "Name",
    "Users",
    "columns_of",
    "name_of",
    "users_of",
    "users_of_repository",
]

Name = tuple[str, str]  # of a table, and of a column of it


class Asked(NamedTuple):
    """What a method asks of LIMS.

    Attributes
    ----------
    repository : type
        The repository.
    output : str
        Which of its methods; all but ``get`` are given a filter.
    where : ColumnElement or sequence of ColumnElement
        Further conditions.
    """

    repository: type[Repository[Any, Any]]
    output: str
    where: Where = ()


# The one place that knows what each method of `EcephysProjectLimsApi` asks.
METHODS = {
    "get_sessions": Asked(SessionRepository, "frame"),
    "get_probes": Asked(ProbeRepository, "frame"),
    "get_channels": Asked(ChannelRepository, "frame"),
    "get_units": Asked(UnitRepository, "frame"),
    "get_unit_analysis_metrics": Asked(UnitMetricRepository, "frame"),
    "get_isi_experiments": Asked(IsiExperimentRepository, "frame"),
    "get_session_data": Asked(SessionNwbRepository, "one"),
    "get_probe_lfp_data": Asked(ProbeLfpRepository, "one"),
    "get_natural_movie_template": Asked(TemplateRepository, "one"),
    "get_natural_scene_template": Asked(TemplateRepository, "one"),
    "list_files": Asked(FileRepository, "frame"),
    "locate": Asked(FileRepository, "entities", ON_NO_OLDER_RUN),
    "get_file": Asked(FileRepository, "get"),
}
FILE_METHODS = tuple(name for name, asked in METHODS.items() if asked.output in ("one", "get"))

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
    needs = (_of_methods(), _of_outputs())
    return Users(*(tuple(name for name in each if wanted & each[name]) for each in needs))


def users_of_repository(repository: type[Repository[Any, Any]]) -> Users:
    """Return who asks a repository."""
    return Users(
        tuple(name for name, asked in METHODS.items() if asked.repository is repository),
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
def _of_methods() -> Mapping[str, frozenset[Name]]:
    """Return the columns that each method of the facade needs; of files only their places."""
    return {name: _needs(asked, asked.repository.to_locate) for name, asked in METHODS.items()}


@cache
def _of_outputs() -> Mapping[str, frozenset[Name]]:
    """Return the columns that each output of each repository needs."""
    return {
        f"{repository.__name__}.{output}": _needs(Asked(repository, output))
        for repository in REPOSITORIES.values()
        for output in ("frame", "entities")
    }


def _needs(asked: Asked, options: Sequence[ORMOption] = ()) -> frozenset[Name]:
    repository = asked.repository(Session())  # nowhere, for its statements are only built
    spec = None if asked.output == "get" else _full_spec(repository.filter_type)
    if asked.output == "frame":
        return columns_of(repository._table(spec, asked.where))  # noqa: SLF001 - its statement
    records = repository.select(spec, where=asked.where)
    return columns_of(records.options(*repository.load, *options))


def _full_spec(filter_type: type[Filter]) -> Filter:
    """Return a filter with a condition in every field, so that all of its WHERE is there."""
    names = {field.name for field in fields(filter_type)} - {"without_rules"}
    hints = get_type_hints(filter_type, include_extras=True)
    return filter_type(**{name: _A_VALUE[hints[name]] for name in names})
