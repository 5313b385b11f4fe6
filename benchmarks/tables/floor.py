"""The least that a query can cost: what the database needs to answer it, thrown away."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

import psycopg2
from sqlalchemy import make_url

__all__ = ["copy", "fetchall", "read_rows"]


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


def read_rows(url: str, tables: list[str]) -> None:
    """Let PostgreSQL's driver make its tuples of whole tables."""
    with _connection(url).cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names of our models
            while cursor.fetchmany(10_000):
                pass


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
