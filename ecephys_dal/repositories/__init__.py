"""One repository a table: a declared SELECT, and the answers that are derived from it."""

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
from ecephys_dal.repositories.sessions import SessionRepository
from ecephys_dal.repositories.units import UnitMetricRepository, UnitRepository

__all__ = [
    "ChannelRepository",
    "FileRepository",
    "IsiExperimentRepository",
    "ProbeLfpRepository",
    "ProbeRepository",
    "Repository",
    "SessionNwbRepository",
    "SessionRepository",
    "TemplateRepository",
    "UnitMetricRepository",
    "UnitRepository",
]
