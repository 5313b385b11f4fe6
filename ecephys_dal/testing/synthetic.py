"""A synthetic LIMS: the release's shape, and every awkward row that the real database holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import bindparam, select, text, update

from ecephys_dal.bars import make_bar
from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.migrations import upgrade
from ecephys_dal.models import Project, WellKnownFile
from ecephys_dal.paths import absolute_path
from ecephys_dal.testing.awkward import spoil
from ecephys_dal.testing.factories import StimulusNamespaceFactory
from ecephys_dal.testing.parameters import (
    begin_files,
    count_rows,
    end_files,
    files_are_there,
    refuse_other_parameters,
    refuse_other_rows,
    refuse_snapshot,
)
from ecephys_dal.testing.plans import awkward_plans, well_behaved_plans
from ecephys_dal.testing.shared import SharedRecords, filling
from ecephys_dal.testing.templates import awkward_templates, templates
from ecephys_dal.testing.writer import SessionWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import URL
    from sqlalchemy.orm import Session

    from ecephys_dal.testing.plans import SessionPlan
    from ecephys_dal.testing.writer import WrittenSession

__all__ = ["FIRST_ID", "SyntheticLims", "build_synthetic_lims", "create_synthetic_lims"]

FIRST_ID = 600_000_000  # of the project, by which a filled database is known


@dataclass
class SyntheticLims:
    """What a synthetic LIMS holds.

    Attributes
    ----------
    session_ids, probe_ids : list of int
        The well-behaved sessions and probes, which every rule keeps.
    visible_session_ids, visible_probe_ids : list of int
        Those, and the awkward ones that the rules keep: what the tables show without a filter.
    awkward : dict of str to int
        The id of each awkward record, by the name of what is awkward about it.
    artifacts : Path or None
        The folder of files, for `ArtifactServer`.
    """

    session_ids: list[int] = field(default_factory=list)
    probe_ids: list[int] = field(default_factory=list)
    visible_session_ids: list[int] = field(default_factory=list)
    visible_probe_ids: list[int] = field(default_factory=list)
    awkward: dict[str, int] = field(default_factory=dict)
    artifacts: Path | None = None

    def add(self, plan: SessionPlan, written: WrittenSession) -> None:
        """Note the ids of a session that was written."""
        probe_ids = [probe.id for probe in written.probes]
        if plan.key is None:
            self.session_ids.append(written.session.id)
            self.probe_ids.extend(probe_ids)
        else:
            self.awkward[plan.key] = written.session.id
        if plan.visible:
            self.visible_session_ids.append(written.session.id)
        for probe, probe_id in zip(plan.probes, probe_ids, strict=True):
            if probe.key:
                self.awkward[probe.key] = probe_id
            if plan.visible and probe.visible:
                self.visible_probe_ids.append(probe_id)


def build_synthetic_lims(
    database: Database,
    *,
    sessions: int = 58,
    probes: tuple[int, int] = (4, 6),
    channels_per_probe: int = 384,
    units_per_session: int = 1700,
    seed: int = 0,
    artifacts: str | Path | None = None,
    progress: bool | None = None,
) -> SyntheticLims:
    """Fill a database of our own with a LIMS, always the same for the same arguments.

    The default has the shape of the Visual Coding release: 58 well-behaved sessions (32
    ``brain_observatory_1.1``, 26 ``functional_connectivity``), 332 probes, 127,488 channels,
    98,600 units with a metric bundle each, all published on 2019-10-03.

    Parameters
    ----------
    database : Database
        Owned, and with an empty schema, as `~ecephys_dal.migrations.upgrade` makes it.
    sessions : int
        Well-behaved sessions.
    probes : (int, int)
        Fewest and most probes of a well-behaved session.
    channels_per_probe, units_per_session : int
        Of the well-behaved sessions.
    seed : int
        Other seeds draw other values; the ids stay the same.
    artifacts : str or Path, optional
        Where to write the bytes of the files: about 250 kB for each session and probe.
    progress : bool, optional
        Show a bar on stderr; with None only on a terminal or in a notebook, after a second.

    Returns
    -------
    SyntheticLims
        The ids to ask for.

    Raises
    ------
    ConfigurationError
        If a number can't be, the database is not owned, or was filled before, or the folder holds
        the files of a LIMS of other parameters.

    Examples
    --------
    >>> lims = create_synthetic_lims("sqlite://", sessions=1, units_per_session=20, progress=False)
    >>> len(lims.session_ids), len(lims.probe_ids)
    (1, 6)
    >>> sorted(lims.awkward)[:2]
    ['behavior_session', 'behavior_session_alone']

    Notes
    -----
    The awkward rows come on top of the well-behaved sessions, however few those are: one small
    session (8 channels a probe, 16 units) for each oddity of a session, one whose probes and one
    whose channels and units are odd, and stimuli and files that are not as they should be. The
    keys of `SyntheticLims.awkward` name them. Even a well-behaved session has what all real ones
    have: several current runs, an older run with metrics for three units, a reference channel
    (number 191) without valid data, channels above the brain without structure and coordinates,
    noise units, and NULLs among the metrics.
    """
    shape = _checked_shape(sessions, probes, channels_per_probe, units_per_session, seed)
    lims = SyntheticLims(artifacts=_folder(artifacts))
    plans = [
        *well_behaved_plans(sessions, probes, channels_per_probe, units_per_session),
        *awkward_plans(),
    ]
    with filling(database, FIRST_ID) as db:
        if lims.artifacts is not None:
            begin_files(lims.artifacts, shape)
        bar = make_bar(progress, iterable=plans, desc="synthetic LIMS", unit="session")
        _fill(db, lims, bar, shape)
    if lims.artifacts is not None:
        end_files(lims.artifacts, shape)
    return lims


def create_synthetic_lims(  # noqa: PLR0913 - the parameters of two functions
    url: str | URL,
    *,
    sessions: int = 58,
    probes: tuple[int, int] = (4, 6),
    channels_per_probe: int = 384,
    units_per_session: int = 1700,
    seed: int = 0,
    artifacts: str | Path | None = None,
    exist_ok: bool = False,
    progress: bool | None = None,
) -> SyntheticLims:
    """Make the schema in an empty database, and fill it as `build_synthetic_lims` does.

    Parameters
    ----------
    url : str or URL
        Where; SQLAlchemy's form, such as ``sqlite:///lims.db``.
    sessions, probes, channels_per_probe, units_per_session, seed, artifacts, progress
        As for `build_synthetic_lims`.
    exist_ok : bool
        Use what the database holds if it was made with the same parameters. Files that are
        missing from ``artifacts`` are made again.

    Returns
    -------
    SyntheticLims

    Raises
    ------
    ConfigurationError
        If the database is a snapshot, holds LIMS tables that this library did not make, or any
        session, or was filled before. With ``exist_ok`` a filled one is refused only if it was
        filled with other parameters, or has more or fewer rows now; each is named.

    Notes
    -----
    All rows are committed at once, so a database is filled or, after an interruption, empty. The
    project's ``incoming_directory`` holds the parameters and
    the numbers of rows.
    """
    shape = _checked_shape(sessions, probes, channels_per_probe, units_per_session, seed)
    with Database(url, owned=True) as database:
        refuse_snapshot(database)
        with database.connection() as connection:
            upgrade(connection)
        lims = _filled(database, shape) if exist_ok else None
        if lims is None:
            return build_synthetic_lims(database, **shape, artifacts=artifacts, progress=progress)
        folder = _folder(artifacts)
        if folder is not None and not files_are_there(folder, shape):
            _make_files(database, shape, folder, progress)
        return replace(lims, artifacts=folder)


def _checked_shape(
    sessions: int, probes: tuple[int, int], channels: int, units: int, seed: int
) -> dict[str, Any]:
    """Return the parameters that decide what is made, as JSON keeps them."""
    if (
        not isinstance(probes, (tuple, list))
        or len(probes) != 2
        or not all(map(_is_whole, probes))
        or not 1 <= probes[0] <= probes[1] <= 6
    ):
        raise ConfigurationError(f"probes={probes!r} is no (fewest, most) of 1 to 6 probes")
    fewest, most = probes
    numbers = {
        "sessions": sessions,
        "channels_per_probe": channels,
        "units_per_session": units,
        "seed": seed,
    }
    for name, number in numbers.items():
        if not _is_whole(number):
            raise ConfigurationError(f"{name}={number!r} is no whole number")
        if number < (name == "channels_per_probe"):
            raise ConfigurationError(f"{name}={number!r} is too small a number")
    return {**numbers, "probes": [fewest, most]}


def _folder(artifacts: str | Path | None) -> Path | None:
    if artifacts == "":
        raise ConfigurationError(
            "artifacts='' names no folder; leave it out, or write '.' for this"
        )
    return None if artifacts is None else absolute_path(artifacts)


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _filled(database: Database, shape: dict[str, Any]) -> SyntheticLims | None:
    """Return what the database holds, None if it is empty; refuse what has another shape."""
    with database.session() as db:
        project = db.get(Project, FIRST_ID)
        found = count_rows(db)
    if project is None:
        return None
    try:
        noted = json.loads(project.incoming_directory or "")
        parameters, rows, lims = noted["parameters"], noted["rows"], noted["lims"]
    except (ValueError, LookupError, TypeError):
        raise ConfigurationError(
            f"{database} was filled by an older version, which did not note what it made;"
            " name an empty database"
        ) from None
    refuse_other_parameters(str(database), parameters, shape)
    refuse_other_rows(str(database), rows, found)
    return SyntheticLims(**lims)


def _make_files(
    database: Database, shape: dict[str, Any], folder: Path, progress: bool | None
) -> None:
    """Write the files of a database that is filled, and their sizes into the records."""
    sizes = select(WellKnownFile.id.label("file_id"), WellKnownFile.size.label("new_size"))
    with Database("sqlite://", owned=True) as again:
        with again.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(again, **shape, artifacts=folder, progress=progress)
        with again.connection() as connection:
            found = [dict(row) for row in connection.execute(sizes).mappings()]
    resize = update(WellKnownFile).where(WellKnownFile.id == bindparam("file_id"))
    with database.connection() as connection:
        connection.execute(resize.values(size=bindparam("new_size")), found)


def _fill(
    db: Session, lims: SyntheticLims, plans: Iterable[SessionPlan], shape: dict[str, Any]
) -> None:
    shared = SharedRecords()
    db.add_all(shared.structures.values())
    writer = SessionWriter(db, shared, lims.artifacts)
    for number, plan in enumerate(plans):
        written = writer.write(plan, np.random.default_rng((shape["seed"], number)))
        lims.add(plan, written)
        lims.awkward.update(spoil(db, plan.key, written))
    namespace = StimulusNamespaceFactory.build()
    db.add_all(templates(shared, namespace, lims.artifacts))
    for key, stimulus in awkward_templates(shared, namespace, lims.artifacts):
        db.add(stimulus)
        lims.awkward[key] = stimulus.id
    db.flush()
    made = {**asdict(lims), "artifacts": None}
    noted = {"parameters": shape, "rows": count_rows(db), "lims": made}
    shared.project.incoming_directory = json.dumps(noted)  # a table of our own would be no LIMS'
    db.flush()
    # Both databases know the statement; without it they guess, and join in a bad order.
    db.execute(text("ANALYZE"))
