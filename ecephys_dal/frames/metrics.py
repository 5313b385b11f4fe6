"""Metric bundles, one JSON object a unit, become one column a metric."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from ecephys_dal.database.numbers import loads
from ecephys_dal.errors import SchemaMismatchError
from ecephys_dal.frames.arrow import is_arrow
from ecephys_dal.frames.bundles import EXACT_FLOAT, MOST_KEYS, PlainBundles
from ecephys_dal.frames.columns import FrameColumn, table_of
from ecephys_dal.frames.metric_keys import METRIC_KEYS, is_boolean
from ecephys_dal.frames.pieces import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecephys_dal.frames.pieces import Piece, Values

__all__ = ["metric_columns", "unswapped"]


def metric_columns(
    pieces: Iterable[Piece], key: str, data: Any = None
) -> tuple[list[FrameColumn], list[Piece]]:
    """Return metric bundles as columns.

    Parameters
    ----------
    pieces : iterable of Piece
        Of three columns: the units' ids; their bundles, each an object, its JSON text, or None for
        a unit without metrics; and the ids of the analysis runs.
    key : str
        The name of the column of units' ids.
    data : ColumnElement, optional
        The column of bundles, which an error names.

    Returns
    -------
    columns : list of FrameColumn, length n_metrics + 1
        The units' ids, and one column for each key of the bundles, in the order of their first
        appearance; without a record, the documented ones. Numbers are float, booleans bool, both
        nullable; what is neither is kept as it came.
    pieces : list of Piece
        What they hold.
    """
    read = []
    with PlainBundles() as plain:
        for piece in filter(None, pieces):
            read.append(piece)
            plain.add(*piece[1:])
        table = plain.table()
    ids, bundles, _ = joined(read, 3)
    if table is not None:
        metrics: dict[str, Values] = dict(zip(table.column_names, table.columns, strict=True))
    else:
        ids, bundles = (
            values.to_pylist() if is_arrow(values) else values for values in (ids, bundles)
        )
        try:
            metrics = _of_bundles(ids, bundles)
            for name, values in metrics.items():
                _check_texts(name, ids, values)
        except ValueError as error:
            named = "" if data is None else f"column {data.key!r} of {table_of(data)}: "
            raise SchemaMismatchError(
                f"{named}{error}; leave the unit out by unit_ids",
                table=table_of(data),
                column=getattr(data, "key", None),
            ) from error
    columns = [FrameColumn(name, _kind(name, values)) for name, values in metrics.items()]
    return [FrameColumn(key, int, nullable=False), *columns], [[ids, *metrics.values()]]


def _of_bundles(ids: Values, texts: Values) -> dict[str, Values]:
    """Decode bundles one by one, whatever they hold."""
    bundles = list(map(_bundle, ids, texts))
    names = tuple(dict.fromkeys(chain.from_iterable(bundles or METRIC_KEYS.values())))
    if len(names) > MOST_KEYS:  # a column each
        _refuse_many_keys(ids, bundles)
    # One pass over the bundles, at the speed of C; without rows, a column of nothing a name.
    cells = (tuple(map(bundle.get, names)) for bundle in bundles)
    return dict(zip(names, zip(*cells, strict=True) if bundles else repeat(()), strict=False))


def _refuse_many_keys(ids: Values, bundles: list[dict[str, Any]]) -> None:
    names: set[str] = set()
    for unit_id, bundle in zip(ids, bundles, strict=True):
        names.update(bundle)
        if len(names) > MOST_KEYS:
            raise ValueError(
                f"with the metric bundle of unit {unit_id}, of {len(bundle):,} keys, a table would"
                f" have more than {MOST_KEYS:,} columns"
            )


def _check_texts(name: str, ids: Values, values: Values) -> None:
    """Raise if a name or a value holds half of a character, which is a text in JSON alone."""
    if name.isascii() and str not in set(map(type, values)):
        return
    for unit_id, value in zip(ids, values, strict=True):
        try:
            ("" if value is None else f"{name}{value}").encode()
        except UnicodeEncodeError:  # noqa: PERF203 - where there is such a text at all
            raise ValueError(
                f"the metric {name!a:.80} of unit {unit_id} holds half of a character (a lone"
                " surrogate), which is no text"
            ) from None


def _kind(name: str, values: Values) -> type:
    """Tell what kind of column the values of a metric make, and nothing of a value is lost in."""
    if is_arrow(values):
        kinds: dict[str, type] = {"double": float, "bool": bool}
        return kinds.get(str(values.type)) or _documented_kind(name)
    types = set(map(type, values)) - {type(None)}
    if not types:
        return _documented_kind(name)
    if types == {bool}:
        return bool
    if types == {str}:
        return str
    if types == {float}:
        return float
    numbers = types <= {int, float} and all(
        abs(value) <= EXACT_FLOAT for value in values if type(value) is int
    )
    return float if numbers else object


def _documented_kind(name: str) -> type:
    return bool if is_boolean(name) else float


def _bundle(unit_id: int, data: Any) -> dict[str, Any]:
    """Return a bundle as a dict whose receptive-field metrics stand under their own names."""
    try:
        bundle = loads(data) if isinstance(data, str) else data
        if isinstance(bundle, str):  # a text that was stored as JSON
            bundle = loads(bundle)
    except OverflowError as error:
        raise ValueError(f"the metric bundle of unit {unit_id} can't be read: {error}") from error
    except (ValueError, RecursionError):  # of numbers and depths beyond those of Python, too
        bundle = data
    if bundle is None:
        return {}
    if not isinstance(bundle, dict):
        what = f"the metric bundle of unit {unit_id} is no JSON object but {data!r:.80}"
        raise ValueError(what)  # noqa: TRY004 - nobody gave us a wrong type
    return unswapped(bundle) if "p_value_rf" in bundle else bundle


def unswapped(bundle: dict[str, Any]) -> dict[str, Any]:
    """Undo LIMS's exchange of a receptive field's p-value and of its being on screen."""
    p_value, on_screen = bundle["p_value_rf"], bundle.get("on_screen_rf")
    on_screen_is_number = isinstance(on_screen, (int, float)) and not isinstance(on_screen, bool)
    if isinstance(p_value, bool) or (on_screen_is_number and p_value is None):
        return {**bundle, "p_value_rf": on_screen, "on_screen_rf": p_value}
    return bundle
