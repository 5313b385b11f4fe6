"""Rows that the synthetic LIMS does not have, each of which could tell the two classes apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from math import inf, nan

from ecephys_dal import Database
from ecephys_dal.models import EcephysProbe, EcephysSession, WellKnownFile
from ecephys_dal.testing import (
    EcephysAnalysisRunFactory,
    EcephysAnalysisRunProbeFactory,
    EcephysProbeFactory,
    EcephysSessionFactory,
    EcephysUnitFactory,
    EcephysUnitMetricBundleFactory,
    SpecimenFactory,
    SyntheticLims,
    WellKnownFileFactory,
    using,
)

__all__ = ["ODD_TYPE", "add_odd_rows"]

ODD_TYPE = '100%s :x "\N{GREEK SMALL LETTER MU}m" \\'  # AllenSDK can't be asked for a quote
_FIRST_ID = 900_000_000
_SESSIONS = {
    "session_published_at_noon": {"published_at": dt.datetime(2019, 10, 3, 12)},
    "session_failed_in_capitals": {"workflow_state": "FAILED"},
    "session_of_empty_state": {"workflow_state": ""},
    "session_of_empty_names": {"stimulus_name": "", "specimen__donor__full_genotype": ""},
    "session_of_quoted_names": {
        "stimulus_name": ODD_TYPE,
        "specimen__donor__full_genotype": "wt';-- %(x)s :x",
    },
}


def add_odd_rows(url: str, lims: SyntheticLims) -> None:
    """Add the rows and their files, and the ids of their sessions to ``lims.awkward``."""
    database = Database(url, owned=True)
    with database, database.session() as db, using(db, first_id=_FIRST_ID):
        sessions = {key: EcephysSessionFactory(**odd) for key, odd in _SESSIONS.items()}
        sessions["session_without_donor"] = EcephysSessionFactory(
            specimen=SpecimenFactory(donor=None, name="unknown")
        )
        sessions["session_of_odd_files"] = EcephysSessionFactory()
        for files in (_session_files, _lfp_files):
            for file in files(sessions["session_of_odd_files"]):
                _store(file, lims)
        _add_units(EcephysProbeFactory(session=sessions["session_of_quoted_names"]))
        lims.awkward |= {key: session.id for key, session in sessions.items()}


def _session_files(session: EcephysSession) -> Iterator[WellKnownFile]:
    """Add files none of which is the session's NWB file, or counts for has_nwb."""
    run = EcephysAnalysisRunFactory(session=session)
    undecided = EcephysAnalysisRunFactory(session=session, current=None)
    yield WellKnownFileFactory(attachable=undecided)
    for name in ("EcephysNwb2", "OldEcephysNwb", "ecephysnwb", None):
        yield WellKnownFileFactory(attachable=run, type__name=name)
    yield WellKnownFileFactory(attachable=run, type=None)
    for owner in ("EcephysSession", "EcephysAnalysisRunProbe", "ecephysanalysisrun"):
        yield WellKnownFileFactory(attachable_type=owner, attachable_id=run.id)


def _lfp_files(session: EcephysSession) -> Iterator[WellKnownFile]:
    """Add a probe for each way in which its LFP file may be, or not be, one of EcephysLfpNwb."""
    for names in (["EcephysLfpNwb2"], ["OldEcephysLfpNwb", "EcephysLfpNwb"], ["ecephyslfpnwb"]):
        run_probe = EcephysAnalysisRunProbeFactory(
            probe=EcephysProbeFactory(session=session),
            run=EcephysAnalysisRunFactory(session=session),
        )
        for name in names:
            yield WellKnownFileFactory(attachable=run_probe, type__name=name)
    # The run decides, and it may even be one of another session.
    foreign = EcephysAnalysisRunProbeFactory(
        probe=EcephysProbeFactory(session=session), run=EcephysAnalysisRunFactory()
    )
    yield WellKnownFileFactory(attachable=foreign, type__name="EcephysLfpNwb")


def _store(file: WellKnownFile, lims: SyntheticLims) -> None:
    assert lims.artifacts is not None
    path = lims.artifacts / str(file.id) / str(file.filename)
    path.parent.mkdir()
    file.size = path.write_bytes(b"\x89HDF\r\n\x1a\n" + str(file.id).encode())


def _add_units(probe: EcephysProbe) -> None:
    """Add units with odd numbers, and with odd bundles."""
    for odd in ({"snr": nan, "l_ratio": inf}, {"d_prime": -inf, "spread": -0.0}, {"quality": ""}):
        EcephysUnitFactory(channel__probe=probe, **odd)
    unit = EcephysUnitFactory(channel__probe=probe, snr=5e-324, max_drift=1.7976931348623157e308)
    # Three bundles are in force: one without metrics, one of a run of another session.
    EcephysUnitMetricBundleFactory(unit=unit, data={})
    odd_metrics = {"note": "it's 5 %", "listed": [1, None, {"x": 2.5}], "c50_dg": None, "mixed": 2}
    EcephysUnitMetricBundleFactory(unit=unit, data=odd_metrics, run=EcephysAnalysisRunFactory())
    EcephysUnitMetricBundleFactory(unit=unit, data={"mixed": True, "fano_dg": 10**12})
    EcephysUnitMetricBundleFactory(unit=unit, run=EcephysAnalysisRunFactory(current=None))
