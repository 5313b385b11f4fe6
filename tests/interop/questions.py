"""The questions: every argument of the table methods, alone and with the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["ARGUMENTS", "QUESTIONS", "Known", "Question"]

Choice = tuple[str, str]  # what is asked for, and the form that it is given in
Known = Mapping[str, Mapping[str, Sequence[Any]]]  # by kind of record, then by name of choice

# For each method, its arguments and what they are lists of; a day is no list.
ARGUMENTS = {
    "get_sessions": {"session_ids": "session", "published_at": "day"},
    "get_probes": {"probe_ids": "probe", "session_ids": "session", "published_at": "day"},
    "get_channels": {
        "channel_ids": "channel",
        "probe_ids": "probe",
        "session_ids": "session",
        "published_at": "day",
    },
    "get_units": {
        "unit_ids": "unit",
        "channel_ids": "channel",
        "probe_ids": "probe",
        "session_ids": "session",
        "published_at": "day",
    },
    "get_unit_analysis_metrics": {
        "unit_ids": "unit",
        "ecephys_session_ids": "session",
        "session_types": "type",
    },
}

_FORMS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "ndarray": np.array,
    "Series": pd.Series,
    "set": set,
    "generator": iter,
    "Index": pd.Index,
    "labelled Series": lambda values: pd.Series(
        values, index=[f"#{n}" for n in range(len(values))]
    ),
    "list of NumPy's": lambda values: list(np.array(values)),
    "dict keys": lambda values: dict.fromkeys(values).keys(),
    "nullable Series": lambda values: pd.Series(values, dtype="Int64"),
    "array of floats": lambda values: np.array(values, dtype=float),
}
_DAY_FORMS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "date": dt.date.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "Timestamp": pd.Timestamp,
}
_IDS = ("one", "half", "all", "awkward", "unknown", "mixed", "repeated")
_TYPES = ("browsed", "connected", "both", "with behavior", "odd", "unknown", "mixed")
# The synthetic sessions were published on 2019-06-12, 2019-10-03 and 2020-06-11.
_DAYS = (
    "2018-12-31",
    "2019-06-11",
    "2019-06-12",
    "2019-06-13",
    "2019-10-02",
    "2019-10-03",
    "2019-10-04",
    "2020-06-10",
    "2020-06-11",
    "2030-01-01",
)
_OF_NAMES = 10  # forms can hold names too
_AT_MOST = 10  # questions of one combination of arguments


@dataclass(frozen=True)
class Question:
    """A call of a table method, its arguments by name of choice: the ids are not known yet."""

    method: str
    choices: tuple[tuple[str, Choice], ...] = ()

    def __str__(self) -> str:
        given = (f"{name}={' '.join(choice)}" for name, choice in self.choices)
        return f"{self.method}({', '.join(given)})"

    def arguments(self, known: Known) -> dict[str, Any]:
        """Return the arguments, made anew, because a generator serves once."""
        return {
            name: _value(ARGUMENTS[self.method][name], choice, known)
            for name, choice in self.choices
        }


def _value(kind: str, choice: Choice, known: Known) -> Any:
    asked, form = choice
    if kind == "day":
        return _DAY_FORMS[form](asked)
    return _FORMS[form](known[kind][asked])


def _alone(kind: str) -> Iterator[Choice]:
    """Every choice in the usual forms, and one in the unusual forms too."""
    if kind == "day":
        yield from product(_DAYS, _DAY_FORMS)
        return
    forms = list(_FORMS) if kind != "type" else list(_FORMS)[:_OF_NAMES]
    yield from product(_TYPES if kind == "type" else _IDS, forms[:4])
    yield from product(["both" if kind == "type" else "half"], forms[4:])


def _with_others(kind: str) -> list[Choice]:
    if kind == "day":
        return [("2019-10-03", "str"), ("2019-06-12", "str"), ("2020-06-10", "date")]
    if kind == "type":
        return [("browsed", "list"), ("both", "tuple"), ("mixed", "Series")]
    return [("half", "ndarray"), ("mixed", "list"), ("all", "Series"), ("awkward", "tuple")]


def _questions() -> Iterator[Question]:
    for method, kinds in ARGUMENTS.items():
        yield Question(method)
        for name, kind in kinds.items():
            yield from (Question(method, ((name, choice),)) for choice in _alone(kind))
        several = (combinations(kinds, size) for size in range(2, len(kinds) + 1))
        for names in chain.from_iterable(several):
            choices = list(product(*(_with_others(kinds[name]) for name in names)))
            for picked in choices[:: -(-len(choices) // _AT_MOST)]:
                yield Question(method, tuple(zip(names, picked, strict=True)))


QUESTIONS = tuple(_questions())
