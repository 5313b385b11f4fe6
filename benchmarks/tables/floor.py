"""The least that a query can cost: what the database needs to answer it, thrown away."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

import psycopg2
from sqlalchemy import make_url

__all__ = ["copy", "fetchall"]


class _Nowhere:
    """A file that forgets."""

    def write(self, piece: bytes) -> int:
        return len(piece)


def copy(url: str, query: str) -> None:
    """Let PostgreSQL send the answer in its binary form."""
    with _connection(url).cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", _Nowhere())


def fetchall(url: str, query: str) -> None:
    """Let SQLite's driver make its tuples."""
    _sqlite(url).execute(query).fetchall()


@cache
def _connection(url: str) -> Any:
    connection = psycopg2.connect(
        make_url(url).set(drivername="postgresql").render_as_string(False)
    )
    connection.autocommit = True
    return connection


@cache
def _sqlite(url: str) -> sqlite3.Connection:
    return sqlite3.connect(make_url(url).database or "")
