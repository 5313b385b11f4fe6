"""Each rule hides what its sentence says, and what a NULL leaves undecided; or is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ecephys_dal import (
    ChannelRepository,
    EcephysProjectLimsApi,
    FileRepository,
    InvalidFilterError,
    NotExactlyOneError,
    ProbeRepository,
    SessionRepository,
    UnitFilter,
    UnitMetricRepository,
    UnitRepository,
    rules,
)
from ecephys_dal.testing import SyntheticLims, factories

DECLARED = {rule.name: rule for rule in rules.RULES}
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
    constants = [rule for rule in vars(rules).values() if isinstance(rule, rules.Rule)]
    assert sorted(rule.name for rule in constants) == sorted(DECLARED)
    assert all(rule.if_null.startswith("so ") for rule in DECLARED.values())
    assert all(rule.sentence.endswith(".") for rule in DECLARED.values())


@pytest.mark.parametrize("name", VALUES)
def test_a_rule_hides_what_it_says(db: Session, name: str) -> None:
    field, shown, hidden = VALUES[name]
    for value in shown + hidden:
        _make_one_of_each(field, value)
    for repository, applied in APPLIED.items():
        expected = len(shown) if name in applied else len(shown + hidden)
        assert repository(db).count() == expected, repository


@pytest.mark.parametrize("name", VALUES)
def test_why_names_the_rule_the_verdict_and_the_value(db: Session, name: str) -> None:
    field, shown, hidden = VALUES[name]
    column = field.partition("__")[2]
    for value in shown + hidden:
        made = _make_one_of_each(field, value)
        verdict = "passed" if value in shown else "unknown" if value is None else "failed"
        for repository, applied in APPLIED.items():
            record = next(one for one in made if isinstance(one, repository.model))
            checks = {check.name: check for check in repository(db).why(record.id).checks}
            assert (name in checks) is (name in applied)
            if name in applied:
                assert checks[name].verdict == verdict
                assert checks[name].found == {column: value}
                assert (DECLARED[name].if_null in str(checks[name])) is (verdict == "unknown")


# Rules that are left out


@pytest.mark.parametrize("name", VALUES)
def test_a_rule_that_is_left_out_hides_nothing(db: Session, name: str) -> None:
    field, shown, hidden = VALUES[name]
    for value in shown + hidden:
        _make_one_of_each(field, value)
    every = len(shown + hidden)
    for repository, applied in APPLIED.items():
        spec = repository.filter_type(without_rules=[name])
        if name in applied:
            assert repository(db).count(spec) == every
            assert repository(db, without_rules=[name]).count() == every
            assert len(repository(db, without_rules=[name]).frame()) == every
        else:
            with pytest.raises(InvalidFilterError, match=f"'{name}' is no rule of"):
                repository(db, without_rules=[name])
            with pytest.raises(InvalidFilterError, match=f"'{name}' is no rule of"):
                repository(db).count(spec)


def test_an_unknown_rule_is_refused_with_the_nearest(db: Session) -> None:
    said = "'probe_not_faild' is no rule of .*; did you mean 'probe_not_failed'"
    spec = UnitFilter(without_rules=["probe_not_faild"])
    for ask in (
        lambda: UnitRepository(db, without_rules=["probe_not_faild"]),
        lambda: UnitRepository(db).select(spec),
        lambda: UnitRepository(db).why(1, spec),
        lambda: UnitRepository(db).partitions(spec),
        lambda: EcephysProjectLimsApi("sqlite://", Streams(), without_rules=["probe_not_faild"]),
    ):
        with pytest.raises(InvalidFilterError, match=said):
            ask()
    with pytest.raises(InvalidFilterError, match="without_rules='probe_not_failed' is no coll"):
        UnitRepository(db, without_rules="probe_not_failed")
    with pytest.raises(InvalidFilterError, match="it has none"):
        FileRepository(db, without_rules=["probe_not_failed"])


class Streams:
    def stream(self, route: str) -> list[bytes]:  # noqa: ARG002
        return []


def test_rules_that_are_left_out_travel_with_the_filter() -> None:
    spec = UnitFilter(unit_ids=[5], without_rules=["probe_not_failed", "channel_valid_data"])
    assert json.loads(json.dumps(spec.to_dict())) == {
        "unit_ids": [5],
        "without_rules": ["channel_valid_data", "probe_not_failed"],
    }
    assert UnitFilter.from_dict(spec.to_dict(), without_rules=True) == spec
    assert UnitFilter(without_rules=[]) == UnitFilter()
    assert hash(spec) == hash(UnitFilter.from_dict(spec.to_dict(), without_rules=True))
    # Both specs keep a record only if neither applies the rule that hides it.
    assert (spec & UnitFilter()).without_rules is None
    assert (UnitFilter() & spec).without_rules is None
    other = UnitFilter(without_rules=["probe_not_failed"])
    assert (spec & other).without_rules == ("probe_not_failed",)


def test_partitions_leave_out_the_same_rules(db: Session) -> None:
    for value in ("passed", "failed", None) * 4:
        _make_one_of_each("probe__workflow_state", value)
    units = UnitRepository(db, without_rules=["probe_not_failed"])
    parts = units.partitions(n=3)
    elsewhere = UnitRepository(db)
    assert sum(elsewhere.count(part) for part in parts) == units.count() == 12
    assert elsewhere.count() == 4


def test_the_facade_leaves_rules_out_where_they_apply(synthetic: SyntheticLims) -> None:
    plain = EcephysProjectLimsApi(synthetic.database, Streams())
    name = "session_not_failed"
    wide = EcephysProjectLimsApi(synthetic.database, Streams(), without_rules=[name])
    failed = synthetic.awkward["session_failed"]
    for method in ("get_sessions", "get_probes", "get_channels", "get_units"):
        ids = {"session_ids": [failed]}
        assert len(getattr(plain, method)(**ids)) == 0
        assert len(getattr(wide, method)(**ids)) > 0
    assert wide.why(session_id=failed).visible
    assert not plain.why(session_id=failed).visible
    assert len(wide.get_unit_analysis_metrics()) == len(plain.get_unit_analysis_metrics())
    every = EcephysProjectLimsApi(synthetic.database, Streams(), without_rules=["run_is_current"])
    older = synthetic.awkward["session_only_older_nwb"]
    assert every.get_session_data(older) == []
    with pytest.raises(NotExactlyOneError):
        plain.get_session_data(older)


def _make_one_of_each(field: str, value: Any) -> list[Any]:
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
    bundle = factories.EcephysUnitMetricBundleFactory.create(unit=unit, run=run)
    return [session, probe, channel, unit, bundle]
