"""The databases that both classes are asked about, and the report of how they agree."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal.testing import ArtifactServer, SyntheticLims, create_synthetic_lims

from . import oracle
from .caches import Lims
from .departures import DEPARTURES
from .nwb import write_lfp, write_session
from .odd_rows import add_odd_rows
from .recording import Recording, recorded
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
RECORDED = """
    select f.id, f.filename, p.ecephys_probe_id from well_known_files f
    join well_known_file_types t on t.id = f.well_known_file_type_id
    left join ecephys_analysis_run_probes p
        on p.id = f.attachable_id and f.attachable_type = 'EcephysAnalysisRunProbe'
    join ecephys_analysis_runs r on r.id = coalesce(p.ecephys_analysis_run_id, f.attachable_id)
    where t.name in ('EcephysNwb', 'EcephysLfpNwb') and r.current and r.ecephys_session_id = {}
"""
TEMPLATES = """
    select s.name || suffix, s.well_known_file_id from stimuli s
    join stimulus_namespaces n on n.id = s.stimulus_namespace_id
    join (values ('natural_movie_1', '.h5'), ('natural_scene_5', '.tiff')) c (name, suffix)
        on c.name = s.name
    where n.name = 'brain_observatory_1.1'
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
def lims(sides: Sides) -> Lims:
    """The same LIMS, to make either class for."""
    return Lims(sides.url, sides.host, sides.lims.awkward["session_two_nwb_files"])


@pytest.fixture(scope="session")
def recording(sides: Sides) -> Recording:
    """A session whose files in that LIMS are real ones, with what its tables say."""
    recording = recorded(sides, sides.lims.session_ids[1])  # of fewest probes
    recording.served.update(map(tuple, sides.rows(TEMPLATES)))
    for file_id, filename, probe_id in sides.rows(RECORDED.format(recording.session_id)):
        path = sides.lims.artifacts / str(file_id) / filename
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of AllenSDK's writer, about its own ways
            if probe_id is None:
                write_session(recording, path)
            else:
                write_lfp(recording, probe_id, path)
        size = path.stat().st_size
        _change(sides.url, f"update well_known_files set size = {size} where id = {file_id}")
        if probe_id is None:
            recording.served[f"session_{recording.session_id}.nwb"] = file_id
        elif probe_id == min(recording.lfp):
            recording.served[f"probe_{probe_id}_lfp.nwb"] = file_id
    return recording


@pytest.fixture(scope="session")
def artifacts(sides: Sides, recording: Recording) -> Path:
    """The folder of the files of that LIMS, for other servers."""
    assert sides.lims.artifacts is not None
    return sides.lims.artifacts


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
