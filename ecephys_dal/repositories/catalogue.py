"""Every repository, by what it is asked with."""

from typing import Any

from ecephys_dal.filters import Filter
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.channels import ChannelRepository
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

__all__ = ["REPOSITORIES"]

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
