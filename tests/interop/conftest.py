"""The databases that both classes are asked about, and the report of how they agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal.testing import ArtifactServer, SyntheticLims, create_synthetic_lims

from . import oracle
from .departures import DEPARTURES
from .odd_rows import add_odd_rows
from .sides import Sides

FreshUrl = Callable[[str], str]

# LIMS may store some columns otherwise than our models declare them.
OTHER_TYPES = {
    "ecephys_sessions": {"published_at": "date", "isi_experiment_id": "integer"},
    "ages": {"days": "numeric"},
    "ecephys_probes": {"global_probe_sampling_rate": "numeric", "air_channel_index": "bigint"},
    "ecephys_channels": {"probe_vertical_position": "integer", "local_index": "smallint"},
    "ecephys_units": {"id": "integer", "snr": "numeric", "firing_rate": "numeric(20, 12)"},
    "ecephys_unit_metric_bundles": {"ecephys_unit_id": "integer", "data": "jsonb"},
}
A_BUNDLE = """
    select b.id from ecephys_unit_metric_bundles b
    join ecephys_analysis_runs r on r.id = b.ecephys_analysis_run_id
    where r.current and b.data is not null and r.ecephys_session_id = {session_id} limit 1
"""
IN_PLACE = json.dumps({"p_value_rf": 0.25, "on_screen_rf": True})
SET_BUNDLE = "update ecephys_unit_metric_bundles set data"
NO_NULL_BUNDLES = "delete from ecephys_unit_metric_bundles where data is null"


@dataclass
class Report:
    """What the run has shown."""

    asked: int = 0
    agreed: int = 0
    cells: int = 0
    bytes: int = 0
    shown: set[int] = field(default_factory=set)
    not_shown: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"{oracle.ALLENSDK} agreed on {self.agreed:,} of {self.asked:,} questions,"
            f" {self.cells:,} cells and {self.bytes:,} bytes compared;"
            f" {len(self.shown - self.not_shown)} of {len(DEPARTURES)} departures shown"
        )


REPORT = pytest.StashKey[Report]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if REPORT in config.stash:
        terminalreporter.write_line(str(config.stash[REPORT]))


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    return pytestconfig.stash.setdefault(REPORT, Report())


@pytest.fixture
def shown(request: pytest.FixtureRequest, report: Report) -> Iterator[None]:
    """Note the departure whose number is in the name of the test."""
    failed = request.session.testsfailed
    yield
    passed = request.session.testsfailed == failed
    number = int(request.node.name.split("_")[1])
    (report.shown if passed else report.not_shown).add(number)


@pytest.fixture(scope="session")
def sides(fresh_url: FreshUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both on a synthetic LIMS with its files, without the bundles that AllenSDK can't read."""
    folder = tmp_path_factory.mktemp("artifacts")
    url = fresh_url("postgresql")
    lims = _filled(url, artifacts=folder)
    add_odd_rows(url, lims)
    _change(url, NO_NULL_BUNDLES)
    with (
        ArtifactServer(folder) as server,
        Sides(url, lims, server.host, server.requests) as sides,
    ):
        yield sides


@pytest.fixture(scope="session")
def sides_of_other_types(fresh_url: FreshUrl) -> Iterator[Sides]:
    """Both on the same records in columns of other types."""
    url = fresh_url("postgresql")
    lims = _filled(url)
    changes = (
        f"alter table {table} alter {column} type {new}"
        for table, columns in OTHER_TYPES.items()
        for column, new in columns.items()
    )
    _change(url, NO_NULL_BUNDLES, *changes)
    with Sides(url, lims) as sides:
        yield sides


@pytest.fixture(scope="session")
def odd_bundles(fresh_url: FreshUrl) -> Iterator[Sides]:
    """Both on the same records with NULL bundles, one of text, and one that is not swapped."""
    url = fresh_url("postgresql")
    lims = _filled(url)
    with Sides(url, lims) as sides:
        swapped, *_ = sides.bundles.values()
        (text_id,) = sides.rows(A_BUNDLE.format(session_id=lims.session_ids[1]))[0]
        _change(
            url,
            f"{SET_BUNDLE} = to_json(data::text) where id = {text_id}",
            f"{SET_BUNDLE} = data::jsonb || '{IN_PLACE}'::jsonb where id = any(array{swapped})",
        )
        yield sides


def _filled(url: str, *, artifacts: Path | None = None) -> SyntheticLims:
    return create_synthetic_lims(
        url,
        sessions=3,
        probes=(2, 3),
        channels_per_probe=16,
        units_per_session=40,
        artifacts=artifacts,
        progress=False,
    )


def _change(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
