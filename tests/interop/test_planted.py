"""The comparison finds what is wrong: each test makes something wrong and looks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import true
from sqlalchemy.orm import InstrumentedAttribute

from ecephys_dal import rules
from ecephys_dal.filters import split_published_at
from ecephys_dal.repositories import (
    ChannelRepository,
    ProbeRepository,
    Repository,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.repositories import probes as probe_module

from .comparison import differences
from .questions import ARGUMENTS, QUESTIONS
from .sides import Sides

REPOSITORIES: dict[str, type[Repository[Any, Any]]] = {
    "get_sessions": SessionRepository,
    "get_probes": ProbeRepository,
    "get_channels": ChannelRepository,
    "get_units": UnitRepository,
    "get_unit_analysis_metrics": UnitMetricRepository,
}


def _disagreements(sides: Sides, method: str, argument: str | None = None) -> list[str]:
    """Ask about one argument, or if none is named about each alone, until an answer is wrong."""
    for question in QUESTIONS:
        given = [name for name, _ in question.choices]
        about = given == [argument] if argument else len(given) <= 1
        if question.method == method and about:
            found = sides.compare(question).differences
            if found:
                return found
    return []


# --- differences between two frames ---


@pytest.fixture(scope="session")
def frame(sides: Sides) -> pd.DataFrame:
    return sides.theirs.get_probes()


def _change_number(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[3, frame.columns.get_loc("sampling_rate")] *= 1 + 2**-52
    return frame


def _change_text(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[3, frame.columns.get_loc("name")] += " "
    return frame


def _change_boolean_to_number(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(has_lfp_data=frame["has_lfp_data"].astype(float))


def _make_missing(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[3, frame.columns.get_loc("phase")] = None
    return frame


def _change_id(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(index={frame.index[3]: 7})


def _swap_values(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[[3, 4], 2] = frame.iloc[[4, 3], 2].to_numpy()
    return frame


def _drop_row(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=frame.index[3])


def _repeat_row(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[[3]]])


def _repeat_row_instead_of_another(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.drop(index=frame.index[4]), frame.iloc[[3]]])


def _rename_column(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns={"phase": "Phase"})


def _reorder_columns(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[*frame.columns[1:], frame.columns[0]]]


def _drop_column(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="phase")


def _rename_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename_axis("probe_id")


@pytest.mark.parametrize(
    "plant",
    [
        _change_number,
        _change_text,
        _change_boolean_to_number,
        _make_missing,
        _change_id,
        _swap_values,
        _drop_row,
        _repeat_row,
        _repeat_row_instead_of_another,
        _rename_column,
        _reorder_columns,
        _drop_column,
        _rename_index,
    ],
)
def test_a_wrong_frame_is_found(
    frame: pd.DataFrame, plant: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    assert differences(frame, plant(frame.copy())) != []
    assert differences(plant(frame.copy()), frame) != []


def test_order_and_dtypes_are_no_difference(frame: pd.DataFrame) -> None:
    held_otherwise = frame.iloc[::-1].convert_dtypes().astype({"sampling_rate": object})
    assert differences(frame, held_otherwise) == []


def test_a_difference_is_said_by_record_column_and_values(frame: pd.DataFrame) -> None:
    changed = frame.copy()
    changed.loc[frame.index[3], "phase"] = "4"
    (said,) = differences(frame, changed)
    assert said == f"id {frame.index[3]}: phase is '3a' in AllenSDK's, '4' in ours"


# --- defects of a repository ---


@pytest.mark.parametrize(
    ("method", "rule"),
    [(method, rule) for method, repository in REPOSITORIES.items() for rule in repository.rules],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_dropped_rule_is_found(
    method: str, rule: rules.Rule, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = REPOSITORIES[method]
    monkeypatch.setattr(
        repository, "rules", tuple(kept for kept in repository.rules if kept != rule)
    )
    assert _disagreements(sides, method) != []


@pytest.mark.parametrize(
    ("method", "argument"),
    [(method, argument) for method, arguments in ARGUMENTS.items() for argument in arguments],
)
def test_a_forgotten_argument_is_found(
    method: str, argument: str, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = REPOSITORIES[method]
    complete = repository.criteria

    def forgetful(spec: Any) -> Iterator[Any]:
        yield from complete(dataclasses.replace(spec, **{argument: None}))
        if getattr(spec, argument) is not None:  # for no clause of its own is refused
            yield true()

    monkeypatch.setattr(repository, "criteria", staticmethod(forgetful))
    assert _disagreements(sides, method, argument) != []


@pytest.mark.parametrize("flipped", ["__lt__", "__gt__", "__ge__", "__eq__", "is_not"])
def test_a_flipped_comparison_of_published_at_is_found(
    flipped: str, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    def published_by(column: InstrumentedAttribute[Any], day: Any) -> Iterator[Any]:
        if day is not None:
            bound = split_published_at(day).published_at
            yield column.is_not(None) if flipped == "is_not" else getattr(column, flipped)(bound)

    monkeypatch.setattr(probe_module, "published_by", published_by)
    assert _disagreements(sides, "get_probes", "published_at") != []


@pytest.mark.parametrize("method", REPOSITORIES)
def test_a_changed_value_is_found(
    method: str, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_of = REPOSITORIES[method].frame

    def changed(*arguments: Any, **options: Any) -> pd.DataFrame:
        frame = frame_of(*arguments, **options)
        numbers = frame.select_dtypes("float64").columns
        frame[numbers[-1]] = np.nextafter(frame[numbers[-1]], np.inf)
        return frame

    monkeypatch.setattr(REPOSITORIES[method], "frame", changed)
    assert _disagreements(sides, method) != []


def test_a_wrong_has_nwb_is_found(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (*SessionRepository.columns[:-1], true().label("has_nwb"))
    monkeypatch.setattr(SessionRepository, "columns", columns)
    assert _disagreements(sides, "get_sessions") != []


@pytest.mark.parametrize("method", REPOSITORIES)
def test_rows_where_there_should_be_none_are_found(
    method: str, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_of = REPOSITORIES[method].frame

    def never_empty(repository: Any, spec: Any) -> pd.DataFrame:
        frame = frame_of(repository, spec)
        return frame if len(frame) else frame_of(repository)

    monkeypatch.setattr(REPOSITORIES[method], "frame", never_empty)
    assert _disagreements(sides, method) != []


@pytest.mark.parametrize("method", REPOSITORIES)
def test_an_empty_frame_that_lacks_a_column_is_found(
    method: str, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_of = REPOSITORIES[method].frame

    def lacking(*arguments: Any, **options: Any) -> pd.DataFrame:
        frame = frame_of(*arguments, **options)
        return frame if len(frame) else frame.iloc[:, 1:]

    monkeypatch.setattr(REPOSITORIES[method], "frame", lacking)
    assert _disagreements(sides, method) != []
