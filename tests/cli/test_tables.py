"""The tables: the cells are the repositories', in every form, on both databases."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import shutil
from importlib.util import find_spec

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from ecephys_dal import Database
from ecephys_dal.cli.frames import Rows
from ecephys_dal.cli.tables import TABLES
from tests.cli.shell import call, pipe
from tests.conftest import BACKENDS

FORMS = ("csv", "json", "jsonl", *(["parquet"] if find_spec("pyarrow") else []))


@pytest.fixture(params=BACKENDS)
def url(request, filled) -> str:
    return filled(request.param)[0]


def expected(url: str, name: str, **kwargs) -> pd.DataFrame:
    with Database(url) as database:
        return TABLES[name](database).frame(**kwargs).reset_index()


def read(path, like: pd.DataFrame) -> list[list[object]]:
    """Read a file back, as a person would: its cells, by columns."""
    form, content = path.suffix[1:], "" if path.suffix == ".parquet" else path.read_text("utf-8")
    if form == "parquet":
        frame = pd.read_parquet(path)
    elif form == "csv":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    else:
        rows = (
            json.loads(content)
            if form == "json"
            else list(map(json.loads, content.split("\n")[:-1]))
        )
        assert all(list(row) == list(like.columns) for row in rows)
        frame = pd.DataFrame(rows, dtype=object)
    assert list(frame.columns) == list(like.columns)
    return cells(frame, like.dtypes)


def cells(frame: pd.DataFrame, dtypes) -> list[list[object]]:
    return [[cell(one, kind) for one in frame[name]] for name, kind in dtypes.items()]


def cell(value: object, dtype) -> object:
    """Return a value as Python's own, whatever form it came in."""
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
        or value == ""
    ):
        return None
    if dtype.kind == "M":
        return pd.Timestamp(value)
    if str(dtype).lower().startswith("bool"):
        return {"True": True, "False": False}.get(value, value)
    return float(value) if dtype.kind in "if" else value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.in_turn("name", "form")
@pytest.mark.sample(4)
def test_a_file_of_any_form_holds_the_cells_of_the_table(name, form, url, asked, tmp_path):
    path = tmp_path / f"answer.{form}"
    code, shown, told = asked(name, "--database", url, "--output", path)
    assert (code, shown, told) == (0, "", "")
    like = expected(url, name)
    assert len(like) > 0
    assert read(path, like) == cells(like, like.dtypes)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.sample(1)
def test_a_pipe_gets_csv(url):
    done = call("probes", "--published-at", "2019-10-03", database=url)
    assert (done.returncode, done.stderr) == (0, "")
    with Database(url) as database:
        spec = TABLES["probes"].filter_type(published_at="2019-10-03")
        ids = TABLES["probes"](database).ids(spec)
    assert pd.read_csv(io.StringIO(done.stdout))["id"].tolist() == list(ids)


@pytest.mark.slow
def test_ids_go_from_one_command_to_the_next(url):
    line = (
        "ecephys-dal sessions --published-at 2019-10-03 --columns id"
        " | ecephys-dal units --session-ids - --count"
    )
    done = pipe(line, database=url)
    with Database(url) as database:
        n_units = TABLES["units"](database).count(
            TABLES["units"].filter_type(published_at="2019-10-03")
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{n_units}\n", "")


@pytest.mark.slow
def test_who_reads_no_further_makes_no_error(url):
    line = "ecephys-dal units --format json | head -n 2"
    done = pipe(line, database=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


def test_columns_come_in_the_order_that_is_asked_for(url, asked):
    code, shown, _ = asked("units", "--database", url, "--columns", "snr, id", "--limit", 2)
    frame = expected(url, "units")[["snr", "id"]].head(2)
    assert code == 0
    assert shown == frame.to_csv(index=False)


def test_an_unknown_column_is_refused_and_the_nearest_named(url, asked, tmp_path):
    path = tmp_path / "one.csv"
    code, _, told = asked(
        "units", "--database", url, "--columns", "id,firing_rat", "--output", path
    )
    assert (code, "did you mean firing_rate?" in told) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TABLES)
def test_a_limit_takes_the_first_rows_and_a_count_none(name, url, asked):
    first = pd.read_csv(io.StringIO(asked(name, "--database", url, "--limit", 3)[1]))
    key = first.columns[0]
    assert first[key].tolist() == expected(url, name)[key].head(3).tolist()
    assert asked(name, "--database", url, "--count")[1] == f"{len(expected(url, name))}\n"


def test_a_table_of_a_limit_says_of_how_many(url, asked):
    n_all = len(expected(url, "sessions"))
    _, shown, _ = asked("sessions", "--database", url, "--limit", 2, "--format", "table")
    assert shown.splitlines()[-1] == f"the first 2 of {n_all:,} sessions"


def test_a_rule_can_be_left_out(url, asked):
    _, shown, _ = asked(
        "sessions", "--database", url, "--without-rule", "session_not_failed", "--count"
    )
    spec = TABLES["sessions"].filter_type(without_rules=["session_not_failed"])
    assert int(shown) == len(expected(url, "sessions", spec=spec)) > len(expected(url, "sessions"))


@pytest.mark.parametrize(("form", "empty"), [("csv", "id,"), ("json", "[]\n"), ("jsonl", "")])
def test_nothing_found_is_told_and_gives_1(form, empty, url, asked):
    code, shown, told = asked("sessions", "--database", url, "--session-id", 1, "--format", form)
    assert (code, told) == (1, "no sessions found\n")
    assert shown.startswith(empty)
    assert asked("sessions", "--database", url, "--session-id", 1, "--count") == (1, "0\n", "")


def test_a_file_must_say_its_form(url, asked, tmp_path):
    code, _, told = asked("sessions", "--database", url, "--output", tmp_path / "sessions.xls")
    assert (code, "does not say which --format" in told) == (2, True)
    assert (
        asked("sessions", "--database", url, "--output", tmp_path / "x.xls", "--format", "csv")[0]
        == 0
    )


def test_rows_come_some_at_a_time(url):
    with Database(url) as database:
        rows = Rows(TABLES["units"](database), TABLES["units"].filter_type())
        sizes = [len(frame) for frame in rows.frames("numpy_nullable", size=50)]
    assert sizes[:-1] == [50] * (len(sizes) - 1)
    assert sum(sizes) == rows.n_rows == rows.total() > 100


def test_a_database_may_be_named_by_the_path_of_its_file(filled):
    url, lims = filled("sqlite")
    done = call("sessions", "--count", database=url.removeprefix("sqlite:///"))
    assert (done.returncode, done.stdout) == (0, f"{len(lims.visible_session_ids)}\n")


def test_metrics_have_the_columns_of_all_of_them(url):
    with Database(url) as database:
        metrics = TABLES["metrics"](database)
        rows = Rows(metrics, TABLES["metrics"].filter_type())
        (frame,) = rows.frames("numpy_nullable", size=50)
        assert list(frame.columns) == list(metrics.frame().reset_index().columns)
        assert len(frame) > 50


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_device_or_a_pipe_is_written_to_and_stays_what_it_is(form, filled, asked, tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    try:
        arguments = ("--database", filled("sqlite")[0], "--format", form)
        assert asked("sessions", *arguments, "--output", fifo) == (0, "", "")
        assert fifo.is_fifo()
        assert os.read(reader, 65536).decode() == asked("sessions", *arguments)[1]
    finally:
        os.close(reader)


def test_a_link_is_followed(filled, asked, tmp_path):
    link, file = tmp_path / "link.csv", tmp_path / "file.csv"
    link.symlink_to(file)
    code, *_ = asked("sessions", "--database", filled("sqlite")[0], "--output", link)
    assert (code, link.is_symlink(), file.read_text()[:3]) == (0, True, "id,")


def test_a_dash_is_stdout(filled, asked):
    arguments = ("sessions", "--database", filled("sqlite")[0])
    assert asked(*arguments, "--output", "-") == asked(*arguments)


def test_a_place_that_can_not_be_written_is_named(filled, asked, tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.csv"
    code, _, told = asked("sessions", "--database", filled("sqlite")[0], "--output", path)
    assert (code, told) == (
        1, f"ecephys-dal: {path} can't be written: File exists; choose another place\n"
    )  # fmt: skip


AWKWARD = ('a"b,c', "line\nbreak", "one\rtwo", "one\r\ntwo", "ü\U0001f9e0\t", "NaN")
METRICS = ([1, None, float("nan")], {"a": [float("inf")]}, 'q"\n,ü', 2**60 + 1, True, None)


@pytest.fixture
def awkward(filled, tmp_path) -> str:
    """A LIMS with texts that are hard to write down, and a metric of all kinds."""
    source, _ = filled("sqlite")
    shutil.copy(source.removeprefix("sqlite:///"), tmp_path / "lims.db")
    url = f"sqlite:///{tmp_path}/lims.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        ids = connection.execute(text("SELECT id FROM donors ORDER BY id")).scalars().all()
        for donor_id, genotype in zip(ids, itertools.cycle(AWKWARD)):
            connection.execute(
                text("UPDATE donors SET full_genotype = :genotype WHERE id = :id"),
                {"genotype": genotype, "id": donor_id},
            )
        units = expected(source, "metrics")["ecephys_unit_id"].head(len(METRICS))
        for unit_id, value in zip(units.tolist(), METRICS, strict=True):
            connection.execute(
                text(
                    "UPDATE ecephys_unit_metric_bundles SET data = :odd WHERE ecephys_unit_id = :id"
                ),
                {"odd": json.dumps({"odd": value}), "id": unit_id},
            )
    engine.dispose()
    return url


@pytest.mark.parametrize("form", FORMS)
def test_texts_that_are_hard_to_write_down_are_read_back_as_they_are(
    form, awkward, asked, tmp_path
):
    path = tmp_path / f"sessions.{form}"
    assert asked("sessions", "--database", awkward, "--output", path)[0] == 0
    like = expected(awkward, "sessions")
    assert set(AWKWARD) <= set(like["genotype"])
    if form == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            assert [row["genotype"] for row in csv.DictReader(file)] == like["genotype"].tolist()
    else:
        assert read(path, like) == cells(like, like.dtypes)


def odd_metrics(awkward: str, asked, form: str) -> str:
    code, shown, told = asked(
        "metrics", "--database", awkward, "--columns", "ecephys_unit_id,odd", "--format", form
    )
    assert (code, told) == (0, "")
    return shown


def test_metrics_of_any_kind_are_written_as_json(awkward, asked):
    meant = ([1, None, None], {"a": [None]}, *METRICS[2:])

    def strict(constant: str) -> None:
        raise AssertionError(constant)

    rows = json.loads(odd_metrics(awkward, asked, "json"), parse_constant=strict)
    assert [row["odd"] for row in rows[: len(meant)]] == list(meant)
    frame = pd.read_csv(io.StringIO(odd_metrics(awkward, asked, "csv")), dtype=str)
    assert frame["odd"].iloc[:2].map(json.loads).tolist() == list(meant[:2])
    assert frame["odd"].iloc[2:5].tolist() == list(map(str, meant[2:5]))
    assert "[1, null, null]" in odd_metrics(awkward, asked, "table")


def test_a_metric_of_several_kinds_is_nothing_for_parquet(awkward, asked, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    code, _, told = asked("metrics", "--database", awkward, "--output", path)
    assert (code, "--format jsonl can" in told, told.count("\n")) == (1, True, 1)
    assert not path.exists()
