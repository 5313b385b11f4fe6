"""Well-known files: the record of the file that is in force for a session, probe or stimulus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from ecephys_dal.filters import ProbeFileFilter, SessionFileFilter, TemplateFilter
from ecephys_dal.models import (
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    Stimulus,
    StimulusNamespace,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, named
from ecephys_dal.rules import RUN_IS_CURRENT

if TYPE_CHECKING:
    from ecephys_dal.repositories.clauses import Clauses

__all__ = ["ProbeLfpRepository", "SessionNwbRepository", "TemplateRepository"]

_COLUMNS = (
    WellKnownFile.id,
    WellKnownFile.attachable_type,
    WellKnownFile.attachable_id,
    WellKnownFile.storage_directory,
    WellKnownFile.filename,
    WellKnownFile.size,
    WellKnownFile.published_at,
)


class SessionNwbRepository(Repository[WellKnownFile, SessionFileFilter]):
    """The NWB files of sessions: of type ``EcephysNwb``, on a current analysis run."""

    model = WellKnownFile
    filter_type = SessionFileFilter
    noun = "current NWB file"
    advice = "; has_nwb of get_sessions() says which sessions have one"
    statement = (
        select(WellKnownFile)
        .join(WellKnownFile.ecephys_analysis_run)
        .join(WellKnownFile.type)
        .where(WellKnownFileType.name == "EcephysNwb")
    )
    rules = (RUN_IS_CURRENT,)
    columns = _COLUMNS

    @staticmethod
    def criteria(spec: SessionFileFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysAnalysisRun.ecephys_session_id, spec.session_ids)


class ProbeLfpRepository(Repository[WellKnownFile, ProbeFileFilter]):
    """The LFP files of probes: the type's name holds ``EcephysLfpNwb``, the run is current."""

    model = WellKnownFile
    filter_type = ProbeFileFilter
    noun = "current LFP NWB file"
    advice = "; is it the id of a probe, and has_lfp_data of get_probes() true?"
    statement = (
        select(WellKnownFile)
        .join(WellKnownFile.ecephys_analysis_run_probe)
        .join(EcephysAnalysisRunProbe.run)
        .join(WellKnownFile.type)
        .where(WellKnownFileType.name.regexp_match("EcephysLfpNwb"))
    )
    rules = (RUN_IS_CURRENT,)
    columns = _COLUMNS

    @staticmethod
    def criteria(spec: ProbeFileFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysAnalysisRunProbe.ecephys_probe_id, spec.probe_ids)


class TemplateRepository(Repository[Stimulus, TemplateFilter]):
    """The stimulus templates that have a file, which each brings along."""

    model = Stimulus
    filter_type = TemplateFilter
    noun = "stimulus template"
    statement = select(Stimulus).join(Stimulus.namespace).join(Stimulus.well_known_file)
    load = (joinedload(Stimulus.well_known_file),)
    columns = (
        Stimulus.id,
        Stimulus.name,
        StimulusNamespace.name.label("namespace"),
        Stimulus.well_known_file_id,
        WellKnownFile.storage_directory,
        WellKnownFile.filename,
        WellKnownFile.size,
        WellKnownFile.published_at,
    )

    @staticmethod
    def criteria(spec: TemplateFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from named(Stimulus.name, spec.names)
        yield from named(StimulusNamespace.name, spec.namespaces)
