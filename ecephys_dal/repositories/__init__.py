"""One repository a table: a declared SELECT, and the answers that are derived from it."""

from typing import Any

from ecephys_dal.filters import Filter
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.channels import ChannelRepository
from ecephys_dal.repositories.explanation import Explanation, Step
from ecephys_dal.repositories.file_reasons import (
    why_probe_lfp,
    why_session_nwb,
    why_template,
    why_unit_metrics,
)
from ecephys_dal.repositories.files import (
    FileRepository,
    ProbeLfpRepository,
    SessionNwbRepository,
    TemplateRepository,
)
from ecephys_dal.repositories.isi_experiments import IsiExperimentRepository
from ecephys_dal.repositories.probes import ProbeRepository
from ecephys_dal.repositories.runs import AnalysisRunRepository
from ecephys_dal.repositories.sessions import SessionRepository
from ecephys_dal.repositories.units import UnitMetricRepository, UnitRepository
from ecephys_dal.repositories.why import Check, Why, WhyOne

__all__ = [
    "REPOSITORIES",
    "AnalysisRunRepository",
    "ChannelRepository",
    "Check",
    "Explanation",
    "FileRepository",
    "IsiExperimentRepository",
    "ProbeLfpRepository",
    "ProbeRepository",
    "Repository",
    "SessionNwbRepository",
    "SessionRepository",
    "Step",
    "TemplateRepository",
    "UnitMetricRepository",
    "UnitRepository",
    "Why",
    "WhyOne",
    "why_probe_lfp",
    "why_session_nwb",
    "why_template",
    "why_unit_metrics",
]

# By the filter that each understands.
REPOSITORIES: dict[type[Filter], type[Repository[Any, Any]]] = {
    one.filter_type: one
    for one in (
        AnalysisRunRepository,
        ChannelRepository,
        FileRepository,
        IsiExperimentRepository,
        ProbeLfpRepository,
        ProbeRepository,
        SessionNwbRepository,
        SessionRepository,
        TemplateRepository,
        UnitMetricRepository,
        UnitRepository,
    )
}
