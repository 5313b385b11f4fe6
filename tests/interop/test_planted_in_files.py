"""The comparison of files finds what is wrong: each test makes something wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, true

from ecephys_dal import EcephysProjectLimsApi
from ecephys_dal.models import EcephysAnalysisRunProbe, WellKnownFile, WellKnownFileType
from ecephys_dal.repositories import ProbeLfpRepository, SessionNwbRepository, TemplateRepository

from .files import fetched_by_both
from .sides import Sides


def _wrong_files(getter: str, sides: Sides, folder: Path) -> list[Any]:
    found = fetched_by_both(getter, sides, folder)
    return [number for number, theirs, ours in found if theirs != ours]


def _anything(spec: Any) -> list[Any]:
    return [true() for _ in spec.each_condition()]  # for no clause of a field is refused


@pytest.mark.parametrize(
    ("getter", "repository", "attribute", "value"),
    [
        ("get_session_data", SessionNwbRepository, "rules", ()),
        ("get_probe_lfp_data", ProbeLfpRepository, "rules", ()),
        ("get_session_data", SessionNwbRepository, "criteria", _anything),
        ("get_natural_movie_template", TemplateRepository, "criteria", _anything),
        ("get_natural_scene_template", EcephysProjectLimsApi, "STIMULUS_TEMPLATE_NAMESPACE", "x"),
    ],
)
def test_a_wrong_file_is_found(
    getter: str,
    repository: type,
    attribute: str,
    value: Any,
    sides: Sides,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, attribute, staticmethod(value) if callable(value) else value)
    assert _wrong_files(getter, sides, tmp_path) != []


@pytest.mark.parametrize(
    "match",
    [
        WellKnownFileType.name == "EcephysLfpNwb",
        WellKnownFileType.name.regexp_match("^EcephysLfpNwb"),
        WellKnownFileType.name.regexp_match("(?i)EcephysLfpNwb"),
    ],
    ids=["the whole name", "at the start", "in any case"],
)
def test_another_match_of_the_type_of_lfp_files_is_found(
    match: Any, sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = (
        select(WellKnownFile)
        .join(WellKnownFile.ecephys_analysis_run_probe)
        .join(EcephysAnalysisRunProbe.run)
        .join(WellKnownFile.type)
        .where(match)
    )
    monkeypatch.setattr(ProbeLfpRepository, "statement", statement)
    assert _wrong_files("get_probe_lfp_data", sides, tmp_path) != []


def test_a_changed_byte_is_found(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = sides.ours.app_engine.stream

    def changed(route: str) -> list[bytes]:
        file = bytearray(b"".join(stream(route)))
        file[len(file) // 2] ^= 1
        return [bytes(file)]

    monkeypatch.setattr(sides.ours.app_engine, "stream", changed)
    assert _wrong_files("get_natural_scene_template", sides, tmp_path) == [0, 1, 58, 117, 7]
