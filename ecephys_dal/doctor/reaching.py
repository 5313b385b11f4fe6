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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ecephys_dal.doctor.asking import Lims

__all__ = ["REACHING"]

_ROUND_TRIPS = 5
_ROLES_OF_CONNECTION = {"postgresql": "SELECT current_user, session_user"}
_EVERYTHING = "do everything as the superuser {}"
# By any role that the connection may change to, for nothing keeps it from that.
_RIGHTS = {
    _EVERYTHING: """
        SELECT rolname FROM pg_roles
        WHERE rolsuper AND pg_has_role(session_user, oid, 'MEMBER')
        ORDER BY rolname <> session_user, 1 LIMIT 1
    """,
    "create roles as {}": """
        SELECT rolname FROM pg_roles
        WHERE rolcreaterole AND pg_has_role(session_user, oid, 'MEMBER') ORDER BY 1
    """,
    "change {}": """
        SELECT DISTINCT
            CASE WHEN pg_table_is_visible(tables.oid) THEN '' ELSE nspname || '.' END || relname
        FROM pg_class AS tables JOIN pg_namespace ON pg_namespace.oid = relnamespace
        JOIN pg_roles AS roles ON pg_has_role(session_user, roles.oid, 'MEMBER')
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg|_%' ESCAPE '|'
            AND (
                relowner = roles.oid
                OR has_table_privilege(
                    roles.oid, tables.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'
                )
                OR has_any_column_privilege(roles.oid, tables.oid, 'INSERT, UPDATE')
            )
        ORDER BY 1
    """,
    "create tables in the schema {}": """
        SELECT DISTINCT nspname FROM pg_namespace AS schemas
        JOIN pg_roles AS roles ON pg_has_role(session_user, roles.oid, 'MEMBER')
        WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg|_%' ESCAPE '|'
            AND (nspowner = roles.oid OR has_schema_privilege(roles.oid, schemas.oid, 'CREATE'))
        ORDER BY 1
    """,
    "create schemas in the database {}": """
        SELECT DISTINCT datname FROM pg_database AS databases
        JOIN pg_roles AS roles ON pg_has_role(session_user, roles.oid, 'MEMBER')
        WHERE datname = current_database() AND (
            datdba = roles.oid OR has_database_privilege(roles.oid, databases.oid, 'CREATE')
        )
    """,
    "use the server's files or programs as {}": """
        SELECT rolname FROM pg_roles
        WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files')
            AND pg_has_role(session_user, oid, 'MEMBER')
        ORDER BY 1
    """,
    "call {}, with the rights of whoever made it": """
        SELECT DISTINCT
            CASE WHEN pg_function_is_visible(functions.oid) THEN '' ELSE nspname || '.' END
            || proname || '()'
        FROM pg_proc AS functions JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE prosecdef AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg|_%' ESCAPE '|'
            AND has_function_privilege(session_user, functions.oid, 'EXECUTE')
            AND NOT pg_has_role(session_user, proowner, 'MEMBER')
        ORDER BY 1
    """,
    "meet what anybody may make in the schema {}, which is on the search_path": """
        SELECT nspname FROM pg_namespace AS schemas
        WHERE nspname = ANY (current_schemas(false))
            AND has_schema_privilege('public', schemas.oid, 'CREATE')
        ORDER BY 1
    """,
}
_SHOWN = 10


def _reach(lims: Lims) -> Iterator[Finding]:
    """Tell what answers, and how fast, if any does."""
    with lims.connection() as connection:
        dialect = connection.dialect
        version = ".".join(map(str, dialect.server_version_info or ()))
        latency = median(_round_trip(connection) for _ in range(_ROUND_TRIPS)) * 1000
        inspect(connection).has_table("ecephys_sessions")  # for SQLite opens no file before that
    role = next((current for current, _ in lims.rows_by_dialect(_ROLES_OF_CONNECTION)), None)
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


def _look_for_rights(lims: Lims) -> Iterator[Finding]:
    for _, role in lims.rows_by_dialect(_ROLES_OF_CONNECTION):
        if rights := _rights(lims):
            yield Finding.of("role_may_write", role, f"{role} may {', and '.join(rights)}")
        else:
            message = f"{role} may change no table of the database, and create no table or schema"
            yield Finding(severity="ok", code="role_may_write", subject=role, message=message)


def _rights(lims: Lims) -> list[str]:
    rights = []
    for right, statement in _RIGHTS.items():
        names = [name for (name,) in lims.rows_by_dialect({"postgresql": statement})]
        if names:
            more = ", ..." if len(names) > _SHOWN else ""
            rights.append(right.format(", ".join(names[:_SHOWN]) + more))
        if rights and right is _EVERYTHING:
            break
    return rights


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
