"""How PostgreSQL finds the answers to the main questions among 1,000,000 units.

A question about little must read little, by indexes, and one about everything must read each
table once and sort no more rows than it returns.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sqlalchemy import event, text, update

from ecephys_dal import (
    ChannelFilter,
    ChannelRepository,
    Database,
    FileFilter,
    FileRepository,
    ProbeFilter,
    ProbeRepository,
    SessionRepository,
    UnitFilter,
    UnitMetricFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.filters import ProbeFileFilter, SessionFileFilter
from ecephys_dal.models import EcephysUnitMetricBundle
from ecephys_dal.repositories.files import ProbeLfpRepository, SessionNwbRepository
from ecephys_dal.testing import create_synthetic_lims, enlarge_synthetic_lims

from ..conftest import opened

pytestmark = pytest.mark.slow
SESSIONS, TIMES = 10, 60  # plain sessions, of 1,700 units each
LARGE = {
    "ecephys_channels", "ecephys_units", "ecephys_unit_metric_bundles", "well_known_files",
}  # fmt: skip
LITTLE = 20_000  # rows; one session has 2,304 channels and 1,700 units and bundles


class StoppedError(Exception):
    """A statement was about to run."""

    def __init__(self, statement, parameters):
        self.statement, self.parameters = statement, parameters


def stop(connection, cursor, statement, parameters, context, executemany):
    raise StoppedError(statement, parameters)


class Questions:
    """Asks a large LIMS, and has PostgreSQL tell how it found the answer."""

    def __init__(self, database, lims):
        self.database = database
        self.session = lims.session_ids[SESSIONS // 2]
        self.probe = lims.probe_ids[-1]
        self.units = UnitRepository(database).ids()
        self.n_rows = {name: self._scalar(f"select count(*) from {name}") for name in LARGE}

    def plan(self, ask):
        """Return the plan of the statement with which a question begins."""
        event.listen(self.database.engine, "before_cursor_execute", stop)
        with pytest.raises(StoppedError) as stopped:
            ask(self)
        event.remove(self.database.engine, "before_cursor_execute", stop)
        explain = f"explain (analyze, timing off, format json) {stopped.value.statement}"
        with self.database.connection() as connection:
            result = connection.exec_driver_sql(explain, stopped.value.parameters)
            return Plan(result.scalar_one()[0]["Plan"])

    def _scalar(self, query):
        with self.database.connection() as connection:
            return connection.execute(text(query)).scalar_one()


class Plan:
    """A plan that was followed."""

    def __init__(self, root):
        self.rows = root["Actual Rows"] * root["Actual Loops"]
        self.nodes = list(below(root))

    @property
    def scanned(self):
        """The large tables that were read from their first row, without an index."""
        return LARGE & {
            node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan"
        }

    @property
    def read(self):
        """How many rows of each table were looked at, those for nothing included."""
        read = Counter()
        for node in self.nodes:
            if "Relation Name" in node:
                looked_at = ("Actual Rows", "Rows Removed by Filter")
                rows = sum(node.get(name, 0) for name in looked_at)
                read[node["Relation Name"]] += rows * node["Actual Loops"]
        return read

    @property
    def sorted(self):
        """How many rows were sorted."""
        sorts = (node for node in self.nodes if node["Node Type"].endswith("Sort"))
        return sum(node["Actual Rows"] * node["Actual Loops"] for node in sorts)


def below(node):
    yield node
    for child in node.get("Plans", ()):
        yield from below(child)


@pytest.fixture(scope="module")
def large(fresh_url):
    url = fresh_url("postgresql")
    lims = create_synthetic_lims(url, sessions=SESSIONS, progress=False)
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:  # how long bundles are, is of no account
            connection.execute(update(EcephysUnitMetricBundle).values(data={"g_dsi_dg": 0.5}))
        enlarge_synthetic_lims(owned, TIMES)
        autocommit = owned.engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            connection.execute(text("vacuum analyze"))  # as a server does by itself, later
    with opened(url, by_rows=True) as database:  # so that all statements go through the engine
        yield Questions(database, lims)


def some(ids, count):
    """Return ids that lie apart."""
    return ids[np.linspace(0, len(ids) - 1, count).astype(int)]


SELECTIVE = {
    "probes of a session": lambda q: ProbeRepository(q.database).frame(
        ProbeFilter(session_ids=[q.session])
    ),
    "channels of a probe": lambda q: ChannelRepository(q.database).frame(
        ChannelFilter(probe_ids=[q.probe])
    ),
    "channels of a session": lambda q: ChannelRepository(q.database).frame(
        ChannelFilter(session_ids=[q.session])
    ),
    "units of a session": lambda q: UnitRepository(q.database).frame(
        UnitFilter(session_ids=[q.session])
    ),
    "units of a probe": lambda q: UnitRepository(q.database).frame(UnitFilter(probe_ids=[q.probe])),
    "100 units": lambda q: UnitRepository(q.database).frame(
        UnitFilter(unit_ids=some(q.units, 100))
    ),
    "metrics of 100 units": lambda q: UnitMetricRepository(q.database).frame(
        UnitMetricFilter(unit_ids=some(q.units, 100))
    ),
    "metrics of a session": lambda q: UnitMetricRepository(q.database).frame(
        UnitMetricFilter(ecephys_session_ids=[q.session])
    ),
    "files of a session": lambda q: FileRepository(q.database).frame(
        FileFilter(session_ids=[q.session])
    ),
    "NWB file of a session": lambda q: SessionNwbRepository(q.database).one(
        SessionFileFilter(session_ids=[q.session])
    ),
    "LFP file of a probe": lambda q: ProbeLfpRepository(q.database).one(
        ProbeFileFilter(probe_ids=[q.probe])
    ),
    "a unit": lambda q: UnitRepository(q.database).get(int(q.units[-1])),
    "whether a session has units": lambda q: UnitRepository(q.database).exists(
        UnitFilter(session_ids=[q.session])
    ),
    "how many units a session has": lambda q: UnitRepository(q.database).count(
        UnitFilter(session_ids=[q.session])
    ),
    "units of a partition": lambda q: UnitRepository(q.database).frame(
        UnitFilter(id_range=(int(q.units[-1000]), None))
    ),
}
WHOLE = {
    "sessions": lambda q: SessionRepository(q.database).frame(),
    "channels": lambda q: ChannelRepository(q.database).frame(),
    "units": lambda q: UnitRepository(q.database).frame(),
    "50,000 units": lambda q: UnitRepository(q.database).frame(
        UnitFilter(unit_ids=some(q.units, 50_000))
    ),
    "how many units there are": lambda q: UnitRepository(q.database).count(),
    "metrics of a session type": lambda q: UnitMetricRepository(q.database).frame(
        UnitMetricFilter(session_types=["brain_observatory_1.1"])
    ),
}


def test_there_is_more_of_everything_than_a_question_about_little_may_read(large):
    assert len(large.units) >= 1_000_000
    assert min(large.n_rows.values()) > LITTLE


@pytest.mark.parametrize("question", SELECTIVE)
def test_a_question_about_little_reads_little(large, question):
    plan = large.plan(SELECTIVE[question])
    assert plan.rows >= 1
    assert plan.scanned == set()
    assert plan.read
    assert plan.read.total() <= LITTLE
    assert plan.sorted <= plan.rows


@pytest.mark.parametrize("question", WHOLE)
def test_a_question_about_much_reads_each_table_once_and_sorts_what_it_returns(large, question):
    plan = large.plan(WHOLE[question])
    assert plan.read
    for table in LARGE:
        # Rows are told as a mean of the processes that shared the work, and rounded.
        assert plan.read[table] <= large.n_rows[table] + 10, table
    assert plan.sorted <= plan.rows + 10


def test_a_look_for_any_record_ends_with_the_first(large):
    plan = large.plan(lambda q: UnitRepository(q.database).exists())
    assert plan.rows == 1
    assert plan.read.total() <= LITTLE
