"""The indexes that the questions of this library want, declared once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ecephys_dal.database import FOUND_BY_NAME
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.doctor.uses import name_of, users_of
from ecephys_dal.models import (
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysChannel,
    EcephysProbe,
    EcephysSession,
    EcephysUnit,
    EcephysUnitMetricBundle,
    WellKnownFile,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecephys_dal.doctor.asking import Lims
    from ecephys_dal.doctor.uses import Name

__all__ = ["INDEXES", "LOOK_AT_INDEXES", "WantedIndex"]


class WantedIndex(NamedTuple):
    """An index that questions want.

    Attributes
    ----------
    column : attribute of a model
        The column that it begins with; others may follow.
    is_small : bool
        The table has some thousand rows, so to read all of it costs little.
    """

    column: Any
    is_small: bool = False

    @property
    def name(self) -> Name:
        """The names of the table and of the column."""
        return name_of(self.column)


INDEXES = (
    WantedIndex(EcephysChannel.id),
    WantedIndex(EcephysChannel.ecephys_probe_id),
    WantedIndex(EcephysUnit.id),
    WantedIndex(EcephysUnit.ecephys_channel_id),
    WantedIndex(EcephysUnitMetricBundle.ecephys_unit_id),
    WantedIndex(WellKnownFile.id),
    WantedIndex(WellKnownFile.attachable_id),
    WantedIndex(EcephysSession.id, is_small=True),
    WantedIndex(EcephysProbe.id, is_small=True),
    WantedIndex(EcephysProbe.ecephys_session_id, is_small=True),
    WantedIndex(EcephysAnalysisRun.id, is_small=True),
    WantedIndex(EcephysAnalysisRun.ecephys_session_id, is_small=True),
    WantedIndex(EcephysAnalysisRunProbe.id, is_small=True),
    WantedIndex(EcephysAnalysisRunProbe.ecephys_analysis_run_id, is_small=True),
    WantedIndex(EcephysAnalysisRunProbe.ecephys_probe_id, is_small=True),
)

# The table and first column of each B-tree that is valid and of all rows. SQLite has no other kind.
_THERE = {
    "postgresql": f"""
        SELECT pg_class.relname, attname FROM pg_index
        JOIN pg_class ON pg_class.oid = indrelid
        JOIN pg_class AS indexes ON indexes.oid = indexrelid
        JOIN pg_am ON pg_am.oid = indexes.relam AND amname = 'btree'
        JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE {FOUND_BY_NAME} AND indisvalid AND indpred IS NULL
    """,  # noqa: S608
    "sqlite": """
        SELECT tables.value, columns.name FROM json_each(:tables) AS tables
        JOIN pragma_index_list(tables.value, coalesce(:schema, 'main')) AS indexes
            ON NOT indexes.partial
        JOIN pragma_index_info(indexes.name, coalesce(:schema, 'main')) AS columns
            ON columns.seqno = 0
        UNION SELECT tables.value, columns.name FROM json_each(:tables) AS tables
        JOIN pragma_table_info(tables.value, coalesce(:schema, 'main')) AS columns
            ON columns.pk = 1
    """,
}


def _find(lims: Lims) -> Iterator[Finding]:
    tables = json.dumps(sorted({wanted.name[0] for wanted in INDEXES}))
    there = {tuple(row) for row in lims.rows_by_dialect(_THERE, tables=tables)}
    for wanted in INDEXES:
        table, column = wanted.name
        known = lims.catalogue is None or (
            table not in lims.catalogue.views and not lims.catalogue.unusable([wanted.name])
        )
        if known and wanted.name not in there:
            code = "index_missing_small" if wanted.is_small else "index_missing"
            message = f"no B-tree index begins with {column}"
            users = users_of([wanted.name])
            yield Finding.of(code, f"{table}.{column}", message, users=users)


LOOK_AT_INDEXES = Check("the indexes", ("index_missing", "index_missing_small"), _find)
