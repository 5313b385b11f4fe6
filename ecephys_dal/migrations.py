"""Make and upgrade the LIMS schema in a database of our own: a demo, a test, a snapshot.

LIMS itself belongs to somebody else, so a database that already holds its tables without having
got them from these migrations is refused.
"""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ecephys_dal.database import schema_of
from ecephys_dal.database.url import without_secrets
from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.abc import Traversable

    from sqlalchemy import Connection

__all__ = [
    "Revisions",
    "alembic_config",
    "refuse_somebody_elses_lims",
    "revisions",
    "upgrade",
]


# What a database holds, LIMS' own first; not what extensions bring, nor a table that Alembic has
# made and left empty.
_RELATIONS = {
    "postgresql": """
SELECT relname
FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON relnamespace = pg_namespace.oid
WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND relname <> 'alembic_version'
AND nspname <> 'information_schema' AND nspname !~ '^pg_'
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend
    WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
    AND (deptype = 'e' OR relkind = 'S' AND deptype IN ('a', 'i'))  -- a column's own
)
ORDER BY relname NOT LIKE 'ecephys%', relname
""",
    "sqlite": """
SELECT name FROM sqlite_master
WHERE type IN ('table', 'view') AND name <> 'alembic_version'
AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY name NOT LIKE 'ecephys%', name
""",
}


def refuse_somebody_elses_lims(connection: Connection) -> None:
    """Raise if the database holds anything that is not of these migrations.

    Parameters
    ----------
    connection : Connection
        An open connection to the database; only its catalogue is read.

    Raises
    ------
    ConfigurationError
        If a table, view, foreign table or sequence is there, in whatever schema, but no revision
        of ours is recorded, or an unknown one is; or the connection has a
        ``schema_translate_map`` for tables without a schema.
    """
    if (schema := schema_of(connection)) is not None:
        raise ConfigurationError(
            f"the connection translates its schema to {schema!r}, which migrations can't follow;"
            f" give a URL whose options set the search path: ?options=-csearch_path%3D{schema}"
        )
    ours = {script.revision for script in _scripts().walk_revisions()}
    recorded = set(MigrationContext.configure(connection).get_current_heads())
    if recorded and recorded <= ours:
        return
    found = [*connection.execute(text(_RELATIONS[connection.dialect.name])).scalars()]
    if found or recorded:
        message = (
            f"{without_secrets(connection.engine.url)} holds {', '.join(found[:3]) or 'no tables'}"
            f" ({len(found)} tables or the like) and in alembic_version"
            f" {', '.join(recorded) or 'no revision'}, so these migrations did not make it; it may"
            " be somebody's LIMS, which is only ever read. Name an empty database."
        )
        raise ConfigurationError(message)


def alembic_config(connection: Connection | None = None) -> Config:
    """Return the Alembic configuration of the migrations that belong to this version.

    Parameters
    ----------
    connection : Connection, optional
        Run on this connection, instead of the one that ``-x url=`` names.

    Returns
    -------
    Config
    """
    config = Config()
    config.set_main_option("script_location", str(_scripts_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def _scripts_folder() -> Path:
    """Return the folder of the migrations: of an installation, or else of the repository."""
    installed = files(__package__) / "_alembic"
    for folder in (installed, Path(__file__).parents[1] / "alembic"):
        if (folder / "env.py").is_file():
            return folder if isinstance(folder, Path) else _copied(folder)
    raise ConfigurationError(
        f"the migrations are not in this copy of the package: there is no {installed}; install"
        " ecephys_dal from its wheel, or put that folder there"
    )


def _copied(folder: Traversable) -> Path:
    """Return a copy of a folder that is in a zip file, for Alembic runs files; it goes at exit."""
    made = tempfile.mkdtemp(prefix="ecephys_dal-")
    atexit.register(rmtree, made, ignore_errors=True)
    _copy(folder, Path(made))
    return Path(made)


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for one in source.iterdir():
        if one.is_dir():
            _copy(one, target / one.name)
        else:
            (target / one.name).write_bytes(one.read_bytes())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


class Revisions(NamedTuple):
    """How far the schema of a database is.

    Attributes
    ----------
    recorded : str or None
        The revision that the database is at; None if these migrations did not make it.
    newest : str
        The one that `upgrade` brings it to.
    """

    recorded: str | None
    newest: str


def revisions(connection: Connection) -> Revisions:
    """Tell how far the schema of a database is.

    Parameters
    ----------
    connection : Connection
        An open connection; only the catalogue is read.

    Returns
    -------
    Revisions
    """
    newest = _scripts().get_current_head()
    context = MigrationContext.configure(
        connection, opts={"version_table_schema": schema_of(connection)}
    )
    return Revisions(context.get_current_revision(), str(newest))


def upgrade(connection: Connection) -> None:
    """Bring the schema of a database of our own to the newest revision, from nothing if need be.

    Parameters
    ----------
    connection : Connection
        A connection that may write, and is in no transaction; the caller commits.

    Raises
    ------
    ConfigurationError
        If the database holds anything that these migrations did not make, or the connection is in
        the middle of a transaction.
    """
    if connection.in_transaction():
        raise ConfigurationError(
            "the connection is in the middle of a transaction, which a migration would end;"
            " commit or roll back first"
        )
    command.upgrade(alembic_config(connection), "head")
