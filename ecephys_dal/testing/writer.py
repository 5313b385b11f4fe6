"""Write a planned session: its probes, channels, units, analysis runs, metrics and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, insert, inspect

from ecephys_dal import models
from ecephys_dal.testing import factories
from ecephys_dal.testing.binding import current_ids
from ecephys_dal.testing.content import probe_lfp_nwb, session_nwb
from ecephys_dal.testing.rows import bundle_rows, channel_rows, unit_rows
from ecephys_dal.testing.session_content import (
    event_timestamps,
    eye_ellipses,
    optotagging_table,
    spike_times,
    stimulus_pickle,
    stimulus_table,
    sync_recording,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from sqlalchemy.orm import Session

    from ecephys_dal.testing.plans import ProbePlan, SessionPlan
    from ecephys_dal.testing.shared import SharedRecords

__all__ = ["SessionWriter", "WrittenSession", "store"]

_OLDER_BUNDLES = 3  # units whose metrics an older run computed too
_SESSION_FILES = {
    "StimulusPickle": "stim.pkl",
    "EcephysRigSync": "sync.h5",
    "EyeTracking Ellipses": "ellipse.h5",
}
# What all files of a type hold; NWB files, whose content has the id of their record, are apart.
_CONTENTS: dict[str, Callable[[], bytes]] = {
    "EcephysAlignedEventTimestamps": event_timestamps,
    "EcephysOptotaggingTable": optotagging_table,
    "EcephysRigSync": sync_recording,
    "EcephysSortedSpikeTimes": spike_times,
    "EcephysStimulusTable": stimulus_table,
    "EyeTracking Ellipses": eye_ellipses,
    "StimulusPickle": stimulus_pickle,
}


@dataclass
class WrittenSession:
    """What was written of a session."""

    session: models.EcephysSession
    probes: list[models.EcephysProbe]
    channel_ids: list[int]
    unit_ids: range = range(0)
    bundle_ids: range = range(0)
    nwb_files: list[models.WellKnownFile] = field(default_factory=list)


def store(artifacts: Path | None, file: models.WellKnownFile, content: Callable[[], bytes]) -> None:
    """Write the bytes of a well-known file, and its size into the record.

    Parameters
    ----------
    artifacts : Path or None
        The file becomes ``<artifacts>/<id>/<filename>``; None writes nothing.
    file : WellKnownFile
        The record.
    content : callable
        Gives the bytes.
    """
    if artifacts is None or file.filename is None:
        return
    path = artifacts / str(file.id) / file.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    file.size = path.write_bytes(content())


class SessionWriter:
    """Write sessions, one at a time.

    Parameters
    ----------
    db : Session
        The ORM session of the `using` block that we are in.
    shared : SharedRecords
        What sessions share.
    artifacts : Path or None
        Where the bytes of files go.
    """

    def __init__(self, db: Session, shared: SharedRecords, artifacts: Path | None) -> None:
        self._db, self._shared, self._artifacts = db, shared, artifacts

    def write(self, plan: SessionPlan, rng: np.random.Generator) -> WrittenSession:
        """Write a session and all that hangs on it.

        Parameters
        ----------
        plan : SessionPlan
            What to write.
        rng : Generator
            Draws what the plan leaves open.

        Returns
        -------
        WrittenSession
        """
        session = self._session(plan)
        probes = [self._probe(session, probe, rng) for probe in plan.probes]
        nwb_files = [self._nwb_run(session, probes, current) for current in plan.nwb_runs]
        self._other_runs(session)
        self._other_files(session, probes)
        metrics = partial(self._run, session, "EcephysUnitMetricsStrategy")
        newer, older = metrics(), metrics(current=False)
        self._db.flush()
        written = WrittenSession(session, probes, [], nwb_files=nwb_files)
        self._write_channels(written, plan, rng)
        self._write_units(written, plan, rng)
        written.bundle_ids = self._write_bundles(written, newer, rng)
        self._write_bundles(written, older, rng, at_most=_OLDER_BUNDLES)
        return written

    def _session(self, plan: SessionPlan) -> models.EcephysSession:
        project = self._shared.project
        columns = {
            "project": project,
            "equipment": self._shared.equipment,
            "operator": self._shared.operator,
            "isi_experiment__project": project,
            "specimen__donor": self._shared.donor(plan.genotype, plan.sex, plan.age),
        }
        session = factories.EcephysSessionFactory.build(**{**columns, **plan.columns})
        self._db.add(session)
        return session

    def _probe(
        self, session: models.EcephysSession, plan: ProbePlan, rng: np.random.Generator
    ) -> models.EcephysProbe:
        rate = round(29999.9 + 0.15 * rng.random(), 6)
        columns = {
            "global_probe_sampling_rate": rate,
            "global_probe_lfp_sampling_rate": round(rate / 12, 6),
            "surface_channel_index": int(rng.integers(320, 376)),
        }
        probe = factories.EcephysProbeFactory.build(
            session=session, name=plan.name, **{**columns, **plan.columns}
        )
        self._db.add(probe)
        return probe

    def _run(
        self, session: models.EcephysSession, strategy: str, *, current: bool = True
    ) -> models.EcephysAnalysisRun:
        run = factories.EcephysAnalysisRunFactory.build(
            session=session, job_strategy_class=strategy, current=current
        )
        self._db.add(run)
        return run

    def _nwb_run(
        self, session: models.EcephysSession, probes: list[models.EcephysProbe], current: bool
    ) -> models.WellKnownFile:
        run = self._run(session, "EcephysWriteNwbStrategy", current=current)
        for probe in probes:
            run_probe = factories.EcephysAnalysisRunProbeFactory.build(run=run, probe=probe)
            self._db.add(run_probe)
            self._file(run_probe, "EcephysAlignedEventTimestamps", "event_timestamps.npy")
            if probe.use_lfp_data:
                file = self._file(run_probe, "EcephysLfpNwb", f"probe_{probe.id}_lfp.nwb")
                store(self._artifacts, file, partial(probe_lfp_nwb, probe.id))
        file = self._file(run, "EcephysNwb", f"ecephys_session_{session.id}.nwb")
        store(self._artifacts, file, partial(session_nwb, session.id))
        return file

    def _other_runs(self, session: models.EcephysSession) -> None:
        align = self._run(session, "EcephysAlignTimestampsStrategy")
        self._file(align, "EcephysStimulusTable", "stimulus_table.csv", content_type="text/csv")
        tagging = self._run(session, "EcephysOptotaggingTableStrategy")
        self._file(tagging, "EcephysOptotaggingTable", "opto_table.csv", content_type="text/csv")

    def _other_files(
        self, session: models.EcephysSession, probes: list[models.EcephysProbe]
    ) -> None:
        for file_type, filename in _SESSION_FILES.items():
            self._file(session, file_type, filename, content_type=None)
        for probe in probes:
            self._file(probe, "EcephysSortedSpikeTimes", "spike_times.npy", content_type=None)

    def _file(
        self, attachable: models.Attachable, file_type: str, filename: str, **columns: Any
    ) -> models.WellKnownFile:
        file = factories.WellKnownFileFactory.build(
            attachable=attachable,
            type=self._shared.file_type(file_type),
            filename=filename,
            **columns,
        )
        self._db.add(file)
        if file_type in _CONTENTS:
            store(self._artifacts, file, _CONTENTS[file_type])
        return file

    def _write_channels(
        self, written: WrittenSession, plan: SessionPlan, rng: np.random.Generator
    ) -> None:
        for probe in written.probes:
            ids = current_ids().take(plan.channels, step=2)
            rows = channel_rows(rng, ids, probe, self._shared.structures)
            self._insert(models.EcephysChannel, rows)
            written.channel_ids.extend(ids)

    def _write_units(
        self, written: WrittenSession, plan: SessionPlan, rng: np.random.Generator
    ) -> None:
        written.unit_ids = current_ids().take(plan.units if written.channel_ids else 0)
        self._insert(models.EcephysUnit, unit_rows(rng, written.unit_ids, written.channel_ids))

    def _write_bundles(
        self,
        written: WrittenSession,
        run: models.EcephysAnalysisRun,
        rng: np.random.Generator,
        *,
        at_most: int | None = None,
    ) -> range:
        units = written.unit_ids[:at_most]
        ids = current_ids().take(len(units))
        session_type = written.session.stimulus_name
        rows = bundle_rows(rng, ids, units, run.id, session_type)
        self._insert(models.EcephysUnitMetricBundle, rows)
        return ids

    def _insert(self, model: type[models.Base], rows: list[dict[str, Any]]) -> None:
        if rows:
            table = inspect(model).local_table
            assert isinstance(table, Table)  # noqa: S101 - what a mapped class has
            self._db.connection().execute(insert(table), rows)
