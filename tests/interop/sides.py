"""Both classes on one database, and a question put to both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import create_engine, text
from typing_extensions import Self

from ecephys_dal import EcephysProjectLimsApi
from ecephys_dal.testing import SyntheticLims

from . import departures, oracle
from .comparison import cells, differences
from .odd_rows import ODD_TYPE
from .questions import Known, Question

__all__ = ["Outcome", "Sides"]

METRICS = "get_unit_analysis_metrics"
_NO_ROWS = ("data", "None of ['id'] are in the columns")  # departure 3: so AllenSDK says it
_UNKNOWN = [1, 599_999_999, 5_000_000_000]  # the last one needs more than 32 bits
_BROWSED, _CONNECTED = "brain_observatory_1.1", "functional_connectivity"
_TYPES = {
    "browsed": [_BROWSED],
    "connected": [_CONNECTED],
    "both": [_BROWSED, _CONNECTED],
    "with behavior": ["EPHYS_1_images_G_5uL_reward"],
    "odd": [ODD_TYPE, ""],
    "unknown": ["no such type"],
    "mixed": ["no such type", "EPHYS_1_images_G_5uL_reward", _CONNECTED],
}
_IDS = {  # every record, with the session that it belongs to
    "session": "select id, id from ecephys_sessions",
    "probe": "select id, ecephys_session_id from ecephys_probes",
    "channel": "select c.id, ecephys_session_id from ecephys_channels c"
    " join ecephys_probes p on p.id = ecephys_probe_id",
    "unit": "select u.id, ecephys_session_id from ecephys_units u"
    " join ecephys_channels c on c.id = ecephys_channel_id"
    " join ecephys_probes p on p.id = ecephys_probe_id",
}


@dataclass(frozen=True)
class Outcome:
    """How an answer of AllenSDK's and ours compare."""

    differences: list[str]
    cells: int


@dataclass
class Sides:
    """AllenSDK's class and ours on one database.

    Parameters
    ----------
    url : str
        Of the database, in SQLAlchemy's form.
    lims : SyntheticLims
        What it holds.
    host : str
        Of the web application.
    requests : list of str
        What the web application was asked for.
    """

    url: str
    lims: SyntheticLims
    host: str = "lims2"
    requests: list[str] = field(default_factory=list)
    theirs: Any = field(init=False)
    ours: EcephysProjectLimsApi = field(init=False)
    known: Known = field(init=False)
    bundles: dict[int, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        wanted = {
            "lims_credentials": oracle.credentials_of(self.url),
            "app_kwargs": {"host": self.host},
        }
        self.theirs = oracle.EcephysProjectLimsApi.default(**wanted)
        self.ours = EcephysProjectLimsApi.default(**wanted)
        self.known = {kind: self._choices(kind) for kind in _IDS} | {"type": _TYPES}
        self.bundles = defaultdict(list)
        for unit_id, bundle_id in self.rows(
            "select ecephys_unit_id, id from ecephys_unit_metric_bundles order by id"
        ):
            self.bundles[unit_id].append(bundle_id)
        self._columns: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()

    def rows(self, query: str) -> list[Any]:
        """Read from the database by neither class."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            rows = list(connection.execute(text(query)))
        engine.dispose()
        return rows

    @property
    def unknown_donors(self) -> list[int]:
        """The sessions whose donor has no age or no gender."""
        awkward = self.lims.awkward
        return [awkward[f"session_donor_without_{lacking}"] for lacking in ("age", "gender")]

    def _choices(self, kind: str) -> dict[str, list[int]]:
        records = sorted(self.rows(_IDS[kind]))
        every = [record_id for record_id, _ in records]
        odd_sessions = set(self.lims.awkward.values())
        odd = [record_id for record_id, session_id in records if session_id in odd_sessions]
        return {
            "one": every[:1],
            "half": every[::2],
            "all": every,
            "awkward": odd,
            "unknown": _UNKNOWN,
            "mixed": [*_UNKNOWN[:2], *every[1::3], *odd[::2], _UNKNOWN[2]],
            "repeated": [every[3], every[0], every[3], every[3]],
        }

    def compare(self, question: Question) -> Outcome:
        """Put a question to both, and say how the answers differ but for the departures."""
        theirs = self._ask_allensdk(question)
        ours = getattr(self.ours, question.method)(**question.arguments(self.known))
        ours = self._allowed_for(question, ours)
        if theirs is None:
            return Outcome(self._differences_to_nothing(question, ours), 0)
        if question.method == METRICS:
            theirs = departures.in_order_of_rows(theirs, ours)
        return Outcome(differences(theirs, ours), cells(theirs))

    def _ask_allensdk(self, question: Question) -> pd.DataFrame | None:
        arguments = question.arguments(self.known)
        metrics = question.method == METRICS
        if metrics and "unit_ids" in arguments:
            arguments["unit_ids"] = departures.as_bundle_ids(arguments["unit_ids"], self.bundles)
        try:
            theirs = getattr(self.theirs, question.method)(**arguments)
        except KeyError as error:
            if error.args[0] in _NO_ROWS:
                return None
            raise
        if question.method == "get_sessions":
            return departures.listed_once(theirs, self.lims.awkward["session_two_nwb_files"])
        return departures.swapped_back(theirs) if metrics else theirs

    def _allowed_for(self, question: Question, ours: pd.DataFrame) -> pd.DataFrame:
        if question.method != "get_sessions":
            return ours
        return departures.without_unknown_donors(ours, self.unknown_donors)

    def _differences_to_nothing(self, question: Question, ours: pd.DataFrame) -> list[str]:
        """Departure 3: where AllenSDK has no rows we have none, but all columns."""
        if len(ours):
            return [f"only we have rows: {ours.index.tolist()}"]
        columns, expected = list(ours.columns), self.columns(question.method)
        if question.method == METRICS:  # whose order the bundles decide on
            columns, expected = sorted(columns), sorted(expected)
        return [] if columns == expected else [f"without rows our columns are {columns}"]

    def columns(self, method: str) -> list[str]:
        """Return the columns of AllenSDK's table; of metrics, those of the two released types."""
        released = {"session_types": _TYPES["both"]} if method == METRICS else {}
        if method not in self._columns:
            self._columns[method] = list(getattr(self.theirs, method)(**released).columns)
        return self._columns[method]
