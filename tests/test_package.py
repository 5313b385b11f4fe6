"""The package as a whole: its public names, its modules, its models."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipProperty

import ecephys_dal
from ecephys_dal import EcephysDalError, errors
from ecephys_dal.models import LIMS_MODELS, Base

PACKAGE = Path(ecephys_dal.__file__).parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "ecephys_dal.")
    if module.name != "ecephys_dal.cli.tour"  # a script
]


def test_the_public_names_are_complete_sorted_and_there() -> None:
    names = ecephys_dal.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    public = [getattr(ecephys_dal, name) for name in names]
    assert all(
        (one.__name__ if isinstance(one, ModuleType) else one.__module__).startswith("ecephys_dal.")
        for one in public
    )
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        ecephys_dal.nothing_of_this_name  # noqa: B018
    # What type checkers are told is what is there.
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    (told,) = (
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert told == sorted([*names, "__version__"])


def test_the_package_is_imported_at_once() -> None:
    script = (
        "import sys, ecephys_dal; print({'pandas', 'sqlalchemy', 'requests'} & set(sys.modules))"
    )
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_declares_sorted_names_that_exist(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    declared = getattr(module, "__all__", [])
    assert all(hasattr(module, public) for public in declared)


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("ecephys_dal") == ecephys_dal.__version__
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_are_ours_and_survive_a_pickle(name: str) -> None:
    error_type = getattr(errors, name)
    assert issubclass(error_type, EcephysDalError)
    error = error_type("what happened, and what to do")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (error_type, str(error), vars(error))


@pytest.mark.parametrize("model", LIMS_MODELS, ids=str)
def test_relationships_go_both_ways_and_never_load_by_themselves(model: type[Base]) -> None:
    relationships: list[RelationshipProperty[object]] = list(inspect(model).relationships)
    assert relationships
    for relationship in relationships:
        assert relationship.lazy == "raise", relationship
        back = [
            other
            for other in relationship.mapper.relationships
            if other.mapper.class_ is model
            and (other.key == relationship.back_populates or relationship.viewonly)
        ]
        assert back, relationship


def test_modules_are_short() -> None:
    lengths = {p: len(p.read_text().splitlines()) for p in PACKAGE.rglob("*.py")}
    assert {p.name: n for p, n in lengths.items() if n > 500} == {}
