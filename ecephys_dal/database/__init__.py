"""The database: a read-only engine, its sessions, and its errors in our words."""

from ecephys_dal.database.bulk import Bulk, BulkUnfitError
from ecephys_dal.database.counters import Counters
from ecephys_dal.database.covering import Covers, cover, coverage_of
from ecephys_dal.database.database import Database
from ecephys_dal.database.engine import FOUND_BY_NAME, asking, schema_of
from ecephys_dal.database.question import Question
from ecephys_dal.database.row_security import SECURED, VIEW, what_hides_rows
from ecephys_dal.database.translation import (
    line_of,
    raise_without_query,
    translated_errors,
)
from ecephys_dal.database.url import is_in_memory, shown

__all__ = [
    "FOUND_BY_NAME",
    "SECURED",
    "VIEW",
    "Bulk",
    "BulkUnfitError",
    "Counters",
    "Covers",
    "Database",
    "Question",
    "asking",
    "cover",
    "coverage_of",
    "is_in_memory",
    "line_of",
    "raise_without_query",
    "schema_of",
    "shown",
    "translated_errors",
    "what_hides_rows",
]
