"""Partitions: balanced on skewed data, and complete while records are being added."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from ecephys_dal import Database, UnitFilter, UnitRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import EcephysUnit
from ecephys_dal.testing import using
from ecephys_dal.testing.factories import EcephysChannelFactory, EcephysUnitFactory
from tests.conftest import BACKENDS, FreshUrl

# Gaps of 10^12 and more, ids of 18 digits, and neighbours far closer than a float64 tells apart.
DENSE = range(1_000, 1_350)
SCATTERED = range(10**12, 400 * 10**12, 10**12)
LONG = range(3 * 10**17, 3 * 10**17 + 250)
OF_LARGE_SESSION = [*DENSE, *SCATTERED, *LONG[:-50]]
OF_SMALL_SESSION = [*LONG[-50:]]
IDS = sorted(OF_LARGE_SESSION + OF_SMALL_SESSION)


class Skewed:
    """A LIMS of our own with two sessions, of which one has nearly all units."""

    def __init__(self, owned: Database) -> None:
        self.owned = owned
        with owned.connection() as connection:
            upgrade(connection)
        with owned.session() as db, using(db):
            channels = EcephysChannelFactory.create_batch(2)
            self.session_ids = [channel.probe.session.id for channel in channels]
            self.channel_ids = [channel.id for channel in channels]
        self.add(OF_LARGE_SESSION)
        self.add(OF_SMALL_SESSION, 1)

    def add(self, ids: list[int], session: int = 0) -> None:
        channel = self.channel_ids[session]
        unit = vars(EcephysUnitFactory.build(channel=None))
        names = [column.key for column in EcephysUnit.__table__.c if column.key in unit]
        common = {**{name: unit[name] for name in names}, "ecephys_channel_id": channel}
        with self.owned.connection() as connection:
            connection.execute(insert(EcephysUnit), [{**common, "id": i} for i in ids])


@pytest.fixture(scope="module", params=BACKENDS)
def skewed(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> Iterator[Skewed]:
    with Database(fresh_url(request.param), owned=True) as owned:
        yield Skewed(owned)


@pytest.fixture
def units(skewed: Skewed) -> Iterator[UnitRepository]:
    with Database(skewed.owned.url) as database:
        yield UnitRepository(database)


@pytest.mark.parametrize("n", [1, 2, 7, 16, 64])
def test_the_largest_part_is_hardly_larger_than_the_mean(units: UnitRepository, n: int) -> None:
    parts = units.partitions(n=n)
    counts = [units.count(part) for part in parts]
    assert len(parts) == n
    assert max(counts) <= 1.3 * len(IDS) / n
    assert [unit_id for part in parts for unit_id in units.ids(part)] == IDS


def test_a_filter_and_conditions_are_cut_as_evenly(skewed: Skewed, units: UnitRepository) -> None:
    spec = UnitFilter(session_ids=skewed.session_ids[:1])
    long_ids = EcephysUnit.id >= LONG.start
    for where, ids in [((), sorted(OF_LARGE_SESSION)), (long_ids, list(LONG[:-50]))]:
        parts = units.partitions(spec, n=8, where=where)
        counts = [units.count(part, where=where) for part in parts]
        assert len(parts) == 8
        assert max(counts) <= 1.3 * len(ids) / 8
        assert [i for part in parts for i in units.ids(part, where=where)] == ids


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.sample(1)
def test_every_record_is_in_one_part_however_many_are_added(
    backend: str, fresh_url: FreshUrl
) -> None:
    with (
        Database(fresh_url(backend), owned=True) as owned,
        Database(owned.url) as database,
    ):
        check_while_adding(Skewed(owned), UnitRepository(database))


def check_while_adding(skewed: Skewed, units: UnitRepository) -> None:
    parts = units.partitions(n=6)
    firsts = [part.id_range[0] for part in parts[1:]]
    read: list[int] = []
    added: set[int] = set()
    for step, part in enumerate(parts):
        new = {
            DENSE.start - 1 - step,  # below all
            LONG.stop + step,  # above all
            2**62 + step,
            SCATTERED.start + step + 1,  # in gaps
            *(first - 1 - step for first in firsts if first - 1 - step not in IDS),  # at the cuts
        } - added
        skewed.add(sorted(new), step % 2)
        added |= new
        read.extend(units.ids(part))
    assert len(read) == len(set(read))
    assert set(IDS) <= set(read) <= {*IDS, *added}
    assert len(added) > 4 * len(parts)
    # What was added is in one part too; only when it was read tells whether it was seen.
    assert [i for part in parts for i in units.ids(part)] == sorted({*IDS, *added})


def test_parts_hold_a_question_and_nothing_of_the_database(skewed: Skewed) -> None:
    url = skewed.owned.url
    if url.get_backend_name() == "postgresql":
        url = url.set(password="hunter2")
    with Database(url) as database:
        spec = UnitFilter(session_ids=skewed.session_ids, published_at="2019-10-03")
        parts = UnitRepository(database).partitions(spec, n=5)
    for part in parts:
        pickled = pickle.dumps(part)
        assert pickle.loads(pickled) == part == UnitFilter.from_dict(part.to_dict())
        assert len(pickled) < 500
        assert b"hunter2" not in pickled
        assert str(url.database).encode() not in pickled
