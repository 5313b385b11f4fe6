"""The package as a whole: its public names, its modules, its models."""

from __future__ import annotations

import importlib
import importlib.metadata
import pickle
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipProperty

import ecephys_dal
from ecephys_dal import EcephysDalError, errors
from ecephys_dal.models import Base

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
    public = {
        name
        for name, value in vars(ecephys_dal).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(names) - {"__version__"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_declares_sorted_names_that_exist(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    declared = getattr(module, "__all__", [])
    assert all(hasattr(module, public) for public in declared)


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("ecephys_dal") == ecephys_dal.__version__ == "0.1.0"
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_are_ours_and_survive_a_pickle(name: str) -> None:
    error_type = getattr(errors, name)
    assert issubclass(error_type, EcephysDalError)
    error = error_type("what happened, and what to do")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (error_type, str(error), vars(error))


@pytest.mark.parametrize("model", [m.class_ for m in Base.registry.mappers], ids=str)
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
    assert {p.name: n for p, n in lengths.items() if n > 300} == {}
