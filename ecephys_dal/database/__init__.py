"""The database: a read-only engine, its sessions, and its errors in our words."""

from ecephys_dal.database.bulk import Bulk
from ecephys_dal.database.database import Database
from ecephys_dal.database.translation import translated_errors

__all__ = ["Bulk", "Database", "translated_errors"]
