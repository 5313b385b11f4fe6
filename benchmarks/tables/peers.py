"""What others make of the same query."""

from __future__ import annotations

import importlib
import io
from functools import cache
from importlib.util import find_spec
from typing import Any

import pandas as pd
from sqlalchemy import Engine, create_engine, make_url, text

__all__ = ["PEERS", "missing"]

# By the name in the report: what it does, and what must be installed for it.
PEERS = {
    "pandas `read_sql` over SQLAlchemy": ("read_sql", "pandas"),
    "psycopg2 `COPY ... CSV` into pandas": ("csv", "psycopg2"),
    "connectorx `read_sql` into pandas": ("connectorx", "connectorx"),
    "Polars `read_database` over ADBC": ("polars", "polars"),
    "ADBC alone, into Arrow": ("adbc_arrow", "adbc_driver_postgresql"),
    "ADBC alone, into pandas": ("adbc_pandas", "adbc_driver_postgresql"),
}


def missing() -> list[str]:
    """Return the packages that are not installed."""
    return [name for name in {needs for _, needs in PEERS.values()} if find_spec(name) is None]


def read_sql(url: str, query: str) -> pd.DataFrame:
    """Read by pandas over SQLAlchemy."""
    with _engine(url).connect() as connection:
        return pd.read_sql(text(query), connection, index_col="id")


def csv(url: str, query: str) -> pd.DataFrame:
    """Read PostgreSQL's CSV by pandas."""
    connection: Any = _engine(url).raw_connection()
    received = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", received)
    connection.close()
    received.seek(0)
    return pd.read_csv(received, index_col="id")


def connectorx(url: str, query: str) -> pd.DataFrame:
    """Read by connectorx, which makes a new connection for each question."""
    cx = importlib.import_module("connectorx")
    frame: pd.DataFrame = cx.read_sql(_plain(url), query, index_col="id")
    return frame


def polars(url: str, query: str) -> Any:
    """Read by Polars over ADBC."""
    pl = importlib.import_module("polars")
    return pl.read_database(query, _adbc(url))


def adbc_arrow(url: str, query: str) -> Any:
    """Read by ADBC."""
    with _adbc(url).cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


def adbc_pandas(url: str, query: str) -> pd.DataFrame:
    """Read by ADBC, and convert as pyarrow does it."""
    frame: pd.DataFrame = adbc_arrow(url, query).to_pandas().set_index("id")
    return frame


@cache
def _engine(url: str) -> Engine:
    return create_engine(url)


@cache
def _adbc(url: str) -> Any:
    adbc = importlib.import_module("adbc_driver_postgresql.dbapi")
    return adbc.connect(_plain(url), autocommit=True)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
