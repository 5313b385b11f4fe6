"""Code that calls AllenSDK's class can call ours."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import ecephys_dal
from ecephys_dal.artifacts import ArtifactClient

from . import oracle

CLASSES = [
    (oracle.EcephysProjectApi, ecephys_dal.EcephysProjectApi),
    (oracle.EcephysProjectLimsApi, ecephys_dal.EcephysProjectLimsApi),
    (oracle.HttpEngine, ArtifactClient),
]


def _public_functions(cls: type) -> dict[str, Any]:
    members = inspect.getmembers(cls, callable)
    return {name: function for name, function in members if not name.startswith("_")}


def _arguments(function: Any) -> list[tuple[str, Any, Any]]:
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in parameters]


def _shared(ours: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Leave out what only we have, which code that calls AllenSDK's class can't meet."""
    names = ("without_rules", "progress", "session_ids")
    only_ours = {(name, inspect.Parameter.KEYWORD_ONLY) for name in names}
    return [one for one in ours if one[:2] not in only_ours]


@pytest.mark.parametrize(
    ("theirs", "ours", "name"),
    [(theirs, ours, name) for theirs, ours in CLASSES for name in _public_functions(theirs)],
)
def test_every_method_has_the_same_arguments(theirs: type, ours: type, name: str) -> None:
    expected = _arguments(getattr(theirs, name))
    if {kind for _, kind, _ in expected} & {inspect.Parameter.VAR_POSITIONAL}:
        assert callable(getattr(ours, name))  # AllenSDK says of get_isi_experiments only its name
    else:
        assert _shared(_arguments(getattr(ours, name))) == expected


def test_methods_are_compared() -> None:
    names = set(_public_functions(oracle.EcephysProjectLimsApi))
    assert {"default", "get_units", "get_unit_analysis_metrics", "get_session_data"} <= names
    assert len(names) == 11


def test_constructor_and_constants_are_the_same() -> None:
    theirs, ours = oracle.EcephysProjectLimsApi, ecephys_dal.EcephysProjectLimsApi
    engines = [(name, kind) for name, kind, _ in _arguments(theirs)]  # ours may lack a client
    assert [one[:2] for one in _shared(_arguments(ours))] == engines
    assert ours.STIMULUS_TEMPLATE_NAMESPACE == theirs.STIMULUS_TEMPLATE_NAMESPACE
    assert issubclass(ours, ecephys_dal.EcephysProjectApi)


def test_settings_of_the_web_application_have_the_same_names() -> None:
    theirs = inspect.signature(oracle.HttpEngine).parameters.values()
    named = {one.name for one in theirs if one.kind is not inspect.Parameter.VAR_KEYWORD}
    assert named <= set(inspect.signature(ecephys_dal.ArtifactSettings).parameters)


def test_asynchronous_is_no_setting_of_the_web_application() -> None:
    for cls in (oracle.EcephysProjectLimsApi, ecephys_dal.EcephysProjectLimsApi):
        with pytest.raises(TypeError):
            cls.default(app_kwargs={"asynchronous": True})
