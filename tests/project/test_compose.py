"""The PostgreSQL with a synthetic LIMS that one command starts."""

from __future__ import annotations

import os
import re
import shutil
import site
import sys
from pathlib import Path

import pytest

from ecephys_dal import Database, SessionFilter, SessionRepository
from tests.project.declared import ROOT, read_yaml, run

SERVICES = read_yaml("compose.yaml")["services"]
LIMS, SYNTHETIC = SERVICES["lims"], SERVICES["synthetic"]


def test_the_database_is_for_this_machine_and_is_waited_for():
    assert LIMS["ports"] == ["127.0.0.1:${ECEPHYS_DAL_PORT:-5433}:5432"]
    login = {name: LIMS["environment"][f"POSTGRES_{name}"] for name in ("USER", "PASSWORD", "DB")}
    url = "postgresql+psycopg2://{USER}:{PASSWORD}@lims/{DB}".format(**login)
    assert SYNTHETIC["environment"]["ECEPHYS_DAL_DATABASE"] == url
    assert LIMS["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert {f"--username={login['USER']}", f"--dbname={login['DB']}"} < {
        *LIMS["healthcheck"]["test"]
    }
    assert SYNTHETIC["depends_on"] == {"lims": {"condition": "service_healthy"}}
    told = url.replace("@lims/", "@127.0.0.1:5433/")
    assert all(
        told in (ROOT / name).read_text(encoding="utf-8")
        for name in ("compose.yaml", "CONTRIBUTING.md")
    )


def test_docker_takes_the_file():
    if shutil.which("docker") and run(["docker", "compose", "version"]).returncode == 0:
        checked = run(["docker", "compose", "config", "--quiet"])
        assert checked.returncode == 0, checked.stderr
    for value in SYNTHETIC["environment"].values():
        assert re.fullmatch(r"[^$]*(\$\{ECEPHYS_DAL_\w+:-\w+\})?", value)
    assert "$" not in SYNTHETIC["command"][-1]  # it would be docker's to fill in


@pytest.fixture
def python_of_the_image(tmp_path) -> Path:
    """An environment to install the checkout in, which has what it needs already."""
    folder = tmp_path / "venv"
    done = run([sys.executable, "-m", "venv", str(folder)])
    assert done.returncode == 0, done.stderr
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "those_of_the_tests.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(900)  # what builds the package may have to be fetched
def test_the_synthetic_lims_is_made_once(python_of_the_image, fresh_url):
    url = fresh_url("postgresql")
    environment = {
        "PATH": f"{python_of_the_image.parent}{os.pathsep}{os.environ['PATH']}",
        "ECEPHYS_DAL_DATABASE": url,
        "ECEPHYS_DAL_SESSIONS": "1",
    }
    for _ in range(2):  # docker compose up runs it each time
        done = run(SYNTHETIC["command"], **environment)
        assert done.returncode == 0, done.stderr
    with Database(url) as database:
        assert SessionRepository(database).count(SessionFilter()) > 1
