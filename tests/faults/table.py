"""The whole table: every scenario of every row."""

from __future__ import annotations

from .contents import FIRST
from .replies import honest
from .rows_answers import ANSWERS
from .rows_content import CONTENT
from .rows_transfer import TRANSFER
from .rows_versions import VERSIONS
from .scenarios import Must, Scenario, case

__all__ = ["HARMLESS", "SCENARIOS"]

HARMLESS = case(0, "no fault", honest(), must=Must(gives=FIRST, requests=1, ranges=(None,)))

SCENARIOS: tuple[Scenario, ...] = tuple(
    sorted((HARMLESS, *TRANSFER, *VERSIONS, *ANSWERS, *CONTENT), key=lambda scenario: scenario.row)
)
