"""The questions, as a user of AllenSDK asks them; runs in AllenSDK's own environment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.interop import oracle
from tests.interop.departures import swapped_back as comparable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ask", "comparable"]


def ask(url: str, method: str, **arguments: Any) -> pd.DataFrame:
    """Ask AllenSDK's class, which makes a new connection for each question."""
    answer: pd.DataFrame = getattr(_api(url), method)(**arguments)
    return answer


@cache
def _api(url: str) -> Any:
    return oracle.EcephysProjectLimsApi.default(oracle.credentials_of(url))
