"""The reference: a page for each part of the package, from its docstrings."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import ecephys_dal
from ecephys_dal import EcephysDalError, Filter, Repository

if TYPE_CHECKING:
    from pathlib import Path

# What is public beside the names of the package itself.
MODULES = ("migrations", "repositories.clauses", "testing")
# What has many kinds, of which each page would repeat the members.
TOLD_ONCE = (EcephysDalError, Filter, Repository)


def write(folder: Path) -> None:
    """Write the pages, and leave those alone that are right."""
    folder.mkdir(exist_ok=True)
    wanted = {f"{part}.rst": page(part, names) for part, names in parts().items()}
    for stale in {one.name for one in folder.glob("*.rst")} - wanted.keys():
        (folder / stale).unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def parts() -> dict[str, list[str]]:
    """Return the public names by the part of the package that they come from."""
    found: dict[str, list[str]] = {}
    for name in ecephys_dal.__all__:
        thing = getattr(ecephys_dal, name)
        if isinstance(thing, ModuleType):
            found.setdefault(name, []).extend(of_module(thing))
        elif not name.startswith("__"):
            part = thing.__module__.split(".")[1]
            found.setdefault(part, []).append(f"ecephys_dal.{name}")
    for name in MODULES:
        part = name.partition(".")[0]
        found.setdefault(part, []).extend(of_module(import_module(f"ecephys_dal.{name}")))
    return {part: sorted(found[part]) for part in sorted(found)}


def of_module(module: ModuleType) -> list[str]:
    return [f"{module.__name__}.{name}" for name in module.__all__]


def page(part: str, names: list[str]) -> str:
    title = f"ecephys_dal: {part}"
    what = inspect.getdoc(import_module(f"ecephys_dal.{part}")) or ""
    lines = [title, "=" * len(title), "", what, ""]
    for name in names:
        lines += factory(name) if name.endswith("Factory") else described(name)
        lines.append("")
    return "\n".join(lines)


def factory(name: str) -> list[str]:
    """Describe a factory by its docstring alone; what it inherits, factory_boy documents."""
    module, _, attribute = name.rpartition(".")
    doc = inspect.getdoc(getattr(import_module(module), attribute)) or ""
    return [f".. py:class:: {name}", "", *(f"   {line}".rstrip() for line in doc.splitlines())]


def described(name: str) -> list[str]:
    """Describe a name by its docstring; what a class has from one of `TOLD_ONCE` is told there."""
    module, _, attribute = name.rpartition(".")
    thing = getattr(import_module(module), attribute)
    if not inspect.isclass(thing):
        return [f".. {'autofunction' if callable(thing) else 'autodata'}:: {name}"]
    kind = "autoexception" if issubclass(thing, Exception) else "autoclass"
    inherits = any(issubclass(thing, base) and thing is not base for base in TOLD_ONCE)
    options = ["   :show-inheritance:", "   :no-inherited-members:"] if inherits else []
    return [f".. {kind}:: {name}", *options]
