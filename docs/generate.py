"""Write the generated parts of the pages from the code; ``--check`` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import columns_tables
import command_tables
import data_model
import data_model_picture
import doctor_tables
import settings_table

from ecephys_dal.repositories import REPOSITORIES
from ecephys_dal.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parent


def rules() -> Iterator[str]:
    yield "| rule | what it demands | of a NULL it is said | applied to |"
    yield "|---|---|---|---|"
    for rule in RULES:
        applied = [one.__name__ for one in REPOSITORIES.values() if rule in one.rules]
        names = ", ".join(f"`{name}`" for name in applied)
        yield f"| `{rule.name}` | {rule.sentence} | {rule.if_null} | {names} |"
    yield ""


# The generated parts of each page, by what they are generated from.
PARTS: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "columns.md": {
        "the docstrings": columns_tables.tables,
        "the metric keys": columns_tables.metrics,
    },
    "command-line.md": {"the commands": command_tables.options},
    "data-model.md": {
        "the owners of files": data_model.attachments,
        "the models": data_model.generated,
    },
    "doctor.md": {
        "the kinds of findings": doctor_tables.kinds,
        "the wanted indexes": doctor_tables.indexes,
    },
    "rules.md": {"the rules": rules},
    "service.md": {"DatabaseSettings": settings_table.table},
}


# What is generated as a whole.
PICTURES: dict[str, Callable[[], Iterator[str]]] = {"data-model.svg": data_model_picture.picture}


def content(name: str) -> str:
    """Return a file as it should be: what is written by hand, and what is generated."""
    if name in PICTURES:
        return "\n".join([*PICTURES[name](), ""])
    text = (DOCS / name).read_text(encoding="utf-8")
    for source, generated in PARTS[name].items():
        begin, end = (f"<!-- generated from {source}: {edge} -->" for edge in ("begin", "end"))
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = "\n".join([f"{before}{begin}", "", *generated(), f"{end}{after}"])
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    only_check, differ = parser.parse_args(arguments).check, False
    for name in (*PARTS, *PICTURES):
        path, wanted = DOCS / name, content(name)
        if not only_check:
            path.write_text(wanted, encoding="utf-8")
        elif not path.exists() or wanted != path.read_text(encoding="utf-8"):
            print(f"{name} differs from the code; run python docs/generate.py")
            differ = True
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
