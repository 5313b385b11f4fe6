"""Plain metric bundles, decoded by DuckDB, and a proof that nothing in them was missed.

Bundles are plain if those of one analysis run have the same keys, and the values of a key are all
numbers or all booleans, or null. DuckDB's decoder is fast but lenient: it takes ``true`` for 1.0
and minds no key that nobody asked for. So the characters of the texts are counted: a key costs two
quotation marks, ``true`` a ``t`` and ``false`` an ``s``, and what was decoded must account for all
of them. Other bundles are left to Python.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ecephys_dal.frames.arrow import is_arrow, pa, pc
from ecephys_dal.frames.metric_keys import is_boolean
from ecephys_dal.threads import ThreadPool

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from ecephys_dal.frames.pieces import Values

__all__ = ["EXACT_FLOAT", "MOST_KEYS", "PlainBundles"]

EXACT_FLOAT = 2**53  # up to here a whole number is the same as a float
MOST_KEYS = 2000  # thirty times as many as LIMS has; each becomes a column
_SAMPLE = 5  # bundles of a run, which tell what the values of its keys are
_MOST_STRETCHES = 100  # of rows with the same keys, in a batch; more would be slow
_BLOCK = 2**19
_COUNTED = b'"ts\\'
_P_VALUE, _ON_SCREEN = "p_value_rf", "on_screen_rf"
_DECODE = """
    SELECT bundle IS NOT NULL, UNNEST(bundle)
    FROM (SELECT from_json_strict(text, ?) AS bundle FROM texts)
"""


class _NotPlainError(Exception):
    """The bundles are not plain."""


@dataclass
class _Alike:
    """Stretches of rows whose bundles have the same keys, and some of these bundles."""

    keys: tuple[str, ...]
    stretches: list[slice] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)

    def is_boolean(self, key: str) -> bool:
        """Tell whether the values of a key are booleans, as far as the sample can tell."""
        values = [bundle[key] for bundle in self.sample if bundle.get(key) is not None]
        return isinstance(values[0], bool) if values else is_boolean(key)


class PlainBundles:
    """Decodes bundles by DuckDB as they arrive, as long as they are plain.

    The server and the reading of its answer take less time than this, so two threads share it.
    """

    def __init__(self) -> None:
        self._tables: list[Future[pa.Table]] = []
        self._threads = ThreadPool(2, "ecephys_dal")  # which begin when there is work
        self._duckdb: Any = None
        self._are_plain = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        if self._duckdb is not None:
            self._duckdb.close()

    def add(self, bundles: Values, run_ids: Values) -> None:
        """Decode some more.

        Parameters
        ----------
        bundles : Array of string, shape (n_records,)
            The texts; null for a unit without a bundle. Values of Python's are not plain.
        run_ids : Array of int64, shape (n_records,)
            The analysis runs that they are of.
        """
        failed = any(table.done() and table.exception() for table in self._tables[-3:])
        self._are_plain = self._are_plain and is_arrow(bundles) and not failed
        if self._are_plain and self._duckdb is None:
            self._duckdb = _duckdb()
            self._are_plain = self._duckdb is not None
        if self._are_plain:
            for texts, ids in zip(_chunks(bundles), _chunks(run_ids), strict=True):
                self._tables.append(self._threads.submit(self._decode, texts, ids))

    def table(self) -> pa.Table | None:
        """Return a column for each key, in the order of first appearance.

        Returns
        -------
        Table, shape (n_records, n_keys), or None
            Of float64 and bool, and of null where all are missing. None if the bundles are not
            plain, or there are none.
        """
        if not self._are_plain or not self._tables:
            return None
        try:
            return _joined([table.result() for table in self._tables])
        except (_NotPlainError, RecursionError, TypeError, ValueError):
            return None

    def _decode(self, texts: pa.Array, run_ids: pa.Array) -> pa.Table:
        if texts.type != pa.string():
            texts = texts.cast(pa.string())
        counts = -_counts(texts)
        parts: dict[int, pa.Table] = {}
        for alike in _sorted_by_keys(texts, np.asarray(run_ids)):
            table, accounted = self._decode_alike(texts, alike)
            counts += accounted
            end = 0
            for stretch in alike.stretches:
                start, end = end, end + stretch.stop - stretch.start
                parts[stretch.start] = table[start:end]
        if counts.any():
            raise _NotPlainError
        return _joined([part for _, part in sorted(parts.items())])

    def _asked(self, texts: pa.Table, types: str) -> pa.Table:
        try:
            with self._duckdb.cursor() as connection:  # of this thread's own
                connection.register("texts", texts)
                return connection.sql(_DECODE, params=[types]).to_arrow_table()
        except Exception as error:  # of DuckDB's own types
            raise _NotPlainError from error

    def _decode_alike(
        self, texts: pa.Array, alike: _Alike
    ) -> tuple[pa.Table, np.ndarray[Any, Any]]:
        """Return the columns, and how many of the counted characters they account for."""
        # As texts, so that 1 is not taken for true.
        booleans = {key: alike.is_boolean(key) for key in alike.keys}
        types = {key: "VARCHAR" if boolean else "DOUBLE" for key, boolean in booleans.items()}
        some = pa.chunked_array([texts[stretch] for stretch in alike.stretches])
        present, *columns = self._asked(pa.table({"text": some}), json.dumps(types))
        keys = json.dumps(alike.keys, ensure_ascii=False).encode()
        counts = np.array([keys.count(byte) for byte in _COUNTED]) * np.count_nonzero(present)
        for at, boolean in enumerate(booleans.values()):
            if boolean:
                columns[at], n_true, n_false = _truth(columns[at])
                counts += [0, n_true, n_false, 0]
            elif not _is_exact(columns[at]):
                raise _NotPlainError
        columns = map(_null_if_missing, columns)
        return _unswapped(pa.table(dict(zip(booleans, columns, strict=True)))), counts


def _duckdb() -> Any:
    """Return a database in memory, or None if DuckDB, an extra, is not installed."""
    try:
        import duckdb  # noqa: PLC0415
    except ImportError:
        return None
    return duckdb.connect(config={"threads": 1})


def _chunks(values: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return values.chunks if isinstance(values, pa.ChunkedArray) else [values]


def _sorted_by_keys(texts: pa.Array, run_ids: np.ndarray[Any, Any]) -> list[_Alike]:
    """Group the rows by their keys; rows of one run are taken to have the same ones."""
    starts = np.flatnonzero(np.diff(run_ids, prepend=run_ids[0] - 1)).tolist()
    if len(starts) > _MOST_STRETCHES:
        raise _NotPlainError
    found: dict[tuple[str, ...], _Alike] = {}
    without: list[slice] = []
    for stretch in map(slice, starts, [*starts[1:], len(texts)]):
        texts_of_some = texts[stretch].drop_null()[:_SAMPLE].to_pylist()
        sample = [bundle for bundle in map(json.loads, texts_of_some) if bundle is not None]
        if not all(isinstance(bundle, dict) for bundle in sample):
            raise _NotPlainError
        if not sample:
            without.append(stretch)
            continue
        keys = tuple(sample[0])
        if len(keys) > MOST_KEYS:
            raise _NotPlainError
        alike = found.setdefault(keys, _Alike(keys))
        alike.stretches.append(stretch)
        alike.sample.extend(sample)
    if () in found or not found:
        raise _NotPlainError
    first, *others = found.values()
    first.stretches += without  # where nothing is missing from any keys
    return [first, *others]


def _counts(texts: pa.Array) -> np.ndarray[Any, Any]:
    """Count the characters that tell keys and booleans, in all texts together."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[[texts.offset, texts.offset + len(texts)]]
    characters = np.frombuffer(data or b"", dtype=np.uint8)[slice(*ends)]
    # Block by block, because what fits into the processor's cache is compared ten times as fast.
    blocks = [characters[at : at + _BLOCK] for at in range(0, len(characters), _BLOCK)]
    return np.array([sum(np.count_nonzero(b == byte) for b in blocks) for byte in _COUNTED])


def _truth(texts: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int, int]:
    """Return texts as booleans, and how many are true and false; other texts are refused."""
    truth = pc.equal(texts, "true")
    n_true = pc.sum(truth).as_py() or 0
    n_false = pc.sum(pc.equal(texts, "false")).as_py() or 0
    if n_true + n_false != len(texts) - texts.null_count:
        raise _NotPlainError
    return truth, n_true, n_false


def _is_exact(numbers: pa.ChunkedArray) -> bool:
    """Tell whether no number is so large that it may have been a whole number and lost digits."""
    ends = pc.min_max(numbers)
    return all(abs(end or 0) < EXACT_FLOAT for end in (ends["min"].as_py(), ends["max"].as_py()))


def _null_if_missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    missing = column.null_count == len(column)
    return pa.chunked_array([pa.nulls(len(column))]) if missing else column


def _unswapped(table: pa.Table) -> pa.Table:
    """Undo LIMS's exchange of a receptive field's p-value and of its being on screen."""
    p_value, on_screen = (
        str(table[key].type) if key in table.column_names else "no key"
        for key in (_P_VALUE, _ON_SCREEN)
    )
    if p_value == "no key" or (p_value != "bool" and on_screen != "double"):
        return table
    if (p_value, on_screen) in {("bool", "double"), ("bool", "null"), ("null", "double")}:
        first, second = map(table.column_names.index, (_P_VALUE, _ON_SCREEN))
        columns = table.columns
        columns[first], columns[second] = columns[second], columns[first]
        return pa.table(columns, names=table.column_names)
    raise _NotPlainError  # so that each bundle is looked at


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default")
