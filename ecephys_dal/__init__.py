"""Typed, read-only access to the Allen Institute's Neuropixels records in LIMS."""

import concurrent.futures.thread as _thread  # noqa: F401 - which no last thread can import

import lazy_loader

from ecephys_dal.version import __version__ as __version__

# Each name is imported from its module when it is first used. Type checkers read the same names in
# __init__.pyi, which is no file where the package is in a zip file or frozen.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["doctor", "plot", "rules", "snapshot"],
    submod_attrs={
        "artifacts": [
            "Artifact",
            "ArtifactClient",
            "ArtifactSettings",
            "AsyncArtifactClient",
            "DownloadReport",
            "verify",
        ],
        "config": ["DatabaseSettings", "DbCredentials"],
        "database": ["Database"],
        "errors": [
            "ArtifactChangedError",
            "ArtifactCorruptError",
            "ArtifactError",
            "ArtifactNotFoundError",
            "ArtifactStorageError",
            "ArtifactTransferError",
            "BeyondSnapshotError",
            "ConfigurationError",
            "ConnectionLostError",
            "DatabaseUnavailableError",
            "EcephysDalError",
            "InvalidFilterError",
            "NotExactlyOneError",
            "ReadOnlyError",
            "RecordNotFoundError",
            "SchemaMismatchError",
            "StatementRefusedError",
            "StatementTimeoutError",
        ],
        "facade": ["EcephysProjectApi", "EcephysProjectLimsApi"],
        "filters": [
            "AnalysisRunFilter",
            "ChannelFilter",
            "FileFilter",
            "Filter",
            "IsiExperimentFilter",
            "ProbeFileFilter",
            "ProbeFilter",
            "SessionFileFilter",
            "SessionFilter",
            "SplitPublishedAt",
            "TemplateFilter",
            "UnitFilter",
            "UnitMetricFilter",
            "split_published_at",
        ],
        "repositories": [
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
        ],
    },
)
