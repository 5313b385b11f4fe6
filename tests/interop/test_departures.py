"""Where we depart from AllenSDK on purpose: both answers, side by side."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
import pytest

from ecephys_dal import EcephysProjectLimsApi, InvalidFilterError

from . import oracle
from .comparison import differences
from .questions import ARGUMENTS
from .sides import Sides

LISTS = [
    (method, argument)
    for method, arguments in ARGUMENTS.items()
    for argument, kind in arguments.items()
    if kind != "day"
]


pytestmark = pytest.mark.usefixtures("shown")


# --- 1: unit ids ---


def test_1_unit_ids_are_ids_of_units(sides: Sides) -> None:
    unit_id, other_id = list(sides.bundles)[:2]
    ours = sides.ours.get_unit_analysis_metrics(unit_ids=[unit_id])
    assert set(ours.index) == {unit_id}
    with pytest.raises(KeyError):  # which is how AllenSDK finds nothing
        sides.theirs.get_unit_analysis_metrics(unit_ids=[unit_id])
    theirs = sides.theirs.get_unit_analysis_metrics(unit_ids=sides.bundles[other_id])
    assert set(theirs.index) == {other_id}


# --- 2: sessions ---


def test_2_a_session_with_two_files_is_listed_once(sides: Sides) -> None:
    session_id = sides.lims.awkward["session_two_nwb_files"]
    theirs = sides.theirs.get_sessions(session_ids=[session_id])
    ours = sides.ours.get_sessions(session_ids=[session_id])
    assert list(theirs.index) == [session_id, session_id]
    assert list(ours.index) == [session_id]
    assert differences(theirs.iloc[[0]], ours) == differences(theirs.iloc[[1]], ours) == []


@pytest.mark.parametrize("unknown", ["age", "gender"])
def test_2_a_session_is_kept_whose_donor_has_no(unknown: str, sides: Sides) -> None:
    session_id = sides.lims.awkward[f"session_donor_without_{unknown}"]
    ours = sides.ours.get_sessions(session_ids=[session_id])
    assert list(ours.index) == [session_id]
    assert ours[{"age": "age_in_days", "gender": "sex"}[unknown]].isna().all()
    assert session_id not in sides.theirs.get_sessions().index


# --- 3: nothing ---


@pytest.mark.parametrize(("method", "argument"), LISTS)
def test_3_an_empty_list_gives_an_empty_frame(method: str, argument: str, sides: Sides) -> None:
    ours = getattr(sides.ours, method)(**{argument: []})
    assert len(ours) == 0
    assert sorted(ours.columns) == sorted(sides.columns(method))
    with pytest.raises(psycopg2.errors.SyntaxError):
        getattr(sides.theirs, method)(**{argument: []})


@pytest.mark.parametrize(("method", "argument"), LISTS)
def test_3_no_match_gives_an_empty_frame(method: str, argument: str, sides: Sides) -> None:
    unknown = {argument: ["no such type"] if argument == "session_types" else [1]}
    ours = getattr(sides.ours, method)(**unknown)
    assert len(ours) == 0
    assert sorted(ours.columns) == sorted(sides.columns(method))
    with pytest.raises(KeyError):
        getattr(sides.theirs, method)(**unknown)


# --- 4: values are bound ---


def test_4_an_id_that_is_sql_is_refused(sides: Sides) -> None:
    spliced = ["0) or (true"]
    theirs = sides.theirs.get_sessions(session_ids=spliced)
    assert sides.lims.awkward["session_failed"] in theirs.index
    with pytest.raises(InvalidFilterError, match="session_ids"):
        sides.ours.get_sessions(session_ids=spliced)


def test_4_a_name_that_is_sql_is_a_name(sides: Sides) -> None:
    spliced = ["no such type') or (es.stimulus_name = 'functional_connectivity"]
    assert len(sides.theirs.get_unit_analysis_metrics(session_types=spliced)) > 0
    assert len(sides.ours.get_unit_analysis_metrics(session_types=spliced)) == 0


def test_4_a_bare_string_is_refused(sides: Sides) -> None:
    with pytest.raises(KeyError):  # AllenSDK asks for types b, r, o and so on
        sides.theirs.get_unit_analysis_metrics(session_types="brain_observatory_1.1")
    with pytest.raises(InvalidFilterError, match="session_types"):
        sides.ours.get_unit_analysis_metrics(session_types="brain_observatory_1.1")


def test_4_an_id_that_is_no_integer_is_refused(sides: Sides) -> None:
    session_id = sides.lims.session_ids[0]
    assert list(sides.theirs.get_sessions(session_ids=[str(session_id)]).index) == [session_id]
    with pytest.raises(InvalidFilterError, match="session_ids"):
        sides.ours.get_sessions(session_ids=[str(session_id)])
    with pytest.raises(KeyError):
        sides.theirs.get_sessions(session_ids=[session_id + 0.5])
    with pytest.raises(InvalidFilterError, match="session_ids"):
        sides.ours.get_sessions(session_ids=[session_id + 0.5])


def test_4_a_day_that_is_sql_is_refused(sides: Sides) -> None:
    spliced = "2018-01-01' or es.workflow_state = 'failed"
    theirs = sides.theirs.get_sessions(published_at=spliced)
    assert sides.lims.awkward["session_failed"] in theirs.index
    with pytest.raises(InvalidFilterError, match="published_at"):
        sides.ours.get_sessions(published_at=spliced)


# --- 5: order, dtypes, arguments ---


@pytest.mark.parametrize("method", ARGUMENTS)
def test_5_rows_come_in_id_order(method: str, sides: Sides) -> None:
    assert getattr(sides.ours, method)().index.is_monotonic_increasing


def test_5_allensdk_gives_rows_as_they_come(sides: Sides) -> None:
    # An update moves a row to the end of its table.
    assert not sides.theirs.get_channels().index.is_monotonic_increasing


@pytest.mark.parametrize(
    ("kind", "awkward", "column"),
    [
        ("session", "session_bare", "isi_experiment_id"),
        ("probe", "probe_bare", "has_lfp_data"),
        ("channel", "channel_without_structure", "ecephys_structure_id"),
        ("unit", "unit_null_snr", "snr"),
    ],
)
def test_5_dtypes_do_not_depend_on_the_rows(
    kind: str, awkward: str, column: str, sides: Sides
) -> None:
    def dtype(api: Any, ids: list[int]) -> Any:
        return getattr(api, f"get_{kind}s")(**{f"{kind}_ids": ids})[column].dtype

    known, missing = sides.known[kind]["one"], [sides.lims.awkward[awkward]]
    assert dtype(sides.ours, known) == dtype(sides.ours, missing) == dtype(sides.ours, [])
    assert dtype(sides.theirs, known) != dtype(sides.theirs, missing)


def test_5_arguments_stay_as_they_were(sides: Sides) -> None:
    ids = [*sides.lims.session_ids[::-1], *sides.lims.session_ids]
    for given in (list(ids), np.array(ids), pd.Series(ids, index=ids[::-1])):
        before = pickle.dumps(given)
        assert len(sides.ours.get_sessions(session_ids=given)) == 3
        assert pickle.dumps(given) == before
    settings = {"host": sides.host}
    EcephysProjectLimsApi.default(oracle.credentials_of(sides.url), settings).close()
    assert settings == {"host": sides.host}


# --- 6: metric bundles ---


def test_6_swapped_metrics_are_put_right(sides: Sides) -> None:
    of_session = {"ecephys_session_ids": [sides.lims.session_ids[0]]}
    theirs = sides.theirs.get_unit_analysis_metrics(**of_session)
    ours = sides.ours.get_unit_analysis_metrics(**of_session)
    assert theirs["p_value_rf"].map(type).eq(bool).all()
    assert theirs["on_screen_rf"].dtype == "float64"
    assert ours["p_value_rf"].dtype == "float64"
    assert ours["on_screen_rf"].dtype == "boolean"
    exchanged = ours.rename(columns={"p_value_rf": "on_screen_rf", "on_screen_rf": "p_value_rf"})
    assert differences(theirs, exchanged[theirs.columns]) == []


def test_6_metrics_that_are_in_place_stay_there(odd_bundles: Sides) -> None:
    unit_id = next(iter(odd_bundles.bundles))
    bundle_ids = odd_bundles.bundles[unit_id]
    theirs = odd_bundles.theirs.get_unit_analysis_metrics(unit_ids=bundle_ids)
    ours = odd_bundles.ours.get_unit_analysis_metrics(unit_ids=[unit_id])
    assert (ours["p_value_rf"][unit_id], ours["on_screen_rf"][unit_id]) == (0.25, True)
    assert differences(theirs, ours) == []


def test_6_a_null_bundle_is_a_unit_without_metrics(odd_bundles: Sides) -> None:
    awkward = odd_bundles.lims.awkward
    of_session = {"ecephys_session_ids": [awkward["session_of_awkward_channels"]]}
    ours = odd_bundles.ours.get_unit_analysis_metrics(**of_session)
    assert ours.loc[awkward["unit_null_bundle"]].isna().all()
    assert len(ours) > 1
    with pytest.raises(AttributeError):
        odd_bundles.theirs.get_unit_analysis_metrics(**of_session)


def test_6_a_bundle_of_text_is_read(odd_bundles: Sides, sides: Sides) -> None:
    of_session = {"ecephys_session_ids": [sides.lims.session_ids[1]]}
    ours = odd_bundles.ours.get_unit_analysis_metrics(**of_session)
    assert differences(sides.ours.get_unit_analysis_metrics(**of_session), ours) == []
    (texts,) = odd_bundles.rows(
        "select id from ecephys_unit_metric_bundles where json_typeof(data) = 'string'"
    )
    theirs = odd_bundles.theirs.get_unit_analysis_metrics(unit_ids=list(texts))
    assert list(theirs.columns) == [0]  # which holds the text
