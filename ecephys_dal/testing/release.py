"""The published tables of sessions and probes, put back into the LIMS schema."""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.paths import absolute_path
from ecephys_dal.testing import factories
from ecephys_dal.testing.shared import SharedRecords, filling

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from ecephys_dal.database import Database
    from ecephys_dal.models import EcephysAnalysisRun, EcephysProbe, EcephysSession

__all__ = ["load_release"]

Row = dict[str, str]

_FIRST_ID = 1_000_000_000  # of the records whose ids are not published; above those that are


def load_release(database: Database, folder: str | Path) -> None:
    """Put a release's ``sessions.csv`` and ``probes.csv`` into a database of our own.

    They are the tables that AllenSDK's ``EcephysProjectCache`` writes. Sessions, probes, specimens
    and ISI experiments keep their published ids.

    Parameters
    ----------
    database : Database
        Owned, and with the schema, as `~ecephys_dal.migrations.upgrade` makes it.
    folder : str or Path
        Where the two files are.

    Raises
    ------
    ConfigurationError
        If the database is not owned or was filled before, or a file is missing.

    Notes
    -----
    What the tables leave out is as the factories have it: every session is ``uploaded`` and every
    probe ``passed``. A session with an NWB file has the record of one on a current analysis run,
    on which each of its probes with LFP has the record of an LFP file. There are no channels,
    units or metrics, for these are not published as plain tables.
    """
    folder = absolute_path(folder)
    sessions, probes = _table(folder / "sessions.csv"), _table(folder / "probes.csv")
    with filling(database, _FIRST_ID) as db:
        runs = _load_sessions(db, sessions)
        _load_probes(db, probes, runs)


def _table(path: Path) -> list[Row]:
    if not path.exists():
        raise ConfigurationError(
            f"there is no {path}; name the folder of a release's sessions.csv and probes.csv"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _load_sessions(db: Session, rows: Iterable[Row]) -> dict[int, EcephysAnalysisRun]:
    """Return the current run of each session, by the session's id."""
    shared = SharedRecords()
    runs = {}
    for row in rows:
        session = _session(row, shared)
        run = factories.EcephysAnalysisRunFactory.build(session=session)
        db.add(run)
        if row["has_nwb"] == "True":
            nwb_type = shared.file_type("EcephysNwb")
            db.add(factories.WellKnownFileFactory.build(attachable=run, type=nwb_type))
        runs[session.id] = run
    return runs


def _session(row: Row, shared: SharedRecords) -> EcephysSession:
    return factories.EcephysSessionFactory.build(
        id=int(row["id"]),
        stimulus_name=row["session_type"],
        date_of_acquisition=_moment(row["date_of_acquisition"]),
        published_at=_moment(row["published_at"]),
        project=shared.project,
        equipment=shared.equipment,
        operator=shared.operator,
        specimen__id=int(row["specimen_id"]),
        specimen__donor=shared.donor(row["genotype"], row["sex"], float(row["age_in_days"])),
        isi_experiment__id=int(row["isi_experiment_id"]),
    )


def _load_probes(db: Session, rows: Iterable[Row], runs: dict[int, EcephysAnalysisRun]) -> None:
    lfp_type = factories.WellKnownFileTypeFactory.build(name="EcephysLfpNwb")
    for row in rows:
        run = runs[int(row["ecephys_session_id"])]
        run_probe = factories.EcephysAnalysisRunProbeFactory.build(
            run=run, probe=_probe(row, run.session)
        )
        db.add(run_probe)
        if row["has_lfp_data"] == "True":
            db.add(factories.WellKnownFileFactory.build(attachable=run_probe, type=lfp_type))


def _probe(row: Row, session: EcephysSession) -> EcephysProbe:
    return factories.EcephysProbeFactory.build(
        id=int(row["id"]),
        name=row["name"],
        session=session,
        phase=row["phase"],
        air_channel_index=int(row["air_channel_index"]),
        surface_channel_index=int(row["surface_channel_index"]),
        global_probe_sampling_rate=float(row["sampling_rate"]),
        global_probe_lfp_sampling_rate=float(row["lfp_sampling_rate"]),
        temporal_subsampling_factor=_number(row["lfp_temporal_subsampling_factor"]),
        use_lfp_data=row["has_lfp_data"] == "True",
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _moment(text: str) -> dt.datetime:
    """Read a time as LIMS keeps it: UTC, and without saying so."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007
