"""Values become DataFrames and Arrow tables here, of types that no row can change."""

from ecephys_dal.frames.arrow import need_arrow
from ecephys_dal.frames.build import build_arrow, build_frame
from ecephys_dal.frames.columns import DtypeBackend, FrameColumn, frame_columns, table_of
from ecephys_dal.frames.metric_keys import METRIC_KEYS
from ecephys_dal.frames.metrics import metric_columns, unswapped
from ecephys_dal.frames.pieces import Piece, last_of, piece_of_batch, piece_of_rows, resized

__all__ = [
    "METRIC_KEYS",
    "DtypeBackend",
    "FrameColumn",
    "Piece",
    "build_arrow",
    "build_frame",
    "frame_columns",
    "last_of",
    "metric_columns",
    "need_arrow",
    "piece_of_batch",
    "piece_of_rows",
    "resized",
    "table_of",
    "unswapped",
]
