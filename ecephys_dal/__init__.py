"""Typed, read-only access to the Allen Institute's Neuropixels records in LIMS."""

from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings, AsyncArtifactClient
from ecephys_dal.config import DbCredentials
from ecephys_dal.database import Database
from ecephys_dal.errors import (
    ArtifactCorruptError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactTransferError,
    ConfigurationError,
    DatabaseUnavailableError,
    EcephysDalError,
    InvalidFilterError,
    NotExactlyOneError,
    RecordNotFoundError,
    SchemaMismatchError,
)
from ecephys_dal.facade import EcephysProjectApi, EcephysProjectLimsApi
from ecephys_dal.filters import (
    ChannelFilter,
    IsiExperimentFilter,
    ProbeFileFilter,
    ProbeFilter,
    SessionFileFilter,
    SessionFilter,
    SplitPublishedAt,
    TemplateFilter,
    UnitFilter,
    UnitMetricFilter,
    split_published_at,
)
from ecephys_dal.repositories import (
    ChannelRepository,
    IsiExperimentRepository,
    ProbeLfpRepository,
    ProbeRepository,
    SessionNwbRepository,
    SessionRepository,
    TemplateRepository,
    UnitMetricRepository,
    UnitRepository,
)

__version__ = "0.1.0"

__all__ = [
    "ArtifactClient",
    "ArtifactCorruptError",
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactSettings",
    "ArtifactTransferError",
    "AsyncArtifactClient",
    "ChannelFilter",
    "ChannelRepository",
    "ConfigurationError",
    "Database",
    "DatabaseUnavailableError",
    "DbCredentials",
    "EcephysDalError",
    "EcephysProjectApi",
    "EcephysProjectLimsApi",
    "InvalidFilterError",
    "IsiExperimentFilter",
    "IsiExperimentRepository",
    "NotExactlyOneError",
    "ProbeFileFilter",
    "ProbeFilter",
    "ProbeLfpRepository",
    "ProbeRepository",
    "RecordNotFoundError",
    "SchemaMismatchError",
    "SessionFileFilter",
    "SessionFilter",
    "SessionNwbRepository",
    "SessionRepository",
    "SplitPublishedAt",
    "TemplateFilter",
    "TemplateRepository",
    "UnitFilter",
    "UnitMetricFilter",
    "UnitMetricRepository",
    "UnitRepository",
    "__version__",
    "split_published_at",
]
