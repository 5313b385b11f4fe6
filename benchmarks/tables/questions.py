"""What is asked, by whom, and what must come out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.tables.peers import PEERS, missing
from benchmarks.tables.races import Race, Run, Target
from ecephys_dal import ChannelRepository, UnitMetricRepository, UnitRepository
from ecephys_dal.models import LIMS_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.tables.material import Lims, Material
    from ecephys_dal import Repository

__all__ = ["ALLENSDK", "FLOOR", "GROWTH", "OURS", "races"]

OURS, ALLENSDK = "`ecephys_dal`", "AllenSDK"
FLOOR = "binary `COPY`, thrown away"
GROWTH = "From few units to many"
_BARE = "`ecephys_dal` without the `arrow` extra"
_CHUNKS = "`chunks`"
_FETCHALL = "`fetchall` of `sqlite3`"
_ROWS = "all rows read by `psycopg2`, thrown away"
_CHUNK = 50_000
_NEAR = 5


def races(material: Material) -> Iterator[Race]:
    """Yield all races.

    Parameters
    ----------
    material : Material
        What is asked about.
    """
    yield _units(material.base)
    yield _whole(ChannelRepository, "get_channels", material.base, faster=7, most=1.4)
    for lims, which in ((material.base, ""), (material.bundles, " of 30 keys")):
        metrics = partial(_whole, UnitMetricRepository, "get_unit_analysis_metrics")
        yield metrics(lims, f"bundles{which}", faster=4.5, most=2)
    yield from _selections(material.base)
    yield from _memory(material)
    yield _growth(material)
    yield _sqlite(material.sqlite)
    yield _snapshots(material.base)
    yield _imports()


def _ours(lims: Lims, method: str, **arguments: Any) -> Run:
    asked = {"url": lims.url, "method": method, **arguments}
    return Run(name=OURS, by="ours", does="ask", arguments=asked, answer=lims.url)


def _both(lims: Lims, method: str, **arguments: Any) -> tuple[Run, Run]:
    ours = _ours(lims, method, **arguments)
    return ours, replace(ours, name=ALLENSDK, by="theirs")


def _floor(lims: Lims, repository: type[Repository[Any, Any]]) -> Run:
    asked = {"url": lims.url, "query": lims.query(repository)}
    return Run(name=FLOOR, by="floor", does="copy", arguments=asked)


def _peers(lims: Lims) -> Iterator[Run]:
    asked = {"url": lims.url, "query": lims.query(UnitRepository)}
    for name, (does, needs) in PEERS.items():
        if needs not in missing():
            yield Run(name=name, by="peers", does=does, arguments=asked)


def _whole(
    repository: type[Repository[Any, Any]],
    method: str,
    lims: Lims,
    noun: str = "rows",
    *,
    faster: float,
    most: float,
) -> Race:
    title = f"`{method}()`, {lims.count(repository):,} {noun}"
    return Race(
        title=title,
        runs=[*_both(lims, method), _floor(lims, repository)],
        targets=[
            Target(what=title, run=OURS, against=ALLENSDK, most=1 / faster),
            Target(what=title, run=OURS, against=FLOOR, most=most),
        ],
    )


def _units(lims: Lims) -> Race:
    race = _whole(UnitRepository, "get_units", lims, faster=7, most=1.25)
    bare = replace(race.runs[0], name=_BARE, by="bare")
    target = Target(what=f"{race.title}, {_BARE}", run=_BARE, against=ALLENSDK, most=1 / 2.5)
    return replace(race, runs=[*race.runs, bare, *_peers(lims)], targets=[*race.targets, target])


def _selections(lims: Lims) -> Iterator[Race]:
    n_units = min(50_000, len(lims.unit_ids) // 2)
    spread = np.linspace(0, len(lims.unit_ids) - 1, n_units).astype(int)
    units = _both(lims, "get_units", unit_ids=lims.unit_ids[spread].tolist())
    yield _selection(f"`get_units(unit_ids={n_units:,})`", units, faster=6)
    probes = _both(lims, "get_probes", session_ids=[lims.a_session])
    ten_times = tuple(replace(run, repeat=10) for run in probes)
    yield _selection("`get_probes(session_ids=[one])`, warm pool", ten_times, faster=8)


def _selection(title: str, runs: tuple[Run, ...], faster: float) -> Race:
    target = Target(what=title, run=OURS, against=ALLENSDK, most=1 / faster)
    return Race(title=title, runs=runs, targets=[target])


def _memory(material: Material) -> Iterator[Race]:
    title = "Peak memory of `get_units()`"
    peers = (run for run in _peers(material.base) if run.does.startswith("adbc"))
    runs = [replace(run, fresh=True, answer="") for run in _both(material.base, "get_units")]
    yield Race(
        title=f"{title}, {len(material.base.unit_ids):,} rows",
        runs=[*runs, *(replace(run, fresh=True) for run in peers)],
        targets=[Target(what=title, run=OURS, against=ALLENSDK, most=1 / 6, of="memory")],
    )
    yield _memory_of_chunks(material.sizes[-1])


def _memory_of_chunks(lims: Lims) -> Race:
    title, n_units = "Peak memory of `chunks(size=50_000)`", len(lims.unit_ids)
    few = min(2 * _CHUNK, n_units // 2)
    all_units = _chunks(lims, f"{n_units:,} rows")
    few_units = _chunks(lims, f"{few:,} rows", before=int(lims.unit_ids[few]))
    target = Target(
        what=f"{title}, {n_units:,} rows",
        run=all_units.name,
        against=few_units.name,
        most=1.1,
        of="memory",
    )
    runs = [replace(run, fresh=True, answer="") for run in (few_units, all_units)]
    return Race(title=title, runs=runs, targets=[target])


def _chunks(lims: Lims, name: str, **more: Any) -> Run:
    asked = {"url": lims.url, "size": _CHUNK, **more}
    return Run(name=name, by="ours", does="chunks", arguments=asked, answer=lims.url)


def _growth(material: Material) -> Race:
    """Let the same question have ever more rows; the plot is of this."""
    runs = [
        replace(run, name=_sized(run.name, lims), rows=len(lims.unit_ids))
        for lims in material.sizes
        for run in (
            *_both(lims, "get_units"),
            _floor(lims, UnitRepository),
            _chunks(lims, _CHUNKS),
        )
    ]
    most = material.sizes[-1]
    targets = [
        Target(
            what=f"{work}, {len(most.unit_ids):,} rows",
            run=_sized(name, most),
            against=_sized(name, material.base),
            most=1.1,
            of="seconds a row",
        )
        for work, name in (("`get_units()`", OURS), ("`chunks(size=50_000)`", _CHUNKS))
    ]
    return Race(title=GROWTH, runs=runs, targets=targets)


def _sized(name: str, lims: Lims) -> str:
    return f"{name}, {len(lims.unit_ids):,} rows"


def _sqlite(lims: Lims) -> Race:
    title = f"SQLite: `get_units()`, {len(lims.unit_ids):,} rows"
    asked = {"url": lims.url, "query": lims.query(UnitRepository)}
    return Race(
        title=title,
        runs=[
            _ours(lims, "get_units"),
            Run(name=_FETCHALL, by="floor", does="fetchall", arguments=asked),
        ],
        targets=[Target(what=title, run=OURS, against=_FETCHALL, most=1.5)],
    )


def _snapshots(lims: Lims) -> Race:
    """Copy all; the floor reads the same tables, without what rules hide being left out."""
    asked: dict[str, Any] = {"url": lims.url}
    tables = [table.name for table in LIMS_TABLES.values()]
    take = Run(name="`snapshot.create`", by="ours", does="take_snapshot", arguments=asked)
    return Race(
        title=f"A snapshot of everything, {lims.count(UnitRepository):,} units",
        runs=[
            take,
            replace(take, name="open it", does="open_snapshot"),
            Run(name=_ROWS, by="floor", does="read_rows", arguments={**asked, "tables": tables}),
        ],
        targets=[Target(what=take.name, run=take.name, against=_ROWS, most=_NEAR)],
    )


def _imports() -> Race:
    """Import the package, and what a user wants of it: a package may put off its own imports."""
    base = "`import pandas, sqlalchemy`"
    imports = {
        "`import ecephys_dal`": ["ecephys_dal"],
        "`from ecephys_dal import EcephysProjectLimsApi`": ["ecephys_dal:EcephysProjectLimsApi"],
        base: ["pandas", "sqlalchemy"],
    }
    runs = [
        Run(name=name, by="imports", does="load", arguments={"names": names}, fresh=True)
        for name, names in imports.items()
    ]
    targets = [Target(what=name, run=name, against=base, most=1.15) for name in [*imports][:-1]]
    return Race(title="Imports", runs=runs, targets=targets)
