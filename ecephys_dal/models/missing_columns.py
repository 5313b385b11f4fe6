"""Load records from a database that lacks some column of a model; to read it names the column.

No table is looked at before a statement has failed, and then once for each engine. The statement is
sent again, without what is missing, where that loses nothing: SQLite goes on after an error, and
PostgreSQL begins a transaction anew in which nothing was done, or which can't write.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect, text
from sqlalchemy.engine import ObjectKind
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ColumnProperty, Session
from sqlalchemy.orm.base import PASSIVE_NO_RESULT, PASSIVE_OFF, SQL_OK
from sqlalchemy.orm.interfaces import CompileStateOption, LoaderStrategy
from sqlalchemy.sql.visitors import InternalTraversal

from ecephys_dal.database import (
    FOUND_BY_NAME,
    raise_without_query,
    schema_of,
    translated_errors,
)
from ecephys_dal.errors import SchemaMismatchError
from ecephys_dal.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.orm import InstanceState, ORMExecuteState
    from sqlalchemy.orm.base import PassiveFlag

    Name = tuple[str, str]  # of a table, and of a column of it
    Known = dict[tuple[str | None, str], frozenset[Name]]

__all__ = ["can_ask_again"]

# By engine, then by schema and table, what that is known to lack.
_KNOWN: WeakKeyDictionary[Engine, Known] = WeakKeyDictionary()
_MAY_RESTART = "ecephys_dal_may_restart"
# The option that SQLAlchemy takes of a column for which the caller gives none.
_OTHERWISE = ("loader", ("column:_sa_default",))
_READABLE = text(f"""
    SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relname = ANY (:tables) AND {FOUND_BY_NAME} AND relkind IN ('r', 'p', 'v', 'm', 'f')
        AND attnum > 0 AND NOT attisdropped
        AND has_column_privilege(pg_class.oid, attnum, 'SELECT')
""")  # noqa: S608


class _Without(CompileStateOption):
    """An option of a statement, and of those that load what belongs to its records.

    Parameters
    ----------
    missing : frozenset of (str, str)
        The columns that are not loaded, unless an option of the caller's names them.
    given : loader option, optional
        The caller's for the others, such as ``load_only``.
    """

    propagate_to_loaders = True
    strategy = (("ecephys_dal_missing", True),)
    local_opts: Mapping[str, Any] = MappingProxyType({})
    _traverse_internals = [("missing", InternalTraversal.dp_plain_obj)]  # noqa: RUF012 - typed so

    def __init__(self, missing: frozenset[Name], given: Any = None) -> None:
        self.missing, self.given = missing, given

    def process_compile_state(self, compile_state: Any) -> None:
        loaders = compile_state.attributes
        for key in (_OTHERWISE, *filter(_is_of_others, loaders)):
            given = loaders.get(key)
            given = given.given if isinstance(given, _Without) else given  # an older one of ours
            loaders[key] = _Without(self.missing, given)

    def process_compile_state_replaced_entities(self, compile_state: Any, _: Any) -> None:
        self.process_compile_state(compile_state)

    def __reduce__(self) -> Any:
        return _Without, (self.missing,)


def _is_of_others(key: Any) -> bool:
    """Return True of a key of SQLAlchemy's for all columns that no option names."""
    return key[0] == "loader" and str(key[1][-1]) == "column:*"


@ColumnProperty.strategy_for(**dict(_Without.strategy))
class _LoadIfThere(LoaderStrategy):
    """Loads a column as the caller or its model says, unless it is missing."""

    def setup_query(  # type: ignore[override]
        self, state: Any, entity: Any, path: Any, option: Any, *more: Any, **named: Any
    ) -> None:
        prop: Any = self.parent_property
        if _name(prop) not in option.missing:
            self._other(option).setup_query(state, entity, path, option.given, *more, **named)
        elif named.get("only_load_props") == {prop.key}:  # an attribute is read that was deferred
            raise _error(prop.parent.class_.__name__, *_name(prop))

    def create_row_processor(
        self, context: Any, entity: Any, path: Any, option: Any, *more: Any
    ) -> None:
        prop: Any = self.parent_property
        if _name(prop) not in option.missing:
            self._other(option).create_row_processor(context, entity, path, option.given, *more)
            return
        *_, populators = more
        populators["new"].append((prop.key, lambda state, *_: _mark(state, prop)))

    def _other(self, option: _Without) -> Any:
        prop: Any = self.parent_property
        strategy = getattr(option.given, "strategy", None)
        return prop._get_strategy(strategy) if strategy else prop.strategy  # noqa: SLF001


class _Missing:
    """What an attribute is loaded by whose column is missing."""

    def __init__(self, table: str, column: str) -> None:
        self.table, self.column = table, column

    def __call__(self, state: InstanceState[Any], passive: PassiveFlag = PASSIVE_OFF) -> Any:
        if not passive & SQL_OK:
            return PASSIVE_NO_RESULT
        raise _error(repr(state.obj()), self.table, self.column)


def _error(record: str, table: str, column: str) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"{record} was loaded without {column}: its database has no column {table}.{column}, or"
        " none that the role may read; do without it, or ask for a view that has it",
        table=table,
        column=column,
    )


def _mark(state: InstanceState[Any], prop: Any) -> None:
    state.expired_attributes.discard(prop.key)
    state.callables = {**state.callables, prop.key: _Missing(*_name(prop))}


@event.listens_for(Base, "expire", propagate=True, raw=True)
def _mark_again(state: InstanceState[Any], keys: Collection[str] | None) -> None:
    """Keep to what is missing when the end of a transaction makes a record forget its values."""
    for option in state.load_options:
        if isinstance(option, _Without):
            for prop in state.mapper.column_attrs:
                if (keys is None or prop.key in keys) and _name(prop) in option.missing:
                    _mark(state, prop)


def _name(prop: Any) -> Name:
    column = prop.columns[0]
    return getattr(column.table, "name", ""), column.name  # an expression has no table


@event.listens_for(Session, "do_orm_execute")
def _load(state: ORMExecuteState) -> Any:
    """Load records of ours without the columns that are missing."""
    if not state.is_select or not issubclass(getattr(state.bind_mapper, "class_", object), Base):
        return None
    try:
        return _answer(state)
    except DBAPIError as error:
        if state.is_column_load and (ours := _want(error)) is not None:
            raise_without_query(ours, error)  # for an attribute is being read
        raise


def _answer(state: ORMExecuteState) -> Any:
    bind = state.session.get_bind(**state.bind_arguments)
    schema = schema_of(bind, state.execution_options)
    missing = _missing(bind, schema)
    statement: Any = state.statement
    may_restart = _MAY_RESTART in state.session.info or _can_restart(bind)
    may_restart = may_restart or _is_at_the_beginning(
        state.session.connection(state.bind_arguments)
    )
    try:
        result = state.invoke_statement(statement.options(_Without(missing)) if missing else None)
        _note_whole(state, bind, schema)
    except DBAPIError as error:
        if _want(error) is None:
            raise
        if not may_restart:
            _KNOWN.pop(bind.engine, None)  # the next time it is looked at beforehand
            raise
        connection = state.session.connection(state.bind_arguments)
        _restart(connection)
        _look(connection, schema)
        if missing == (found := _missing(bind, schema)):
            raise
        result = state.invoke_statement(statement.options(_Without(found)))
    return result


def _missing(bind: Connection | Engine, schema: str | None) -> frozenset[Name]:
    known = list(_KNOWN.get(bind.engine, {}).items())  # other threads add to it
    return frozenset().union(*(some for (of, _), some in known if of == schema))


def _note_whole(state: ORMExecuteState, bind: Connection | Engine, schema: str | None) -> None:
    """Note that a table lacks nothing, if all of its columns were loaded."""
    mapper: Any = state.bind_mapper
    key, known = (schema, mapper.local_table.name), _KNOWN.setdefault(bind.engine, {})
    if key not in known:
        statement: Any = state.statement
        loaded = (one["expr"] for one in getattr(statement, "column_descriptions", ()))
        is_whole = any(one is mapper.class_ for one in loaded)
        if is_whole and not statement._with_options:  # noqa: SLF001
            known[key] = frozenset()


@contextmanager
def can_ask_again(db: Session, model: type[Base]) -> Iterator[None]:
    """Let each statement of a block be sent again if it fails for want of a column.

    An error ends a transaction that may have written, so in the middle of one the tables are looked
    at beforehand: once for each engine, unless the model's is known to lack nothing.

    Parameters
    ----------
    db : Session
        Of ours or the caller's. All that the block does in it is reading.
    model : type
        What is read.
    """
    bind = db.get_bind(model)
    if _can_restart(bind):
        yield
        return
    connection = db.connection(bind_arguments={"mapper": model})
    if not _is_at_the_beginning(connection):
        schema = schema_of(bind)
        if (schema, model.__tablename__) not in _KNOWN.get(bind.engine, {}):
            _look(connection, schema)
        yield
        return
    db.info[_MAY_RESTART] = True
    try:
        yield
    finally:
        del db.info[_MAY_RESTART]


def _can_restart(bind: Connection | Engine) -> bool:
    """Return True if no transaction can have lost anything when a statement of it fails."""
    return bind.dialect.name == "sqlite" or bool(
        bind.get_execution_options().get("postgresql_readonly")
    )


def _is_at_the_beginning(connection: Connection) -> bool:
    """Return True if the server has begun no transaction, as psycopg knows without asking."""
    info = getattr(connection.connection.dbapi_connection, "info", None)
    return getattr(info, "transaction_status", None) == 0


def _restart(connection: Connection) -> None:
    """Begin a transaction of PostgreSQL anew, unseen by the session, whose records stay."""
    if connection.dialect.name == "postgresql":
        connection.dialect.do_rollback(connection.connection)
        connection.dispatch.begin(connection)


def _want(error: DBAPIError) -> SchemaMismatchError | None:
    """Return our error, if it is for want of a column or of the right to read it."""
    try:
        with translated_errors("the database"):
            raise error  # noqa: TRY301
    except SchemaMismatchError as ours:
        return ours
    except Exception:  # which is raised as it was
        return None


def _look(connection: Connection, schema: str | None) -> None:
    """Note which columns each table that is there lacks."""
    tables = {one.name: one for one in Base.metadata.tables.values() if one.schema is None}
    if connection.dialect.name == "postgresql":
        rows = connection.execute(_READABLE, {"tables": list(tables), "schema": schema})
        there = {tuple(row) for row in rows}
    else:
        found = inspect(connection).get_multi_columns(schema, list(tables), ObjectKind.ANY)
        there = {(name, one["name"]) for (_, name), some in found.items() for one in some}
    _KNOWN.setdefault(connection.engine, {}).update(
        ((schema, name), frozenset(_lacking(tables[name], there)))
        for name in {table for table, _ in there}
    )


def _lacking(table: Table, there: Collection[Any]) -> Iterator[Name]:
    for column in table.columns:
        if not column.primary_key and (name := (table.name, column.name)) not in there:
            yield name
