"""Filter specs: what is asked of a table, as values that are checked when they are made.

A spec is immutable, hashable and free of SQLAlchemy. In every field None is no condition, and an
empty collection is no record.
"""

from ecephys_dal.filters.base import Filter
from ecephys_dal.filters.fields import (
    Day,
    FieldKind,
    IdRange,
    Ids,
    Names,
    SplitPublishedAt,
    checked_id,
    checked_ids,
    split_published_at,
)
from ecephys_dal.filters.specs import (
    AnalysisRunFilter,
    ChannelFilter,
    FileFilter,
    IsiExperimentFilter,
    ProbeFileFilter,
    ProbeFilter,
    SessionFileFilter,
    SessionFilter,
    TemplateFilter,
    UnitFilter,
    UnitMetricFilter,
)

__all__ = [
    "AnalysisRunFilter",
    "ChannelFilter",
    "Day",
    "FieldKind",
    "FileFilter",
    "Filter",
    "IdRange",
    "Ids",
    "IsiExperimentFilter",
    "Names",
    "ProbeFileFilter",
    "ProbeFilter",
    "SessionFileFilter",
    "SessionFilter",
    "SplitPublishedAt",
    "TemplateFilter",
    "UnitFilter",
    "UnitMetricFilter",
    "checked_id",
    "checked_ids",
    "split_published_at",
]
