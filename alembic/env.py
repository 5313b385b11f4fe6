"""Alembic's entry: migrate a database of our own, and never somebody's LIMS.

The database is named on the command line, ``alembic -x url=sqlite:///lims.db upgrade head``, or
handed over as a connection by `ecephys_dal.migrations`. There is no default.
"""

import sys
from typing import Any

from alembic import context
from sqlalchemy import Connection, exists, inspect, select, table

from ecephys_dal.database import Database
from ecephys_dal.database.url import without_secrets
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import refuse_somebody_elses_lims
from ecephys_dal.models import LIMS_TABLES, Base
from ecephys_dal.models.base import DayOrTimestamp


def database_url() -> str:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        message = (
            "no database is named: give it as 'alembic -x url=sqlite:///lims.db' before the command"
        )
        raise ConfigurationError(message)
    return url


def render_item(kind: str, item: Any, _: Any) -> str | bool:
    # A migration must outlive our own types.
    return "sa.DateTime()" if kind == "type" and isinstance(item, DayOrTimestamp) else False


def is_of_lims(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    # A class of somebody else's on the Base is none of LIMS, whether its table is there or not.
    return kind != "table" or name in LIMS_TABLES or name not in Base.metadata.tables


def configure(**options: Any) -> None:
    context.configure(
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite alters a table by copying it
        compare_server_default=True,
        render_item=render_item,
        include_object=is_of_lims,
        **options,
    )


def migrate(connection: Connection) -> None:
    refuse_somebody_elses_lims(connection)
    filled = [name for name in tables_of(connection) if has_rows(connection, name)]
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    # In the same transaction, so that they are there again if nobody wanted that.
    if lost := sorted({*filled} - {*tables_of(connection)}):
        refuse_unless_wanted(connection, lost)


def tables_of(connection: Connection) -> set[str]:
    return LIMS_TABLES.keys() & {*inspect(connection).get_table_names()}


def has_rows(connection: Connection, name: str) -> bool:
    return connection.execute(select(exists().select_from(table(name)))).scalar_one()


def refuse_unless_wanted(connection: Connection, lost: list[str]) -> None:
    named = f"{', '.join(lost[:3])} ({len(lost)} tables that hold rows)"
    url = without_secrets(connection.engine.url)
    if context.get_x_argument(as_dictionary=True).get("rows") == "drop":
        return
    if sys.stdin.isatty() and input(f"Drop {named} of {url}? [y/N] ").strip().lower() == "y":
        return
    message = f"{url} would lose {named}; nothing was changed. To drop them, say -x rows=drop"
    raise ConfigurationError(message)


def run_offline() -> None:
    configure(url=database_url(), literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    with Database(database_url(), owned=True) as database, database.connection() as connection:
        migrate(connection)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
