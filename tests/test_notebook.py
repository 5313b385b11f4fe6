"""What a notebook shows of the facade, of repositories, filters and rules."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from sqlalchemy import StaticPool, create_engine

from ecephys_dal import (
    ArtifactClient,
    ArtifactSettings,
    Database,
    DatabaseSettings,
    EcephysProjectLimsApi,
    Repository,
    SessionFilter,
    SessionRepository,
    UnitFilter,
    UnitMetricFilter,
)
from ecephys_dal.facade import glance
from ecephys_dal.migrations import upgrade
from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.rules import RULES, SESSION_NOT_FAILED, Rule
from ecephys_dal.testing import SyntheticLims

CLIENT = ArtifactClient(ArtifactSettings(host="lims2"))


class Cells(HTMLParser):
    """The rows of all tables of a piece of HTML; it must be well formed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] and self._open[-1] in ("th", "td"):
            self.rows[-1][-1] += data


def shown(thing: object) -> dict[str, str]:
    """Return what a notebook shows, by the first cell of each row."""
    return {row[0]: " | ".join(row[1:]) for row in Cells(thing._repr_html_()).rows}


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_facade_says_where_it_is_and_how_many_sessions_it_sees(synthetic: SyntheticLims):
    api = EcephysProjectLimsApi(synthetic.database, CLIENT)
    cells = shown(api)
    assert cells["tables"] == repr(synthetic.database)
    assert cells["files"] == "ArtifactClient(http://lims2)"
    assert cells["sessions"] == f"{len(api.get_sessions())} visible"
    assert cells["rules left out"] == "none"


def test_the_facade_counts_under_the_rules_that_it_applies(synthetic: SyntheticLims):
    without = ("session_not_failed", "run_is_current")
    api = EcephysProjectLimsApi(synthetic.database, CLIENT, without_rules=without)
    assert len(api.get_sessions()) > len(SessionRepository(synthetic.database).frame())
    assert shown(api)["sessions"] == f"{len(api.get_sessions())} visible"
    assert shown(api)["rules left out"] == "run_is_current, session_not_failed"


def test_the_facade_over_an_engine_of_the_callers_is_shown(filled):
    url, _ = filled("sqlite")
    with EcephysProjectLimsApi(create_engine(url), CLIENT) as api:
        assert shown(api)["sessions"] == f"{len(api.get_sessions())} visible"
        api.postgres_engine.engine.dispose()


def test_a_database_in_memory_is_seen_from_where_it_is():
    with Database("sqlite://", owned=True) as database:
        with database.connection() as connection:
            upgrade(connection)
        assert shown(EcephysProjectLimsApi(database, CLIENT))["sessions"] == "0 visible"


def test_a_database_without_tables_is_shown_with_what_is_missing():
    engine = create_engine("sqlite://", poolclass=StaticPool)
    sessions = shown(EcephysProjectLimsApi(engine, CLIENT))["sessions"]
    assert sessions.startswith("not known: ")
    assert "ecephys_sessions" in sessions
    engine.dispose()


def test_a_database_that_is_away_is_shown_as_such_without_its_password():
    settings = DatabaseSettings(retries=0)
    url = "postgresql+psycopg2://reader:s3cret@127.0.0.1:1/lims2?sslpassword=s3cret"
    with EcephysProjectLimsApi(Database(url, settings=settings), CLIENT) as api:
        html = api._repr_html_()
    assert "s3cret" not in html
    assert "reader@127.0.0.1:1/lims2" in html
    assert "not known: " in html


def test_a_database_that_never_answers_does_not_hold_the_notebook_up(silent_port, monkeypatch):
    monkeypatch.setattr(glance, "_PATIENCE", 0.2)
    settings = DatabaseSettings(retries=0, connect_timeout=60)
    url = f"postgresql+psycopg2://reader@127.0.0.1:{silent_port}/lims2"
    with EcephysProjectLimsApi(Database(url, settings=settings), CLIENT) as api:
        began = time.monotonic()
        assert shown(api)["sessions"] == "not known: the database did not answer in 0.2 s"
        assert time.monotonic() - began < 20


def test_any_streaming_object_is_shown_without_becoming_a_tag(filled):
    class Odd:
        def stream(self, route: str) -> list[bytes]:  # noqa: ARG002
            return []

        def __repr__(self) -> str:
            return "<script>alert(1)</script>"

    with EcephysProjectLimsApi(filled("sqlite")[0], Odd()) as api:
        assert "<script>" not in api._repr_html_()
        assert shown(api)["files"] == "<script>alert(1)</script>"


@pytest.mark.parametrize("repository", REPOSITORIES.values(), ids=lambda one: one.__name__)
def test_a_repository_shows_its_columns_and_rules_without_asking_the_database(
    repository: type[Repository],
):
    with Database("postgresql+psycopg2://reader:s3cret@127.0.0.1:1/lims2") as database:
        one = repository(database)
        cells, html = shown(one), one._repr_html_()
    assert repository.columns[0].key in cells
    assert all(rule.sentence in cells[f"rule {rule.name}"] for rule in repository.rules)
    assert repository.filter_type.__name__ in html
    assert "s3cret" not in html


@pytest.mark.parametrize("repository", REPOSITORIES.values(), ids=lambda one: one.__name__)
def test_a_repository_shows_the_columns_and_dtypes_that_its_frame_has(
    repository: type[Repository], synthetic: SyntheticLims
):
    one = repository(synthetic.database)
    cells, frame = shown(one), one.frame(repository.filter_type(id_range=(0, 0)))
    assert cells[frame.index.name] == "int64, the index"
    assert {name: cells[name] for name in frame.columns} == {
        name: str(dtype) for name, dtype in frame.dtypes.items()
    }


def test_a_repository_says_which_rule_it_leaves_out(synthetic: SyntheticLims):
    sessions = SessionRepository(synthetic.database, without_rules=["session_not_failed"])
    assert shown(sessions)["rule session_not_failed"].startswith("left out")
    assert not shown(sessions)["rule session_not_habituation"].startswith("left out")


def test_a_repository_in_a_session_of_the_callers_says_where_it_reads(synthetic: SyntheticLims):
    with synthetic.database.session() as db:
        sessions = SessionRepository(db)
        assert synthetic.database.engine.url.database in sessions._repr_html_()


def test_a_filter_shows_each_condition_and_of_a_long_list_how_long_it_is():
    cells = shown(UnitFilter(session_ids=range(1000), published_at="2019-10-03"))
    assert cells["session_ids"].startswith("1000: 0, 1, 2,")
    assert len(cells["session_ids"]) < 100
    assert cells["published_at"] == "2019-10-03"
    assert "probe_ids" not in cells
    assert shown(UnitFilter(id_range=(None, 7)))["id_range"] == "(None, 7)"


def test_a_filter_without_a_condition_or_of_nothing_says_so():
    assert shown(SessionFilter()) == {"SessionFilter": "no condition: every record"}
    assert shown(SessionFilter(session_ids=[]))["session_ids"] == "none: no record"
    assert shown(UnitMetricFilter(session_types=["<b>"]))["session_types"] == "1: <b>"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_shows_what_it_demands_and_its_sql(rule: Rule):
    cells = shown(rule)
    assert rule.sentence in cells[rule.name]
    assert str(rule.clause) in cells[rule.name]
    assert rule.if_null in cells[rule.name]


def test_all_rules_are_shown_as_one_table():
    assert [row[0] for row in Cells(RULES._repr_html_()).rows[1:]] == [one.name for one in RULES]
    assert SESSION_NOT_FAILED in RULES
