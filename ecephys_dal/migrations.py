"""Make and upgrade the LIMS schema in a database of our own: a demo, a test, a snapshot.

LIMS itself belongs to somebody else, so a database that already holds its tables without having
got them from these migrations is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.models import Base

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["alembic_config", "refuse_somebody_elses_lims", "upgrade"]


def refuse_somebody_elses_lims(connection: Connection) -> None:
    """Raise if the database holds LIMS tables that these migrations did not make.

    Parameters
    ----------
    connection : Connection
        An open connection to the database; only its catalogue is read.

    Raises
    ------
    ConfigurationError
        If a LIMS table is there but no revision of ours is recorded.
    """
    if MigrationContext.configure(connection).get_current_heads():
        return
    catalogue = inspect(connection)
    found = [name for name in sorted(Base.metadata.tables) if catalogue.has_table(name)]
    if found:
        message = (
            f"{connection.engine.url.render_as_string()} already holds {found[0]}"
            f" ({len(found)} LIMS tables) but no revision in alembic_version, so these migrations"
            " did not make it; it may be somebody's LIMS, which is only ever read."
            " Name an empty database."
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
    package = Path(__file__).parent
    installed, in_repository = package / "_alembic", package.parent / "alembic"
    config = Config()
    config.set_main_option(
        "script_location", str(installed if installed.is_dir() else in_repository)
    )
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Bring the schema of a database of our own to the newest revision, from nothing if need be.

    Parameters
    ----------
    connection : Connection
        A connection that may write.

    Raises
    ------
    ConfigurationError
        If the database holds LIMS tables that these migrations did not make.
    """
    command.upgrade(alembic_config(connection), "head")
