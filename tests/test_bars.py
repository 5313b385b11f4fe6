"""The bar of a long read, in a real terminal: when it comes, what it says, that nothing stays."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest

from ecephys_dal import (
    Artifact,
    ArtifactClient,
    ArtifactSettings,
    AsyncArtifactClient,
    Database,
    DatabaseSettings,
    EcephysProjectLimsApi,
    UnitRepository,
    bars,
    doctor,
    snapshot,
)
from ecephys_dal.testing import ArtifactServer, SyntheticLims, create_synthetic_lims
from tests.cli.conftest import SHAPE
from tests.cli.shell import Terminal, after, environment, terminal
from tests.conftest import ROUTES

BAR = "Reading ecephys_units"
# Reads all units, each of which takes its time.
READ = """
import sys, time
from sqlalchemy import event, func
from sqlalchemy.orm import Session
from ecephys_dal import *
from ecephys_dal import bars
from ecephys_dal.models import EcephysUnit

url, route, seconds, patience, settings, how = sys.argv[1:]
bars.PATIENCE = float(patience)
settings = DatabaseSettings.from_env(**eval(settings))
database = Database(url, bulk=not route.endswith("by rows"), settings=settings)

if database.url.get_backend_name() == "sqlite":
    wait = lambda seconds: time.sleep(seconds) or 1
    listen = lambda connection, _: connection.create_function("wait", 1, wait)
    event.listen(database.engine, "connect", listen)
    slow = func.wait(float(seconds)) == 1
else:
    slow = func.pg_sleep(float(seconds)).is_not(None)
slow = slow & (EcephysUnit.id > 0)  # of each row

def read(db=database, method="frame"):
    sys.stdout.write(f"{method} {len(getattr(UnitRepository(db), method)(where=slow))}\\n")

with database:
    exec(how)
"""


@pytest.fixture(params=ROUTES)
def route(request, filled) -> tuple[str, str, int]:
    backend = request.param.partition(",")[0]
    return of_route(filled, backend, request.param)


def of_route(filled, backend: str, name: str = "") -> tuple[str, str, int]:
    url, _ = filled(backend)
    with Database(url) as database:
        return url, name or backend, UnitRepository(database).count()


def arguments(route, how="read()", *, seconds=0.005, patience=0.1, **settings) -> list[str]:
    url, name, _ = route
    return ["-c", READ, url, name, str(seconds), str(patience), repr(settings), how]


def in_terminal(*given: object, **more: object):
    return terminal(*arguments(*given, **more), command=sys.executable, width=120)


def screen_of(screen: Terminal) -> list[str]:
    """Return what stands on the screen in the end, and check that nobody failed."""
    assert screen.wait() == 0, screen.text
    return after(screen.text)


def counts(text: str) -> list[int]:
    """Return how many rows the bar has shown, one after the other."""
    parts = text.split(f"{BAR}: ")[1:]
    return [int(float(part.partition(" rows")[0].removesuffix("k"))) for part in parts]


@pytest.mark.sample(1)
def test_a_long_read_shows_its_rows_and_leaves_nothing_behind(route):
    with in_terminal(route, seconds=0.004) as screen:
        assert screen_of(screen) == [f"frame {route[2]}"]
    assert BAR in screen.text
    seen = counts(screen.text)
    assert seen == sorted(seen)


def test_a_short_read_shows_none(filled):
    with in_terminal(of_route(filled, "sqlite"), seconds=0, patience=1) as screen:
        screen_of(screen)
    assert BAR not in screen.text


@pytest.mark.slow
def test_the_bar_comes_after_a_second(filled):
    route = of_route(filled, "sqlite")
    with in_terminal(route, seconds=3 / route[2], patience=bars.PATIENCE) as screen:
        screen_of(screen)
    assert 0.5 < bars.PATIENCE < 2
    assert f"{BAR}: 0.00 rows [00:01," in screen.text  # since the reading began


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "shows"),
    [
        ("TQDM_DISABLE", "1", False),
        ("TQDM_NCOLS", "wide", False),
        ("TQDM_MININTERVAL", "9", True),
        ("TQDM_BAR_FORMAT", "{nope}", False),
        ("TQDM_BAR_FORMAT", "{l_bar", False),
        ("TQDM_GUI", "1", True),
        ("TQDM_LOCK_ARGS", "1", True),
        ("TQDM_WRITE_BYTES", "1", True),
        ("TQDM_ITERABLE", "3", False),
        ("TQDM_COLOUR", "blurg", True),
    ],
)
def test_tqdms_own_variables_hinder_nobody(variable, value, shows, filled):
    given = arguments(of_route(filled, "sqlite"), seconds=0.001, patience=0.05)
    with terminal(*given, command=sys.executable, **{variable: value}) as screen:
        assert [line.split()[0] for line in screen_of(screen)] == ["frame"]
    assert (BAR in screen.text) == shows


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"progress": False}, {}])
def test_it_can_be_switched_off(settings, filled, monkeypatch):
    given = arguments(of_route(filled, "sqlite"), **settings)
    more = {} if settings else {"ECEPHYS_DAL_PROGRESS": "off"}
    with terminal(*given, command=sys.executable, **more) as screen:
        screen_of(screen)
    assert BAR not in screen.text


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [None, True])
def test_where_there_is_no_terminal_it_is_only_shown_if_it_is_wanted(wanted, filled):
    given = arguments(of_route(filled, "sqlite"), progress=wanted)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *given], env=environment(), capture_output=True, text=True, check=True
    )
    assert (BAR in done.stderr) == bool(wanted)
    assert done.stdout.startswith("frame ")


IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    [one.result() for one in [pool.submit(read) for _ in range(4)]]
"""


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [None, True])
def test_threads_show_none_unless_it_is_wanted_and_never_mix_them(wanted, filled):
    route = of_route(filled, "sqlite")
    with in_terminal(route, IN_THREADS, progress=wanted) as screen:
        assert screen.wait() == 0
    assert (BAR in screen.text) == bool(wanted)
    told = screen.text.replace("\r", "\n").split("\n")
    assert all(line.count("Reading") <= 1 for line in told)
    assert screen.text.count("frame") == 4  # whose lines mix as those of threads do
    assert screen.text.count(str(route[2])) >= 4


@pytest.mark.slow
def test_an_orm_session_of_the_callers_shows_none(filled):
    how = "with Session(database.engine) as db: read(db)"
    with in_terminal(of_route(filled, "sqlite"), how) as screen:
        screen_of(screen)
    assert BAR not in screen.text


INTERRUPTED = """
import threading
with bars.without_reading_bars():  # what is imported then can't be interrupted without a word
    UnitRepository(database).frame(UnitFilter(id_range=(0, 1)))
try:
    read()
except (KeyboardInterrupt, StatementRefusedError):  # as a function of SQLite says it
    print("interrupted", [one.name for one in threading.enumerate() if "bar" in one.name])
"""


@pytest.mark.slow
def test_ctrl_c_takes_the_bar_away(route):
    with in_terminal(route, INTERRUPTED, seconds=0.015) as screen:
        screen.read_until(lambda told: BAR in told)
        screen.type("\x03")
        shown = screen_of(screen)
    assert [line.replace("^C", "").strip() for line in shown] == ["interrupted []"]


@pytest.mark.slow
def test_an_error_takes_the_bar_away(filled):
    how = """
try:
    UnitRepository(database).frame(where=slow & (func.no_such(EcephysUnit.id) == 1))
except StatementRefusedError as error:
    print(type(error).__name__)
time.sleep(0.5)
"""
    with in_terminal(of_route(filled, "sqlite"), how, patience=0) as screen:
        assert screen_of(screen) == ["StatementRefusedError"]


@pytest.fixture
def quick_bars(monkeypatch) -> Iterator[None]:
    """Bars that come at once."""
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    monkeypatch.setattr(bars, "_OFTEN", 0.001)
    yield
    assert not [one for one in threading.enumerate() if one.name == "ecephys_dal bar"]


def test_what_has_a_bar_of_its_own_shows_no_other(quick_bars, filled, tmp_path, capfd):
    pytest.importorskip("pyarrow")
    with Database(filled("sqlite")[0], settings=DatabaseSettings(progress=True)) as database:
        snapshot.export(database, tmp_path, progress=False)
        assert capfd.readouterr().err == ""
        with bars.without_reading_bars():
            UnitRepository(database).frame()
        assert capfd.readouterr().err == ""
        UnitRepository(database).frame()  # they are back


def test_the_facade_hands_the_switch_on(monkeypatch, filled, tmp_path):
    credentials = {"dbname": "lims2", "user": "u", "host": "h", "port": 1, "password": "p"}
    for name, value in credentials.items():
        monkeypatch.setenv(f"LIMS_{name.upper()}", str(value))
    monkeypatch.setenv("ECEPHYS_DAL_PROGRESS", "no")

    def told(api: EcephysProjectLimsApi) -> tuple[bool | None, bool | None]:
        with api:
            files = getattr(api.app_engine, "settings", None)
            return api.postgres_engine.settings.progress, files and files.progress

    default = EcephysProjectLimsApi.default
    assert told(default()) == (False, None)
    assert told(default(progress=True)) == (True, True)
    monkeypatch.delenv("ECEPHYS_DAL_PROGRESS")
    assert told(default()) == (None, None)
    assert told(default(progress=False)) == (False, False)
    assert told(default(progress=False, app_kwargs={"progress": True})) == (False, True)
    snapshot.create(filled("sqlite")[0], tmp_path / "all.db", progress=False)
    opened = EcephysProjectLimsApi.from_snapshot
    assert told(opened(tmp_path / "all.db", progress=False))[0] is False
    assert told(opened(tmp_path / "all.db"))[0] is None


def test_rows_are_counted_as_they_come(quick_bars, capfd):
    with bars.reading_bar("x", wanted=True) as bar:
        assert bar is not None
        for piece in bar.counted(iter([(range(300), "ab"), (), (range(500),)])):
            time.sleep(0.2)
            assert len(piece) in (0, 1, 2)
    told = [part.split(" rows")[0] for part in capfd.readouterr().err.split("Reading x: ")]
    assert [count for count in dict.fromkeys(told[2:]) if count != "0.00"] == ["300", "800"]


def test_a_read_that_nobody_watches_starts_no_thread(by_each_route: SyntheticLims, monkeypatch):
    def start(_: object) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(bars.ReadingBar, "start", start)
    UnitRepository(by_each_route.database).frame()
    monkeypatch.setattr(bars, "is_watched", lambda: True)
    with pytest.raises(AssertionError, match="a thread was started"):
        UnitRepository(by_each_route.database).frame()


def test_downloads_show_theirs_without_a_word_on_widgets():
    script = """
import sys, warnings
warnings.simplefilter("error")
sys.modules["ipywidgets"] = None
class Shell:
    kernel, config = None, {"IPKernelApp": {}}
import types
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = Shell
from ecephys_dal import bars
assert bars._is_notebook()
with bars.make_bar(None, total=1) as bar:
    print(type(bar).__module__)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout == "tqdm.asyncio\n"
    assert ArtifactClient().settings.progress is None


@pytest.fixture(scope="module")
def lims(tmp_path_factory) -> Iterator[tuple[str, Artifact, ArtifactServer]]:
    """A LIMS, a file of it, and who serves it."""
    folder = tmp_path_factory.mktemp("lims")
    url = f"sqlite:///{folder}/lims.db"
    ids = create_synthetic_lims(url, artifacts=folder / "files", **SHAPE)
    snapshot.create(url, folder / "part.db", progress=False)
    with ArtifactServer(folder / "files") as server:
        with EcephysProjectLimsApi(url, ArtifactClient()) as api:
            (file,) = api.locate(session_id=ids.session_ids[0], type="EcephysNwb")
        yield url, file, server


def checked(lims, _: Path, progress: bool | None) -> None:
    snapshot.verify(
        lims[0].removeprefix("sqlite:///").replace("lims.db", "part.db"), progress=progress
    )


def made(_lims, _: Path, progress: bool | None) -> None:
    create_synthetic_lims("sqlite://", **{**SHAPE, "progress": progress})


def examined(lims, _: Path, progress: bool | None) -> None:
    doctor.examine(lims[0], progress=progress)


def fetched(lims, folder: Path, progress: bool | None, how: str) -> None:
    _, file, server = lims
    settings = ArtifactSettings(host=server.host, progress=progress)
    with ArtifactClient(settings) as client:
        if how == "stream":
            b"".join(client.stream(file))
        elif how == "one":
            client.download(file, folder / "a.nwb")
        else:
            client.download_many([file], folder)


def awaited(lims, folder: Path, progress: bool | None) -> None:
    async def main() -> None:
        settings = ArtifactSettings(host=lims[2].host, progress=progress)
        async with AsyncArtifactClient(settings) as client:
            await client.stream(lims[1])

    asyncio.run(main())


def read(lims, _: Path, progress: bool | None) -> None:
    with Database(lims[0], settings=DatabaseSettings(progress=progress)) as database:
        UnitRepository(database).frame()


BARS: dict[str, Callable[[Any, Path, bool | None], Any]] = {
    "a read": read,
    "a stream": lambda lims, to, how: fetched(lims, to, how, "stream"),
    "a stream, awaited": awaited,
    "a download": lambda lims, to, how: fetched(lims, to, how, "one"),
    "downloads": lambda lims, to, how: fetched(lims, to, how, "many"),
    "a snapshot": lambda lims, to, how: snapshot.create(lims[0], to / "a.db", progress=how),
    "its check": checked,
    "an export": lambda lims, to, how: snapshot.export(lims[0], to, format="csv", progress=how),
    "a synthetic LIMS": made,
    "the doctor": examined,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_each_bar_comes_where_somebody_watches_and_only_after_a_while(
    name, lims, tmp_path, monkeypatch, capfd
):
    def told(progress: bool | None = None) -> str:
        for one in tmp_path.iterdir():
            one.unlink()
        capfd.readouterr()
        BARS[name](lims, tmp_path, progress)
        return capfd.readouterr().err

    assert told() == ""  # stderr is no terminal
    monkeypatch.setattr(bars, "is_watched", lambda: True)
    monkeypatch.setattr(bars, "PATIENCE", 60.0)
    assert told() == ""  # nor does it take that long
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    assert told() != ""
    assert told(False) == ""
    monkeypatch.setattr(bars, "is_watched", lambda: False)
    assert told(True) != ""
    monkeypatch.setattr(sys, "stderr", None)
    assert told(True) == ""


def _closed() -> TextIO:
    file = open(os.devnull, "w")  # noqa: SIM115, PTH123 - that is closed
    file.close()
    return file


def _unread() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w", buffering=1)


@pytest.mark.parametrize("make", [_closed, _unread])
@pytest.mark.parametrize("name", BARS)
@pytest.mark.sample(4)
def test_a_bar_that_can_not_be_shown_hinders_nobody(name, make, lims, tmp_path, monkeypatch):
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    stderr = make()
    monkeypatch.setattr(sys, "stderr", stderr)
    BARS[name](lims, tmp_path, True)
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        stderr.close()


def test_a_bar_of_what_stands_still_comes_and_goes(monkeypatch, capfd):
    monkeypatch.setattr(bars, "is_watched", lambda: True)
    monkeypatch.setattr(bars, "PATIENCE", 0.2)
    with bars.make_bar(None, total=5, desc="stalled", leave=False):
        assert capfd.readouterr().err == ""
        time.sleep(0.5)
        assert "stalled:   0%" in (shown := capfd.readouterr().err)
    assert after(shown + capfd.readouterr().err) == []
