"""The hooks of pre-commit put right what they can, and leave the documentation's notebooks."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from tests.project.declared import ROOT, read_yaml, run

HOOKS = {hook["id"]: hook for hook in read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]}
UNTIDY = '"""A module."""\n\nimport os\nanswer = {  "a":1 }\n'
TIDY = '"""A module."""\n\nanswer = {"a": 1}\n'
NOTEBOOK = {
    "cells": [{
        "cell_type": "code", "execution_count": 1, "id": "one", "metadata": {}, "source": "1 + 1\n",
        "outputs": [{"output_type": "execute_result", "execution_count": 1, "metadata": {},
                     "data": {"text/plain": ["2"]}}],
    }],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    """A repository with an untidy module and two notebooks, and the environment of the tests."""
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".gitignore").write_text(".venv\n")
    (tmp_path / "untidy.py").write_text(UNTIDY)
    (tmp_path / "docs/notebooks").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "docs/notebooks"):
        (folder / "one.ipynb").write_text(json.dumps(NOTEBOOK))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    return tmp_path


def git(folder, *arguments: str) -> None:
    done = run(["git", *arguments], folder)
    assert done.returncode == 0, done.stderr


def test_the_hooks_put_right_what_they_can(checkout, tmp_path_factory):
    store = str(tmp_path_factory.mktemp("store"))
    environment = {"PRE_COMMIT_HOME": store, "SKIP": "environment,mypy"}
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    first = run(command, checkout, **environment)
    assert first.returncode == 1, first.stdout
    assert (checkout / "untidy.py").read_text(encoding="utf-8") == TIDY
    stripped = json.loads((checkout / "one.ipynb").read_text(encoding="utf-8"))
    assert stripped["cells"][0]["outputs"] == []
    assert (
        json.loads((checkout / "docs/notebooks/one.ipynb").read_text(encoding="utf-8")) == NOTEBOOK
    )
    again = run(command, checkout, **environment)
    assert again.returncode == 0, again.stdout


def test_the_other_hooks_are_what_make_has():
    assert set(HOOKS) == {"environment", "ruff-check", "ruff-format", "mypy", "nbstripout"}
    assert next(iter(HOOKS)) == "environment"  # first, as the others need it
    dry = run([*HOOKS["environment"]["entry"].split(), "--dry-run", "--always-make"])
    assert "--group dev" in dry.stdout
    assert f"\n\t$(VENV){HOOKS['mypy']['entry'].removeprefix('.venv')}\n" in (
        ROOT / "Makefile"
    ).read_text(encoding="utf-8")
