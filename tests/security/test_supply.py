"""What is installed: no version with a known hole, in CI the versions of the lock."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.declared import ROOT, jobs, pyproject, python_versions

PROJECT = pyproject()["project"]
DECLARED = [
    Requirement(one)
    for some in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for one in some
]
LOCK = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]

# The last version with the hole, of what we declare.
HOLES = {
    "CVE-2023-47248": ("pyarrow", "14.0.0"),  # code in a file of Arrow's
    "CVE-2024-35195": ("requests", "2.31.0"),
    "CVE-2024-47081": ("requests", "2.32.3"),  # .netrc of another host
    "CVE-2026-25645": ("requests", "2.32.5"),
    "CVE-2025-50181": ("urllib3", "2.4.0"),  # redirections that were switched off
    "CVE-2025-66471": ("urllib3", "2.5.0"),  # bombs
    "CVE-2026-21441": ("urllib3", "2.6.2"),
    "CVE-2026-44432": ("urllib3", "2.6.3"),
    "CVE-2024-34062": ("tqdm", "4.66.2"),
    "CVE-2021-42343": ("distributed", "2021.9.1"),
    "CVE-2026-23528": ("distributed", "2026.1.0"),
}


@pytest.mark.parametrize("hole", HOLES)
def test_no_version_with_a_known_hole_may_be_installed(hole: str) -> None:
    name, version = HOLES[hole]
    (declared,) = (one for one in DECLARED if one.name == name)
    assert version not in declared.specifier


@pytest.mark.parametrize("python", python_versions())
def test_the_lock_has_one_version_of_each_package_and_of_ours_one_that_is_allowed(
    python: str,
) -> None:
    where = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    here = [one for one in LOCK if one.marker is None or one.marker.evaluate(where)]
    locked = {canonicalize_name(one.name): str(one.specifier) for one in here}
    assert len(locked) == len(here)
    assert all(re.fullmatch(r"==[^,*]+", one) for one in locked.values())
    for one in DECLARED:
        if one.marker is None or one.marker.evaluate(where):
            version = locked[canonicalize_name(one.name)].removeprefix("==")
            assert version in one.specifier, one


def test_what_ci_tests_it_installs_by_the_lock() -> None:
    locked = {name for name, job in jobs().items() if "PIP_CONSTRAINT" in job.get("env", {})}
    assert locked == {"check", "test", "anywhere"}  # the oldest, and the wheel, are what users get
    assert "PIP_CONSTRAINT=" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_users_install_what_pyproject_allows() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install" in readme
    assert "constraints.txt" not in readme
    assert PROJECT["urls"]
