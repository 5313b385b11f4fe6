"""The examples of every page run as they stand, on both databases.

The blocks of a page are one script. The only thing that is replaced is the URL that pages write,
``sqlite:///lims.db``, which stands for a database of each backend in turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest
from documentation import PAGES, ROOT, Block, blocks, name_of

from ecephys_dal import Database, EcephysProjectLimsApi

WRITTEN_URL = "sqlite:///lims.db"
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
SHELL_PAGES = [page for page in PAGES if blocks(page, "sh") and page.parent == ROOT / "docs"]


HAS_SPARK = find_spec("pyspark") is not None and which("java") is not None


def runnable(page: Path) -> list[Block]:
    """Return a page's Python, without what needs Spark where that is not installed."""
    return [b for b in blocks(page, "python") if HAS_SPARK or "pyspark" not in b.text]


@pytest.fixture(params=["sqlite", "postgresql"])
def url_of(request: pytest.FixtureRequest, filled, fresh_url):
    """Return the database that a page starts from: an empty one if it makes its own LIMS."""

    def choose(text: str) -> str:
        if "create_synthetic_lims" in text or "alembic" in text:
            return fresh_url(request.param)
        url, _ = filled(request.param)
        return url

    return choose


def close_all(namespace: dict[str, object]) -> None:
    """Close what a page leaves open, which else some later test would be blamed for."""
    for left in namespace.values():
        if isinstance(left, (Database, EcephysProjectLimsApi)):
            left.close()


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name_of)
def test_the_python_of_a_page_is_a_script_that_runs(page, url_of, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # else another one of the machine's
    url = url_of(page.read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": page.stem}
    request.addfinalizer(partial(close_all, namespace))
    for block in runnable(page):
        # Blank lines before it, so that a traceback tells the line of the page.
        text = "\n" * (block.line - 1) + block.text.replace(WRITTEN_URL, url)
        with warnings.catch_warnings():
            if "pyspark" in block.text or NEEDS.get(name_of(page)) == "allensdk":
                warnings.simplefilter("ignore")  # of theirs, about their own ways
            exec(compile(text, page, "exec"), namespace)  # noqa: S102


@pytest.mark.parametrize("page", SHELL_PAGES, ids=name_of)
def test_the_commands_of_a_page_are_a_script_that_runs(page, url_of):
    script = "\n".join(block.text for block in blocks(page, "sh"))
    url = url_of(script)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 - our own pages
        ["bash", "-euxo", "pipefail", "-c", script.replace(WRITTEN_URL, url)],  # noqa: S607
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{name_of(page)}\n{ran.stdout}{ran.stderr}"


if find_spec("mypy") is not None:

    @pytest.mark.parametrize("page", PYTHON_PAGES, ids=name_of)
    def test_the_python_of_a_page_is_typed(page, tmp_path):
        from mypy import api

        script = tmp_path / "page.py"
        lines = [""] * (max(block.line + block.text.count("\n") for block in runnable(page)) + 1)
        for block in runnable(page):
            lines[block.line - 1 : block.line - 1 + block.text.count("\n")] = block.text.split("\n")
        script.write_text("\n".join(lines), encoding="utf-8")
        cache = f"--cache-dir={ROOT / '.mypy_cache' / 'pages'}"
        report, errors, status = api.run(
            [
                "--config-file=",
                "--strict",
                "--disable-error-code=import-untyped",
                cache,
                str(script),
            ]
        )
        assert status == 0, f"{name_of(page)}\n{report}{errors}"
