"""Each rule hides what its sentence says, and what a NULL leaves undecided."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from ecephys_dal import (
    ChannelRepository,
    ProbeRepository,
    SessionRepository,
    UnitMetricRepository,
    UnitRepository,
    rules,
)
from ecephys_dal.testing import factories

DECLARED = {rule.name: rule for rule in vars(rules).values() if isinstance(rule, rules.Rule)}
SESSION, PROBE = {"session_not_habituation", "session_not_failed"}, {"probe_not_failed"}
APPLIED = {
    SessionRepository: SESSION,
    ProbeRepository: SESSION | PROBE,
    ChannelRepository: SESSION | PROBE | {"channel_valid_data"},
    UnitRepository: SESSION | PROBE | {"channel_valid_data"},
    UnitMetricRepository: {"run_is_current"},
}
# For each rule: where the value is, what is shown, and what is hidden.
VALUES: dict[str, tuple[str, list[Any], list[Any]]] = {
    "session_not_habituation": ("session__habituation", [False], [True]),
    "session_not_failed": ("session__workflow_state", ["uploaded", "x"], ["failed", None]),
    "probe_not_failed": ("probe__workflow_state", ["passed", "created"], ["failed", None]),
    "channel_valid_data": ("channel__valid_data", [True], [False, None]),
    "run_is_current": ("run__current", [True], [False, None]),
}


@pytest.mark.parametrize("repository", APPLIED)
def test_a_repository_applies_its_rules_and_no_others(repository: Any) -> None:
    assert {rule.name for rule in repository.rules} == APPLIED[repository]


def test_every_rule_has_a_name_and_a_sentence() -> None:
    assert set(DECLARED) == set(VALUES)
    assert all(rule.sentence.endswith(".") for rule in DECLARED.values())


@pytest.mark.parametrize("name", VALUES)
def test_a_rule_hides_what_it_says(db: Session, name: str) -> None:
    field, shown, hidden = VALUES[name]
    for value in shown + hidden:
        _make_one_of_each(field, value)
    for repository, applied in APPLIED.items():
        expected = len(shown) if name in applied else len(shown + hidden)
        assert repository(db).count() == expected, repository


def _make_one_of_each(field: str, value: Any) -> None:
    owner, _, column = field.partition("__")
    chosen = {column: value}
    session = factories.EcephysSessionFactory.create(**chosen if owner == "session" else {})
    probe = factories.EcephysProbeFactory.create(
        session=session, **chosen if owner == "probe" else {}
    )
    channel = factories.EcephysChannelFactory.create(
        probe=probe, **chosen if owner == "channel" else {}
    )
    run = factories.EcephysAnalysisRunFactory.create(
        session=session, **chosen if owner == "run" else {}
    )
    unit = factories.EcephysUnitFactory.create(channel=channel)
    factories.EcephysUnitMetricBundleFactory.create(unit=unit, run=run)
