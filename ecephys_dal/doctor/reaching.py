"""Reach the database: its version, how long a round trip takes, and what the role may do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, inspect, select

from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.models import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ecephys_dal.doctor.asking import Lims

__all__ = ["REACHING"]

_ROUND_TRIPS = 5
_ROLE = {"postgresql": "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"}
_MAY_CHANGE = {
    "postgresql": """
        SELECT relname FROM pg_class
        WHERE relname = ANY (:names) AND pg_table_is_visible(oid)
            AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        ORDER BY relname
    """
}
_MAY_CREATE_IN = {
    "postgresql": """
        SELECT nspname FROM pg_namespace
        WHERE nspname = ANY (current_schemas(false)) AND has_schema_privilege(oid, 'CREATE')
        ORDER BY nspname
    """
}


def _reach(lims: Lims) -> Iterator[Finding]:
    """Tell what answers, and how fast, if any does."""
    with lims.connection() as connection:
        dialect = connection.dialect
        version = ".".join(map(str, dialect.server_version_info or ()))
        latency = median(_round_trip(connection) for _ in range(_ROUND_TRIPS)) * 1000
        inspect(connection).has_table("ecephys_sessions")  # for SQLite opens no file before that
    role = _role(lims)[0]
    facts: dict[str, Any] = {
        "dialect": dialect.name,
        "version": version,
        "latency_ms": latency,
        "role": role,
    }
    message = f"{dialect.name} {version} answers in {latency:.2f} ms" + (
        f", to the role {role}" if role else ""
    )
    yield Finding(severity="ok", code="database_unreachable", message=message, facts=facts)


def _round_trip(connection: Connection) -> float:
    started = time.perf_counter()
    connection.execute(select(func.abs(1)))
    return time.perf_counter() - started


def _role(lims: Lims) -> tuple[str | None, bool]:
    """Return the role and whether it is a superuser, if the database has roles."""
    for role, is_superuser in lims.rows_by_dialect(_ROLE):
        return role, is_superuser
    return None, False


def _look_for_rights(lims: Lims) -> Iterator[Finding]:
    role, is_superuser = _role(lims)
    if is_superuser:
        rights = ["do everything, for it is a superuser"]
    else:
        tables = lims.rows_by_dialect(_MAY_CHANGE, names=list(Base.metadata.tables))
        schemas = lims.rows_by_dialect(_MAY_CREATE_IN)
        rights = [f"change {', '.join(table for (table,) in tables)}"] if tables else []
        rights += [f"create tables in the schema {schema}" for (schema,) in schemas]
    if rights:
        yield Finding.of("role_may_write", role or "", f"{role} may {', and '.join(rights)}")
    elif role:
        message = f"{role} may change no table of LIMS"
        yield Finding(severity="ok", code="role_may_write", subject=role, message=message)


def _look_at_file(lims: Lims) -> Iterator[Finding]:
    url = lims.database.url
    path = Path(url.database or "")
    if url.get_backend_name() == "sqlite" and path.is_file() and os.access(path, os.W_OK):
        yield Finding.of("file_writable", "", f"{path} can be written")


REACHING = (
    Check("the database", ("database_unreachable",), _reach, is_essential=True),
    Check("the role", (), _look_for_rights),
    Check("the file", (), _look_at_file),
)
