"""What the pages say of the package is so: links, generated parts, methods, settings, names."""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import sys
from dataclasses import fields
from functools import cached_property
from pathlib import Path

import pytest
from documentation import PAGES, ROOT, blocks, name_of, prose

import ecephys_dal
from ecephys_dal import (
    ArtifactSettings,
    DatabaseSettings,
    EcephysProjectApi,
    EcephysProjectLimsApi,
)

COMPATIBILITY = ROOT / "docs" / "compatibility.md"
DOWNLOADS = ROOT / "docs" / "downloads.md"
PUBLIC = [name for name in ecephys_dal.__all__ if not name.startswith("__")]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page) -> list[str]:
    return [link for link in _LINK.findall(prose(page)) if "://" not in link]


def anchors(page) -> set[str]:
    """Return the anchors of the headings of a page, as web hosts of repositories make them."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose(page)))
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_made_here = f'savefig("{target.name}")' in page.read_text(encoding="utf-8")
        assert target.exists() or (target.parent.name == "pictures" and is_made_here), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_names_every_page():
    index = ROOT / "docs" / "index.md"
    named = {(index.parent / link).resolve() for link in links(index)}
    ours = {page for page in named if page.parent != ROOT / "benchmarks"}
    assert ours == set(PAGES) - {index}


def test_the_commands_of_the_readme_are_there():
    wanted = re.findall(r"\bmake (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert wanted[:2] == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in wanted)


def test_the_commands_of_contributing_are_there():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([\w-]+)`", page))
    assert named >= {"test", "test-all", "check", "docs"}
    assert named <= set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    assert os.access(ROOT / "tests" / "anywhere", os.X_OK)


def test_the_generated_parts_are_what_the_code_gives(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "docs")
    script = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert script["main"](["--check"]) == 0, capsys.readouterr().out


def test_the_settings_of_a_database_are_what_their_class_says():
    documented = rows("setting", ROOT / "docs" / "service.md")
    assert list(documented) == [field.name for field in fields(DatabaseSettings)]
    defaults = {name: ast.literal_eval(row[0].strip("`")) for name, row in documented.items()}
    assert DatabaseSettings(**defaults) == DatabaseSettings()


def test_the_changelog_and_the_citation_have_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{ecephys_dal.__version__}] - " in changelog
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ecephys_dal.__version__}\n" in citation


def rows(first_cell: str, page: Path = COMPATIBILITY) -> dict[str, list[str]]:
    """Return a table of a page, by the first cell of its rows."""
    lines = page.read_text(encoding="utf-8").partition(f"| {first_cell} |")[2]
    table = lines.partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]
    return {row[0].strip("`"): [cell.strip() for cell in row[1:]] for row in cells}


def arguments_of(method) -> str:
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )


def test_every_method_is_compared_and_has_the_arguments_that_the_page_says():
    documented = {name: row[0].strip("`") for name, row in rows("method").items()}
    abstract = {*EcephysProjectApi.__abstractmethods__, "default"} - {"get_isi_experiments"}
    actual = {name: arguments_of(getattr(EcephysProjectLimsApi, name)) for name in abstract}
    assert documented == actual


def test_every_call_of_allensdk_is_on_the_page_for_those_who_come_from_it():
    page = (ROOT / "docs" / "from-allensdk.md").read_text(encoding="utf-8")
    calls = {f"api.{name}(" for name in EcephysProjectApi.__abstractmethods__}
    calls |= {f"EcephysProjectLimsApi{rest}" for rest in ("(", ".default(", ".STIMULUS")}
    rows = "".join(line for line in page.splitlines(keepends=True) if line.startswith("| `"))
    assert {call for call in calls if call not in rows} == set()


def test_the_added_method_has_the_arguments_that_the_page_says():
    added = f"get_isi_experiments({arguments_of(EcephysProjectLimsApi.get_isi_experiments)})"
    assert f"`{added}`" in COMPATIBILITY.read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default():
    documented = {
        name: ast.literal_eval(row[0].strip("`"))
        for name, row in rows("setting", DOWNLOADS).items()
    }
    assert list(documented) == [field.name for field in fields(ArtifactSettings)]
    assert ArtifactSettings(**documented) == ArtifactSettings()


def test_the_eight_departures_are_there():
    assert list(rows("#")) == [str(number) for number in range(1, 9)]
    assert all(all(row) and len(row) == 3 for row in rows("#").values())


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_of_its_own(name):
    documented = getattr(ecephys_dal, name).__doc__ or ""
    # Where there is none, a dataclass or NamedTuple makes one of the signature.
    assert documented
    assert not documented.startswith(f"{name}(")


@pytest.mark.parametrize("name", [name for name in PUBLIC if name[0].isupper()])
def test_the_public_members_of_a_public_class_have_docstrings(name):
    members = inspect.getmembers(getattr(ecephys_dal, name), is_documentable)
    ours = [
        (member_name, member)
        for member_name, member in members
        if not member_name.startswith("_") and is_ours(getattr(ecephys_dal, name), member_name)
    ]
    assert [member_name for member_name, member in ours if not inspect.getdoc(member)] == []


def is_documentable(member) -> bool:
    if inspect.isclass(member):
        return False
    return inspect.isroutine(member) or isinstance(member, (property, cached_property))


def is_ours(cls, name: str) -> bool:
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__module__.startswith("ecephys_dal")


# What a page may import is what the commands to install that it shows bring along.
_INSTALLS = re.compile(r"pip install ([^\n`#]+)")
_MODULES = {  # of extras: what belongs to each, and which part of the package needs it
    "arrow": {"adbc_driver_postgresql", "duckdb", "pyarrow"},
    "dask": {"dask", "distributed"},
    "plot": {"matplotlib", "ecephys_dal.plot"},
    "testing": {"factory", "h5py", "pynwb", "tifffile", "ecephys_dal.testing"},
}
_CORE = {
    "ecephys_dal",
    "sqlalchemy",
    "pandas",
    "numpy",
    "requests",
    "alembic",
    *sys.stdlib_module_names,
}


def _imported(page: Path) -> set[str]:
    found: set[str] = set()
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                of_ours = node.module.startswith("ecephys_dal")
                found.add(node.module if of_ours else node.module.partition(".")[0])
                if node.module == "ecephys_dal":
                    found |= {f"ecephys_dal.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_a_page_says_how_to_install_what_it_imports(page):
    said = " ".join(_INSTALLS.findall(page.read_text(encoding="utf-8")))
    python = "".join(block.text for block in blocks(page, "python"))
    if re.search(r"\.arrow\(|parquet|pyarrow", python):
        assert re.search(r"\[[\w,]*\barrow\b", said)
    brought = set(re.findall(r"[\w-]+", said.replace("-", "_"))) | _CORE
    for extra, modules in _MODULES.items():
        if re.search(rf"\[[\w,]*\b{extra}\b", said):
            brought |= modules
    needed = {one for modules in _MODULES.values() for one in modules}
    ours = {one for one in _imported(page) if one.startswith("ecephys_dal.")} & needed
    others = {one for one in _imported(page) if not one.startswith("ecephys_dal")}
    assert (ours | others) - brought == set()
