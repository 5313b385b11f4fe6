"""The role that the page makes reads LIMS and can't write, whatever its sessions are told."""

from __future__ import annotations

from uuid import uuid4

import pytest
from documentation import ROOT, blocks
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from ecephys_dal import Database, SessionRepository

PAGE = ROOT / "docs" / "service.md"


@pytest.fixture
def reader(filled):
    """Return the URL of the role that the page makes."""
    url, _ = filled("postgresql")
    name = f"lims_reader_{uuid4().hex[:8]}"
    (block,) = blocks(PAGE, "sql")
    statements = block.text.replace("lims_reader", name).replace("lims2", make_url(url).database)
    with Database(url, owned=True) as owner:
        with owner.connection() as connection:
            connection.execute(text(statements))
        yield make_url(url).set(username=name, password="choose one")
        with owner.connection() as connection:
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


def test_the_role_of_the_page_can_only_read(reader):
    with Database(reader) as database:
        assert len(SessionRepository(database).frame()) > 0
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        for statement in ("INSERT INTO genders VALUES (1, 'F')", "DROP TABLE ecephys_sessions"):
            with (
                engine.connect() as connection,
                pytest.raises(DBAPIError, match="permission denied|must be owner"),
            ):
                connection.execute(text("SET default_transaction_read_only = off"))
                connection.execute(text(statement))
