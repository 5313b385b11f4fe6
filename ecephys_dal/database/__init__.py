"""The database: a read-only engine, its sessions, and its errors in our words."""

from ecephys_dal.database.bulk import Bulk
from ecephys_dal.database.database import Database
from ecephys_dal.database.translation import translated_errors
from ecephys_dal.database.url import shown

__all__ = ["Bulk", "Database", "shown", "translated_errors"]
