"""What is asked about: databases of several sizes, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url, text

from benchmarks import dataset
from benchmarks.machine import name_of, parent_of
from ecephys_dal import Database, UnitRepository

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ecephys_dal import Repository

__all__ = ["Lims", "Material"]

# AllenSDK's class can't read a table of which a bundle is NULL.
_NO_NULL_BUNDLES = "delete from ecephys_unit_metric_bundles where data is null"
# The first bundles of current runs, cut to the first of their keys.
_FEW_BUNDLES = """
    delete from ecephys_unit_metric_bundles where id not in (
        select b.id from ecephys_unit_metric_bundles b
        join ecephys_analysis_runs r on r.id = b.ecephys_analysis_run_id
        where r.current order by b.id limit {bundles}
    )
"""
_FEW_KEYS = """
    update ecephys_unit_metric_bundles set data = (
        select json_object_agg(key, value)
        from (select key, value from json_each(data) limit {keys}) as first
    )
"""


class Lims:
    """A database, and what it holds.

    Parameters
    ----------
    url : str
        Of PostgreSQL or SQLite.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url)

    @cached_property
    def unit_ids(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The units that anybody may see."""
        return UnitRepository(self.database).ids()

    @cached_property
    def a_session(self) -> int:
        """A session whose units anybody may see."""
        return int(self._scalar("""
            select min(p.ecephys_session_id) from ecephys_probes p
            join ecephys_channels c on c.ecephys_probe_id = p.id
            join ecephys_units u on u.ecephys_channel_id = c.id where u.id = :id
        """, id=int(self.unit_ids[0])))  # fmt: skip

    @cached_property
    def version(self) -> str:
        """The server's, without that of its package."""
        return str(self._scalar("show server_version")).partition(" ")[0]

    @cached_property
    def server(self) -> int | None:
        """The process that started those that answer; None if it is on another machine."""
        process = int(self._scalar("select pg_backend_pid()"))
        return parent_of(process) if name_of(process) == "postgres" else None

    def _scalar(self, query: str, **values: object) -> Any:
        with self.database.connection() as connection:
            return connection.execute(text(query), values).scalar_one()

    def count(self, repository: type[Repository[Any, Any]]) -> int:
        """Return how many rows a table has."""
        return repository(self.database).count()

    def query(self, repository: type[Repository[Any, Any]]) -> str:
        """Return the query of a whole table, for those who know no more than SQL."""
        select = repository(self.database).select()
        query = select.with_only_columns(*repository.columns, maintain_column_froms=True)
        # All its values are constants of the visibility rules.
        return str(
            query.compile(
                dialect=self.database.engine.dialect, compile_kwargs={"literal_binds": True}
            )
        )


@dataclass(frozen=True)
class Material:
    """All that is asked about.

    Parameters
    ----------
    base : Lims
        What most questions are about.
    sizes : sequence of Lims
        Of few units to many.
    bundles : Lims
        With few bundles of few keys.
    sqlite : Lims
        In a file.
    """

    base: Lims
    sizes: Sequence[Lims]
    bundles: Lims
    sqlite: Lims

    @classmethod
    def of(cls, base: int, sizes: Sequence[int]) -> Material:
        """Find or make databases of about so many units.

        Parameters
        ----------
        base : int
            For most questions.
        sizes : sequence of int
            For the one question whose answer grows.
        """
        urls = dataset.databases(sorted({base, *sizes}))
        for url in urls.values():
            _change(url, _NO_NULL_BUNDLES)
        bundles = _with_few_bundles(urls[base])  # as long as nobody is connected to what is copied
        found = {size: Lims(url) for size, url in urls.items()}
        by_units = {len(lims.unit_ids): lims for lims in found.values()}
        return cls(
            base=found[base],
            sizes=[by_units[n_units] for n_units in sorted(by_units)],
            bundles=Lims(bundles),
            sqlite=Lims(dataset.sqlite_database(base)),
        )


def _with_few_bundles(template: str, bundles: int = 100_000, keys: int = 30) -> str:
    """Make, unless it is there, a copy of a database with other bundles; return its URL."""
    source = make_url(template)
    name, draft = f"{source.database}_bundles", f"{source.database}_bundles_draft"
    url, draft_url = (
        source.set(database=database).render_as_string(hide_password=False)
        for database in (name, draft)
    )
    if not _there(template, name):
        server = source.set(database="postgres").render_as_string(hide_password=False)
        _administer(server, f"drop database if exists {draft}")
        _administer(server, f"create database {draft} template {source.database}")
        _change(draft_url, _FEW_BUNDLES.format(bundles=bundles), _FEW_KEYS.format(keys=keys))
        _administer(draft_url, "vacuum (full, analyze) ecephys_unit_metric_bundles")
        _administer(server, f"alter database {draft} rename to {name}")
    return url


def _there(server: str, name: str) -> bool:
    with Database(server) as database, database.connection() as connection:
        found = text("select count(*) from pg_database where datname = :name")
        return bool(connection.execute(found, {"name": name}).scalar_one())


def _change(url: str, *statements: str) -> None:
    with Database(url, owned=True) as database, database.connection() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _administer(url: str, statement: str) -> None:
    """Do what can't be done in a transaction."""
    with Database(url, owned=True) as database:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
