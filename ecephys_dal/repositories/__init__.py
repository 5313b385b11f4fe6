"""One repository a table: a declared SELECT, and the answers that are derived from it."""

import lazy_loader

# Each name is imported from its module when it is first used. Type checkers read the same names in
# __init__.pyi, which is no file where the package is in a zip file or frozen.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Repository"],
        "catalogue": ["REPOSITORIES"],
        "channels": ["ChannelRepository"],
        "declaration": ["nullable"],
        "explanation": ["Explanation", "Step"],
        "file_reasons": ["why_probe_lfp", "why_session_nwb", "why_template", "why_unit_metrics"],
        "files": [
            "ON_NO_OLDER_RUN",
            "FileRepository",
            "ProbeLfpRepository",
            "SessionNwbRepository",
            "TemplateRepository",
        ],
        "isi_experiments": ["IsiExperimentRepository"],
        "probes": ["ProbeRepository"],
        "runs": ["AnalysisRunRepository"],
        "sessions": ["SessionRepository"],
        "units": ["UnitMetricRepository", "UnitRepository"],
        "why": ["Check", "Why", "WhyOne"],
    },
)
