"""The Python of every page is typed, as strictly as the package is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from documentation import ROOT, Block, name_of
from test_examples import PYTHON_PAGES, runnable


@pytest.mark.slow
def test_the_python_of_the_pages_is_typed(tmp_path, monkeypatch):
    pytest.importorskip("mypy")
    for page in PYTHON_PAGES:
        script = tmp_path / (name_of(page).translate(str.maketrans("/-.", "___")) + ".py")
        script.write_text(with_its_lines(runnable(page)), encoding="utf-8")
    monkeypatch.setenv("MYPYPATH", str(ROOT))  # the package beside the pages
    done = subprocess.run(  # noqa: S603 - our own pages
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--strict"),
            *("--follow-imports=silent", "--disable-error-code=import-untyped"),
            f"--cache-dir={ROOT / '.mypy_cache' / 'pages'}",
            *map(str, sorted(tmp_path.glob("*.py"))),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def with_its_lines(of_a_page: list[Block]) -> str:
    """Return a page's Python as a script, in which each line has the number that it has there."""
    script: list[str] = []
    for block in of_a_page:
        script += [""] * (block.line - 1 - len(script))
        script += block.text.splitlines()
    return "\n".join(script)
