"""The examples of every page run as they are printed: alone, after any other page, and twice.

The Python of a page is one script, and so are its commands (those in ``sh``; ``bash`` is for what
installs things). A block of ``text`` after one of Python is what that prints.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest
from documentation import PAGES, ROOT, Block, blocks, in_the_order_of_the_index, name_of

from ecephys_dal import Database, EcephysProjectLimsApi
from ecephys_dal.testing import DemoLims, demo

# Pages about what is not installed everywhere: AllenSDK, or what old versions of pandas lack.
NEEDS = {
    "docs/allensdk-cache.md": "allensdk",
    "docs/many-machines.md": "dask",
    "docs/pictures.md": "matplotlib",
    "docs/tables.md": "polars",
    "docs/tutorial.md": "matplotlib",
    "docs/web-application.md": "fastapi",
}
PYTHON_PAGES = [
    page
    for page in PAGES
    if blocks(page, "python") and find_spec(NEEDS.get(name_of(page), "ecephys_dal"))
]
SHELL_PAGES = [page for page in PAGES if blocks(page, "sh")]
# They start a cluster, or many processes; the examples of commands' help are quick tests.
LONG_PAGES = [
    ROOT / "docs" / f"{name}.md" for name in ("many-machines", "command-line", "migrations")
]
OF_A_CHECKOUT = ("pyproject.toml", "alembic")  # which a page that migrates finds where it is
HAS_SPARK = find_spec("pyspark") is not None and which("java") is not None
# How the pages begin, and the other databases that some make.
DEMO, OWN = 'demo("demo"', ("sqlite:///own.db", "sqlite:///else.db", "sqlite:///small.db")


def each_of(pages: list[Path], *, slow: list[Path]) -> pytest.MarkDecorator:
    """Run a test with each page."""
    marked = [pytest.param(one, marks=pytest.mark.slow if one in slow else ()) for one in pages]
    return pytest.mark.parametrize("page", marked, ids=name_of)


def as_printed(text: str) -> str:
    return text


def runnable(page: Path) -> list[Block]:
    """Return a page's Python, without what needs Spark where that is not installed."""
    return [b for b in blocks(page, "python") if HAS_SPARK or "pyspark" not in b.text]


def close_all(namespace: dict[str, object]) -> None:
    """Close what a page leaves open, which else some later test would be blamed for."""
    for left in namespace.values():
        if isinstance(left, (Database, EcephysProjectLimsApi, DemoLims)):
            left.close()
    logging.getLogger("ecephys_dal").setLevel(logging.NOTSET)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def run_python(page: Path, folder: Path, written: Callable[[str], str] = as_printed) -> None:
    """Run a page's Python in a folder, and compare what it prints with what the page says."""
    namespace: dict[str, object] = {"__name__": page.stem}
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("PYSPARK_PYTHON", sys.executable)  # else another one of the machine's
        stack.callback(close_all, namespace)
        for block in runnable(page):
            # Blank lines before it, so that a traceback tells the line of the page.
            code = compile("\n" * (block.line - 1) + written(block.text), page, "exec")
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
                if "pyspark" in block.text or NEEDS.get(name_of(page)) == "allensdk":
                    warnings.simplefilter("ignore")  # of theirs, about their own ways
                exec(code, namespace)  # noqa: S102
            if block.output is not None:
                assert lines(printed.getvalue()) == lines(block.output), name_of(page)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def run_commands(page: Path, folder: Path) -> None:
    """Run a page's commands in a folder, and end what they leave in the background."""
    for name in OF_A_CHECKOUT if "alembic" in page.read_text(encoding="utf-8") else ():
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(  # noqa: S603 - our own pages
        ["bash", "-euxo", "pipefail", "-c", "\n".join(b.text for b in blocks(page, "sh"))],  # noqa: S607
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as bash:
        try:
            told, _ = bash.communicate(timeout=170)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGKILL)
    assert bash.returncode == 0, f"{name_of(page)}\n{told}"


@pytest.fixture(scope="module")
def made_before(tmp_path_factory) -> Path:
    """The demo that the pages begin with, made once."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    demo(folder, progress=False).close()
    (folder / "port").unlink()
    return folder


@pytest.fixture
def fresh_folder(made_before, tmp_path) -> Callable[[str], Path]:
    """Give an empty folder; what a page begins by making is put there, to save its time."""

    def give(first_block: str) -> Path:
        if DEMO in first_block or "ecephys-dal demo --folder demo" in first_block:
            shutil.copytree(made_before, tmp_path / "demo")
        return tmp_path

    return give


@each_of(PYTHON_PAGES, slow=LONG_PAGES)
@pytest.mark.sample(5)
def test_the_python_of_a_page_runs_in_a_fresh_folder(page, fresh_folder):
    run_python(page, fresh_folder(runnable(page)[0].text))


@each_of(SHELL_PAGES, slow=LONG_PAGES)
def test_the_commands_of_a_page_run_in_a_fresh_folder(page, fresh_folder):
    run_commands(page, fresh_folder(blocks(page, "sh")[0].text))


@pytest.fixture(scope="module")
def on_postgresql(fresh_url, tmp_path_factory) -> tuple[Path, Callable[[str], str]]:
    """A folder, and what makes PostgreSQL's databases of those in the text of a page."""
    url, others = fresh_url("postgresql"), cache(lambda _: fresh_url("postgresql"))

    def write(text: str) -> str:
        text = text.replace(DEMO, f"{DEMO}, url={url!r}")
        for own in OWN:
            text = text.replace(own, others(own)) if own in text else text
        return text

    return tmp_path_factory.mktemp("postgresql"), write


@each_of(PYTHON_PAGES, slow=[page for page in PAGES if page.parent != ROOT])
@pytest.mark.slow
def test_the_python_of_a_page_runs_on_postgresql(page, on_postgresql):
    folder, written = on_postgresql
    run_python(page, folder, written)
    assert not (folder / "demo" / "lims.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_pages_run_in_one_folder_after_one_another_and_twice(tmp_path):
    order = in_the_order_of_the_index()
    assert set(order) == set(PAGES)
    for page in (*order, *reversed(order)):  # so each runs after each other one, and after itself
        if page in PYTHON_PAGES:
            run_python(page, tmp_path)
        if page in SHELL_PAGES:
            run_commands(page, tmp_path)
