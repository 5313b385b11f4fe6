"""What the project's own files declare: pyproject.toml, the workflow, the composition."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
_SURROUNDINGS = re.compile(r"GIT_|MAKE|MFLAGS$|PYTHONPATH$")
_EXPRESSION = re.compile(r"\$\{\{ *matrix\.(\w+) *\}\}")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read_yaml(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def jobs() -> dict[str, Any]:
    return read_yaml(".github/workflows/ci.yml")["jobs"]


def run_lines(job: dict[str, Any]) -> list[str]:
    """Return the shell lines of a job, once for each cell of its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    cells = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
    lines = [step["run"] for step in job["steps"] if "run" in step]
    return [
        _EXPRESSION.sub(lambda found, cell=cell: cell[found[1]], line)
        for cell in cells
        for line in lines
    ]


def python_versions() -> list[str]:
    """Return the versions of Python that the classifiers promise."""
    prefix = "Programming Language :: Python :: 3."
    found = (one for one in pyproject()["project"]["classifiers"] if one.startswith(prefix))
    return [one.rpartition(" ")[2] for one in found]


def run(command: list[str], folder: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command as from a fresh shell: outside of make, of hooks of Git, and of the tests."""
    kept = {name: value for name, value in os.environ.items() if not _SURROUNDINGS.match(name)}
    return subprocess.run(  # noqa: S603 - our own lines
        command, cwd=folder, env=kept | more, capture_output=True, text=True, check=False
    )
