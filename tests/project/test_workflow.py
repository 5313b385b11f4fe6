"""The files of the repository's host: the workflow runs what the Makefile has; forms are valid."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.project.declared import (
    ROOT,
    jobs,
    pyproject,
    python_versions,
    read_yaml,
    run,
    run_lines,
)

LINES = sorted({line for job in jobs().values() for line in run_lines(job)})
MAKE = [line for line in LINES if line.startswith("make ")]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-workflows", ".github/workflows/ci.yml"),
        ("dependabot", ".github/dependabot.yml"),
        ("compose-spec", "compose.yaml"),
    ],
)
def test_a_file_is_what_its_schema_says(schema, path):
    checked = run([sys.executable, "-m", "check_jsonschema", "--builtin-schema",
                   f"vendor.{schema}", path])  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_the_workflow_calls_what_a_commit_needs():
    assert {line.split()[1] for line in MAKE} == {"check", "docs", "test", "test-oldest"}


@pytest.mark.parametrize("line", MAKE)
def test_make_knows_what_the_workflow_asks_for(line):
    _, target, variable = shlex.split(line)
    phony = run(["make", "--question", "--print-data-base"]).stdout
    (targets,) = (row for row in phony.splitlines() if row.startswith(".PHONY:"))
    assert target in targets.split()
    dry = run(["make", "--dry-run", "--always-make", target, variable])
    assert dry.returncode == 0, dry.stderr
    assert "python -m venv" in dry.stdout  # the Python that is named is the one that is taken


@pytest.mark.parametrize("line", LINES)
def test_a_shell_can_read_every_line(line):
    assert "${{" not in line
    assert run(["bash", "-n", "-c", line]).returncode == 0


def test_the_workflow_runs_on_each_python_and_each_system():
    everywhere = {"ubuntu-latest", "macos-latest"}
    newest, oldest = (jobs()[name]["strategy"]["matrix"] for name in ("test", "test-oldest"))
    assert newest["python"] == python_versions()
    assert oldest["python"] == python_versions()[:2]  # AllenSDK runs on no later ones
    assert set(newest["os"]) == set(oldest["os"]) == everywhere
    assert f">={newest['python'][0]}" == pyproject()["project"]["requires-python"]


def test_the_workflow_may_only_read_and_ends():
    workflow = read_yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert "github.ref" in workflow["concurrency"]["group"]
    for job in jobs().values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
        checkout, setup = job["steps"][:2]
        assert checkout["with"] == {"persist-credentials": False}
        assert (setup["with"]["cache"], setup["with"]["cache-dependency-path"]) == (
            "pip", "pyproject.toml",
        )  # fmt: skip


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_form_asks_once_and_each_answer_has_a_name(name):
    form = read_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in asked}) == len(asked)
    assert all(part["attributes"]["label"] for part in asked)
    assert any(part.get("validations", {}).get("required") for part in asked)


def test_dependencies_and_actions_are_looked_after():
    looked_after = {
        one["package-ecosystem"] for one in read_yaml(".github/dependabot.yml")["updates"]
    }
    assert looked_after == {"pip", "github-actions"}


def test_a_pull_request_is_asked_for_what_contributing_says():
    template = (ROOT / ".github/PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    for command in ("make check", "make test", "make interop"):
        assert f"`{command}`" in template
