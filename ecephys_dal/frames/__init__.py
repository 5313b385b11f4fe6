"""Rows become DataFrames here, with dtypes that are declared and never guessed from the rows."""

from ecephys_dal.frames.build import build_frame
from ecephys_dal.frames.columns import DtypeBackend, FrameColumn, frame_columns
from ecephys_dal.frames.metric_keys import METRIC_KEYS
from ecephys_dal.frames.metrics import build_metric_frame

__all__ = [
    "METRIC_KEYS",
    "DtypeBackend",
    "FrameColumn",
    "build_frame",
    "build_metric_frame",
    "frame_columns",
]
