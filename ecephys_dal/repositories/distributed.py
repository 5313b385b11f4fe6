"""A repository's table as a table of Dask's, whose parts are read wherever its tasks run."""

from __future__ import annotations

import os
import pickle
import reprlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, event, false, true
from sqlalchemy.ext import serializer
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.orm.util import AliasedClass

from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError, InvalidFilterError, SchemaMismatchError
from ecephys_dal.repositories.statement import F, M, check_count, clauses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import dask.dataframe as dd
    import pandas as pd
    from distributed import Semaphore
    from sqlalchemy import ColumnElement
    from sqlalchemy.pool import ConnectionPoolEntry

    from ecephys_dal.filters import Filter
    from ecephys_dal.frames import DtypeBackend
    from ecephys_dal.models import Base
    from ecephys_dal.repositories.base import Repository
    from ecephys_dal.repositories.statement import Where

__all__ = ["dask_frame"]

# Any id lies between. Dask counts with divisions as floats, which hold no larger int64.
_LEAST, _MOST = -(2**63), 2**63 - 1024
_CLASSES: dict[bytes, type[Repository[Any, Any]]] = {}  # that were sent, or came here
_LOADING = Lock()
_TURN = 2  # seconds; a cluster gives leases also to the dead, if they were waiting without an end


def dask_frame(
    repository: Repository[M, F],
    spec: F | None = None,
    npartitions: int = 8,
    *,
    where: Where = (),
    dtype_backend: DtypeBackend = "numpy",
    max_connections: int = 4,
) -> dd.DataFrame:
    """Return the matching records as a table of Dask's; needs the ``dask`` extra.

    Each partition is read where its task runs: in this process, or in a worker of a cluster. No
    password is in the task graph. If the database needs one, each worker takes LIMS_PASSWORD from
    its own environment.

    Parameters
    ----------
    spec : Filter, optional
        Records to keep; all visible ones without it.
    npartitions : int
        How many partitions at most, each of about as many records, as `partitions` cuts them.
    where : ColumnElement or list of ColumnElement
        Further conditions.
    dtype_backend : {"numpy", "numpy_nullable", "pyarrow"}
        Which family of dtypes, as in pandas.
    max_connections : int
        How many connections to the database are open at once, in the whole cluster. Tables of one
        database that are told the same number share them.

    Returns
    -------
    dask.dataframe.DataFrame, shape (n_records, n_columns)
        Indexed by id, ascending, with known divisions; computed, it is what `frame` gives. It is
        read when it is computed.

    Raises
    ------
    ConfigurationError
        If Dask is not installed, or another process can't open what the repository reads: an ORM
        session or an engine of the caller's, or a database in memory. When computed: if a worker
        has no LIMS_PASSWORD, or in other processes than this one without a cluster, because only
        a cluster can count their connections.
    InvalidFilterError
        If the spec is of another table, or a condition can't be sent to another process.

    Notes
    -----
    The columns are declared before a row is read. Those of `UnitMetricRepository` are the
    documented metrics of all session types, missing where a bundle has none. No other one is left
    out in silence: when computed, a metric that is not documented, or that is of another kind than
    documented, raises a `SchemaMismatchError`.
    """
    _need_dask()
    database = _sent(repository)
    repository.select(spec, where=where)  # raises if the question can't be asked
    check_count("max_connections", max_connections)
    part = _Part(
        # Dask takes tables of one name for the same; the records may have changed.
        name=f"{type(repository).__name__}-{uuid4().hex}",
        repository=type(repository),
        where=_pickled(and_(true(), *clauses_of(where)), repository, database),
        # Asked before the database is pickled, which then knows that it has answered.
        meta=_meta(repository, spec, where, dtype_backend),
        # A pickle in the graph's pickle: the scheduler, which loads the graph, needs no password.
        database=pickle.dumps(database),
        spec=repository._asked(spec),  # noqa: SLF001
        dtype_backend=dtype_backend,
        connections=_Connections(f"ecephys_dal, {database}", max_connections, os.getpid()),
    )
    ranges = [cut.id_range for cut in repository.partitions(spec, npartitions, where=where)]
    return _from_map(part, ranges)


def _from_map(part: _Part, ranges: Sequence[Any]) -> dd.DataFrame:
    import dask  # noqa: PLC0415 - an extra, and slow to import
    import dask.dataframe as dd  # noqa: PLC0415

    # The dtypes are those of `frame`, where Dask would rather have texts of Arrow's.
    with dask.config.set({"dataframe.convert-string": False}):
        frame: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
            part,
            ranges,
            meta=part.meta,
            divisions=(_LEAST, *(first for first, _ in ranges[1:]), _MOST),
            label=part.name,
        )
    return frame


def _meta(
    repository: Repository[M, F], spec: F | None, where: Where, dtype_backend: DtypeBackend
) -> pd.DataFrame:
    meta = repository.frame(spec, where=false(), dtype_backend=dtype_backend)
    meta.attrs.update(repository._origin(spec, where, dtype_backend))  # noqa: SLF001
    return meta


def _need_dask() -> None:
    try:
        import dask.dataframe  # noqa: F401, PLC0415 - an extra, and slow to import
        import distributed  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"tables of Dask's need Dask: install ecephys_dal[dask] ({error})"
        ) from error


def _sent(repository: Repository[Any, Any]) -> Database:
    """Return what a repository reads, if another process can open it too."""
    database = repository.db
    if isinstance(database, Database) and not database.is_the_callers:
        return database
    raise ConfigurationError(
        f"{type(repository).__name__} reads through an ORM session or an engine of yours, which no"
        " other process has; give it the URL of the database"
    )


def _pickled(
    where: ColumnElement[bool], repository: Repository[Any, Any], database: Database
) -> bytes:
    """Return a condition as bytes which, wherever they are loaded, mean the same."""
    dialect = database.engine.dialect
    try:
        # First of all, for SQLAlchemy can't pickle some types that it has not compiled yet.
        meant = str(repository.select(where=where).compile(dialect=dialect))
        pickled: bytes = serializer.dumps(where)  # type: ignore[no-untyped-call]
        loaded = _loaded(pickled, repository.model)
        understood = str(repository.select(where=loaded).compile(dialect=dialect))
    except Exception as error:
        raise _unsendable(where) from error
    if understood != meant:
        raise _unsendable(where)
    return pickled


def _loaded(pickled: bytes, model: type[Base]) -> Any:
    return serializer.loads(pickled, model.metadata)  # type: ignore[no-untyped-call]


def _unsendable(where: object) -> InvalidFilterError:
    return InvalidFilterError(
        f"where={reprlib.repr(str(where))} can't be sent to other processes; give comparisons of"
        " the models' columns, and ids by the filter"
    )


def _sendable(repository: type[Repository[Any, Any]]) -> bytes:
    """Return a class as bytes; one that no module has goes along with all that stands in it."""
    import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415 - Dask's

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def persistent_id(self, value: Any) -> Any:
            return serializer.Serializer.persistent_id(self, value)  # type: ignore[no-untyped-call]

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, QueryableAttribute):
                return getattr, (value.parent.entity, value.key)
            if isinstance(value, AliasedClass):  # without the attributes that it keeps
                state = {name: value.__dict__[name] for name in ("_aliased_insp", "__name__")}
                return object.__new__, (AliasedClass,), state
            return super().reducer_override(value)

    model, file = repository.model, BytesIO()
    if model.__module__ == "__main__":
        raise ConfigurationError(
            f"{model.__name__}, the model of {repository.__name__}, can't be sent to other"
            " processes; define it in a module that the workers can import"
        )
    try:
        Pickler(file).dump(repository)
    except Exception as error:
        raise ConfigurationError(
            f"{repository.__name__} can't be sent to other processes: {error}; define it in a"
            " module that the workers can import"
        ) from error
    pickled = pickle.dumps((model, file.getvalue()))
    _CLASSES[pickled] = repository
    return pickled


def _class_of(pickled: bytes) -> type[Repository[Any, Any]]:
    """Return the class that was sent, which is one for all parts in a process."""
    with _LOADING:
        if pickled not in _CLASSES:
            model, content = pickle.loads(pickled)  # noqa: S301 - ours
            _CLASSES[pickled] = _loaded(content, model)
        return _CLASSES[pickled]


@dataclass(frozen=True)
class _Connections:
    """At most so many connections to a database."""

    database: str
    most: int
    process: int

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold one of the connections, as soon as one is free."""
        semaphore = self._semaphore()
        while not semaphore.acquire(timeout=_TURN):
            pass  # ask again
        try:
            yield
        finally:
            semaphore.release()

    def _semaphore(self) -> BoundedSemaphore | Semaphore:
        if (worker := _worker()) is not None:
            return _of_cluster(worker, self.database, self.most)
        if os.getpid() == self.process:
            return _of_process(self.database, self.most)
        raise ConfigurationError(
            "without a cluster, other processes can't keep to max_connections; compute in threads,"
            " or make a distributed.Client() first"
        )


def _worker() -> str | None:
    """Return the id of the cluster's worker that runs this task, if one does."""
    from distributed import get_worker  # noqa: PLC0415 - an extra, and slow to import

    try:
        return str(get_worker().id)
    except ValueError:
        return None


@cache
def _of_process(database: str, most: int) -> BoundedSemaphore:  # noqa: ARG001 - each has its own
    return BoundedSemaphore(most)


@cache
def _of_cluster(worker: str, database: str, most: int) -> Semaphore:  # noqa: ARG001
    """Return a worker's access to the cluster's leases; what a dead worker held is given back."""
    from distributed import Semaphore  # noqa: PLC0415

    return Semaphore(most, f"{database}, {most} connections")  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _Part:
    """Reads a part of a table, in whatever process."""

    name: str
    repository: type[Repository[Any, Any]] | bytes
    database: bytes
    where: bytes
    spec: Filter
    meta: pd.DataFrame
    dtype_backend: DtypeBackend
    connections: _Connections

    def __getstate__(self) -> dict[str, Any]:
        sent = self.repository
        return {**self.__dict__, "repository": sent if isinstance(sent, bytes) else _sendable(sent)}

    def __dask_tokenize__(self) -> str:
        # Dask can't make one of a class that stands in no file, as in a notebook.
        return self.name

    def __call__(self, id_range: tuple[int | None, int | None]) -> pd.DataFrame:
        """Read the records of a range of ids."""
        # The lease is given back when nothing is open any more.
        with self.connections.lease(), pickle.loads(self.database) as database:  # noqa: S301 - ours
            event.listen(database.engine, "checkin", _hang_up)
            known = self.repository
            repository = (_class_of(known) if isinstance(known, bytes) else known)(database)
            frame = repository.frame(
                replace(self.spec, id_range=id_range),
                where=_loaded(self.where, repository.model),
                dtype_backend=self.dtype_backend,
            )
        return _declared(frame, self.meta)


def _hang_up(_connection: object, record: ConnectionPoolEntry) -> None:
    """Close what the pool would keep, so that the next connection is the only one."""
    record.invalidate()


def _declared(frame: pd.DataFrame, meta: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the declared columns; nothing is left out or converted."""
    odd = [name for name in frame if name not in meta or frame[name].dtype != meta[name].dtype]
    if odd:
        raise SchemaMismatchError(
            f"columns {reprlib.repr(odd)} are not among the declared ones, or of another kind; read"
            " these records by frame or chunks, whose columns are what the records hold"
        )
    missing = meta[meta.columns.difference(frame.columns)].reindex(frame.index)
    declared: pd.DataFrame = frame.assign(**missing)[list(meta)]
    declared.attrs = dict(meta.attrs)  # of the whole, so that joined parts have them too
    return declared
