"""The forms of an answer, each a stream of bytes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ecephys_dal.errors import EcephysDalError
from ecephys_dal.frames import need_arrow

if TYPE_CHECKING:
    from pandas import DataFrame

    from ecephys_dal.frames import DtypeBackend

__all__ = ["FORMATS", "Format", "flat_value", "without_formulas"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet computes, or strips first

Frames = Iterable["DataFrame"]


def _csv(frames: Frames) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        flat = frame.assign(
            **{
                str(name): pd.Series(map(flat_value, frame[name]), frame.index, object)
                for name, kind in frame.dtypes.items()
                if kind.name == "object"
            }
        )
        yield _csv_text(flat, header=number == 0).encode()


def _csv_text(frame: DataFrame, *, header: bool) -> str:
    how: dict[str, Any] = {"index": False, "header": header, "lineterminator": "\n"}
    text: str = frame.to_csv(**how)
    if "\r" in text:  # it ends a line, for whoever reads it outside of quotes
        text = frame.to_csv(**how, quoting=csv.QUOTE_NONNUMERIC)
    return text


def flat_value(value: Any) -> Any:
    """Return a value as a cell can hold it: a list, as metrics may be, as JSON."""
    if isinstance(value, (list, dict)):
        return json.dumps(_json_value(value), ensure_ascii=False)
    return value


def _jsonl(frames: Frames) -> Iterator[bytes]:
    for frame in frames:
        yield b"".join(b"%s\n" % row for row in _json_rows(frame))


def _json(frames: Frames) -> Iterator[bytes]:
    before = b"[\n"
    for frame in frames:
        for row in _json_rows(frame):
            yield before + row
            before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


def _json_rows(frame: DataFrame) -> Iterator[bytes]:
    columns = [map(_json_value, frame.iloc[:, at]) for at in range(frame.shape[1])]
    for values in zip(*columns, strict=True):
        yield json.dumps(dict(zip(frame.columns, values, strict=True)), ensure_ascii=False).encode()


def _json_value(value: Any) -> Any:
    """Return a value as JSON can hold it, which knows no NaN and no infinity."""
    if isinstance(value, list):
        return list(map(_json_value, value))
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items()}
    if isinstance(value, str):
        return value
    if pd.isna(value) or (isinstance(value, float) and math.isinf(value)):
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _parquet(frames: Frames) -> Iterator[bytes]:
    need_arrow()
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    written, writer = _Written(), None
    for frame in frames:
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        except pa.ArrowInvalid as error:  # such as numbers and texts in one
            raise EcephysDalError(
                f"parquet can't hold a column as it is ({error}); --format jsonl can"
            ) from error
        writer = writer or pq.ParquetWriter(written, table.schema)
        writer.write_table(table)
        yield written.taken()
    if writer is not None:
        writer.close()
    yield written.taken()


class _Written(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._n_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._n_bytes += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._n_bytes

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def without_formulas(frames: Frames) -> Iterator[DataFrame]:
    """Yield frames whose texts a spreadsheet takes for texts: an apostrophe before a formula's."""
    for frame in frames:
        texts = [
            name
            for name, kind in frame.dtypes.items()
            if not pd.api.types.is_numeric_dtype(kind)
            and not pd.api.types.is_datetime64_any_dtype(kind)
        ]
        yield frame.assign(**{str(name): frame[name].map(_no_formula) for name in texts})


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class Format(NamedTuple):
    """How frames are written, and of which dtypes they must be."""

    write: Callable[[Frames], Iterator[bytes]]
    dtype_backend: DtypeBackend = "numpy_nullable"
    is_binary: bool = False


FORMATS = {
    "csv": Format(_csv),
    "json": Format(_json),
    "jsonl": Format(_jsonl),
    "parquet": Format(_parquet, "pyarrow", is_binary=True),
}
