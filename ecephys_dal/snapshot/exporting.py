"""The five public tables as files for other tools."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecephys_dal.bars import make_bar, without_reading_bars
from ecephys_dal.errors import ConfigurationError, suggestion
from ecephys_dal.filters import SessionFilter
from ecephys_dal.frames.arrow import need_arrow
from ecephys_dal.paths import absolute_path
from ecephys_dal.safe_open import create_own
from ecephys_dal.snapshot.opening import opened_source
from ecephys_dal.snapshot.reach import Reach
from ecephys_dal.snapshot.storing import part_of, publish, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    import pyarrow as pa
    from sqlalchemy import URL, Engine

    from ecephys_dal.database import Database
    from ecephys_dal.filters import Filter

__all__ = ["FORMATS", "export"]

FORMATS = ("parquet", "csv")
SCHEMAS = "schemas.json"
_NAMES = ("sessions", "probes", "channels", "units", "unit_analysis_metrics")


def export(
    source: Database | str | Path | URL | Engine,
    folder: str | Path,
    spec: Filter | None = None,
    *,
    format: str = "parquet",  # noqa: A002 - as pandas and DuckDB call it
    progress: bool | None = None,
) -> dict[str, Path]:
    """Write what a filter reaches of the five public tables; needs the ``arrow`` extra.

    Parameters
    ----------
    source : Database, str, Path, URL or Engine
        What to read; a text without ``://``, or a Path, is a snapshot.
    folder : str or Path
        Where to; it is made if need be, and older files of the same names are replaced.
    spec : Filter, optional
        As for `create`.
    format : {"parquet", "csv"}
        What to write.
    progress : bool, optional
        Show a bar on stderr; with None only on a terminal or in a notebook, after a second.

    Returns
    -------
    dict of str to Path
        The file of each table: ``sessions``, ``probes``, ``channels``, ``units`` and
        ``unit_analysis_metrics``. Beside them ``schemas.json`` declares the type of each column, as
        Arrow calls it; Parquet files hold that themselves.

    Raises
    ------
    ConfigurationError
        If the format is unknown, pyarrow is not installed, or the folder can't be written to.
    InvalidFilterError
        If the spec is of another table.
    BeyondSnapshotError
        If the source is a snapshot that can't answer for the filter.
    """
    need_arrow()
    if format not in FORMATS:
        raise ConfigurationError(f"format={format!r} is unknown; {suggestion(format, FORMATS)}")
    folder = absolute_path(folder)
    with opened_source(source) as database, told(folder):
        reach = Reach(database, SessionFilter() if spec is None else spec, hidden=False)
        reach.check(deep=True)
        return _written(reach, folder, format, progress=progress)


def _written(reach: Reach, folder: Path, suffix: str, *, progress: bool | None) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written, schemas = {}, {}
    tables = make_bar(progress, iterable=_NAMES, desc="export", unit="table")
    for level, name in enumerate(tables):
        with without_reading_bars():
            table = reach.repository(level).arrow(where=reach.where(level))
        written[name] = folder / f"{name}.{suffix}"
        with _whole(written[name]) as file:
            _write(table, file, suffix)
        schemas[name] = {field.name: str(field.type) for field in table.schema}
    with _whole(folder / SCHEMAS) as file:
        file.write(json.dumps(schemas, indent=2).encode())
    return written


def _write(table: pa.Table, file: BinaryIO, suffix: str) -> None:
    if suffix == "csv":
        from pyarrow import csv  # noqa: PLC0415 - of an extra

        csv.write_csv(table.combine_chunks(), file)  # some versions repeat the header
    else:
        from pyarrow import parquet  # noqa: PLC0415

        parquet.write_table(table, file)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name, and give it its own when it is whole."""
    part = part_of(path)
    try:
        with open(create_own(part), "wb") as file:  # noqa: PTH123 - of a descriptor
            yield file
        publish(part, path)
    finally:
        part.unlink(missing_ok=True)
