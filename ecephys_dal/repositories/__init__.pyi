from .base import Repository
from .catalogue import REPOSITORIES
from .channels import ChannelRepository
from .declaration import nullable
from .explanation import Explanation, Step
from .file_reasons import (
    why_probe_lfp,
    why_session_nwb,
    why_template,
    why_unit_metrics,
)
from .files import (
    ON_NO_OLDER_RUN,
    FileRepository,
    ProbeLfpRepository,
    SessionNwbRepository,
    TemplateRepository,
)
from .isi_experiments import IsiExperimentRepository
from .probes import ProbeRepository
from .runs import AnalysisRunRepository
from .sessions import SessionRepository
from .units import UnitMetricRepository, UnitRepository
from .why import Check, Why, WhyOne

__all__ = [
    "ON_NO_OLDER_RUN",
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
    "nullable",
    "why_probe_lfp",
    "why_session_nwb",
    "why_template",
    "why_unit_metrics",
]
