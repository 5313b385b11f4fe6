"""The questions, as a user of this package asks them."""

from __future__ import annotations

import contextlib
import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

from ecephys_dal import (
    ArtifactClient,
    Database,
    EcephysProjectLimsApi,
    UnitFilter,
    UnitRepository,
)

# The bulk route imports these when it is first taken; what they occupy is no part of an answer.
with contextlib.suppress(ImportError):
    for _name in ("pyarrow.compute", "adbc_driver_postgresql.dbapi", "duckdb"):
        importlib.import_module(_name)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["ask", "chunks"]


def ask(url: str, method: str, **arguments: Any) -> pd.DataFrame:
    """Ask the class that stands in for AllenSDK's."""
    answer: pd.DataFrame = getattr(_api(url), method)(**arguments)
    return answer


def chunks(url: str, size: int, before: int | None = None) -> Iterator[pd.DataFrame]:
    """Read the units piece by piece, if wanted only those with an id below a given one."""
    return _units(url).chunks(UnitFilter(id_range=(None, before)), size)


@cache
def _api(url: str) -> EcephysProjectLimsApi:
    return EcephysProjectLimsApi(Database(url), ArtifactClient())


@cache
def _units(url: str) -> UnitRepository:
    return UnitRepository(Database(url))
