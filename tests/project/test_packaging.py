"""What pyproject.toml declares is what the code imports, and what other files say."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import ecephys_dal
from tests.project.declared import ROOT, pyproject, python_versions

PACKAGE = ROOT / "ecephys_dal"
EXTRAS = pyproject()["project"]["optional-dependencies"]
GROUPS = pyproject()["dependency-groups"]

# What is imported by another name than it is installed by.
NAMED_OTHERWISE = {
    "factory": "factory-boy", "mpl_toolkits": "matplotlib", "psycopg2": "psycopg2-binary",
}  # fmt: skip


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def imported(source: str) -> Iterator[str]:
    """Yield the top-level packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    modules = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
    }
    theirs = modules - sys.stdlib_module_names - {"ecephys_dal"}
    used = {canonicalize_name(NAMED_OTHERWISE.get(name, name)) for name in theirs}
    needed = names(pyproject()["project"]["dependencies"])
    assert used == needed | {name for extra in EXTRAS.values() for name in names(extra)}


def test_the_version_stands_in_one_place():
    assert "version" not in pyproject()["project"]
    place = ROOT / pyproject()["tool"]["hatch"]["version"]["path"]
    assert runpy.run_path(str(place))["__version__"] == ecephys_dal.__version__
    others = {ROOT / "pyproject.toml", *PACKAGE.rglob("*.py*"), *(ROOT / "docs").glob("*.py")}
    quoted = re.compile(rf"""["']{re.escape(ecephys_dal.__version__)}["']""")
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in others
        if path.suffix in {".py", ".pyi", ".toml"}
    }
    assert [path for path, text in texts.items() if quoted.search(text)] == [place]


def test_the_classifiers_name_each_python_that_is_allowed():
    allowed = SpecifierSet(pyproject()["project"]["requires-python"])
    newest = int(python_versions()[-1].partition(".")[2])
    candidates = (f"3.{minor}" for minor in range(newest + 1))
    assert python_versions() == [version for version in candidates if version in allowed]


def test_extras_are_for_users_and_groups_for_developers():
    assert set(EXTRAS) == {"arrow", "dask", "plot", "testing"}
    assert set(GROUPS) == {"bench", "dev", "docs", "tests"}
    included = {one["include-group"] for one in GROUPS["dev"] if isinstance(one, dict)}
    assert included == set(GROUPS) - {"dev"}


@pytest.mark.parametrize("path", ["Makefile", "compose.yaml", "README.md", "CONTRIBUTING.md"])
def test_extras_and_groups_that_are_named_are_there(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    extras = [name for found in re.findall(r"\.\[([\w,]+)\]", text) for name in found.split(",")]
    assert set(extras) <= set(EXTRAS)
    assert set(re.findall(r"--group (\w+)", text)) <= set(GROUPS)
    assert extras or path == "CONTRIBUTING.md"
