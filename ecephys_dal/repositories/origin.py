"""Where a frame comes from: the question behind it, as scalars that travel with it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import InvalidFilterError
from ecephys_dal.repositories.literal import sql_of
from ecephys_dal.repositories.statement import F, M, Statement, clauses_of
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from ecephys_dal.frames import DtypeBackend
    from ecephys_dal.repositories.statement import Where

__all__ = ["Origin"]

_PREFIX = "ecephys_dal."  # so that the caller's own attrs are not met


class Origin(Statement[M, F]):
    """The part of a repository that writes and reads where its frames come from."""

    def _origin(self, spec: F | None, where: Where, dtype_backend: DtypeBackend) -> dict[str, str]:
        """Return what is to be known of a frame, as `DataFrame.attrs`."""
        spec = self._asked(spec)
        without = spec.without_rules or ()
        known = {
            "table": type(self).__name__,
            "filter": json.dumps(spec.to_dict()),
            "where": _shown(where),
            "rules": ", ".join(name for name in self.rule_names() if name not in without),
            "dtype_backend": dtype_backend,
            "version": __version__,
            "database": self._reader.shown,
            "time": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        }
        return {f"{_PREFIX}{name}": value for name, value in known.items()}

    def _question_of(self, attrs: Mapping[Any, Any], where: Where) -> tuple[F, Any]:
        """Return the filter and the family of dtypes that a frame was asked with."""
        table = attrs.get(f"{_PREFIX}table")
        if table != type(self).__name__:
            raise InvalidFilterError(
                f"these attrs are of {'no frame of ours' if table is None else table}, not of"
                f" {type(self).__name__}; give the attrs of a frame that it returned"
            )
        if (said := attrs.get(f"{_PREFIX}where", "")) != (given := _shown(where)):
            raise InvalidFilterError(
                f"the frame was read under the further condition {said or '(none)'}, and where= is"
                f" {given or '(none)'}; give the same again"
            )
        fields = json.loads(attrs.get(f"{_PREFIX}filter", "{}"))
        spec = self.filter_type.from_dict(fields, without_rules=True, limit=None)
        return spec, attrs.get(f"{_PREFIX}dtype_backend", "numpy")


def _shown(where: Where) -> str:
    """Return further conditions as a text, by which they are known again on any database."""
    return " AND ".join(map(_label, clauses_of(where)))


def _label(clause: ColumnElement[Any]) -> str:
    try:
        return sql_of(clause)
    except Exception:  # whatever a compiler makes of it, no label stops a read
        return repr(clause)
