"""Write the table of settings in service.md from their class; ``--check`` only compares."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING

from ecephys_dal import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("service.md")
BEGIN, END = "<!-- generated from DatabaseSettings: begin -->", "<!-- generated: end -->"
_PARAMETER = re.compile(r"^(\w+) : .+\n((?:    .+\n)+)", re.MULTILINE)


def page() -> str:
    """Return the page as it should be: what is written by hand, and what is generated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", "", *table(), "", f"{END}{after}"])


def table() -> Iterator[str]:
    meanings = dict(_PARAMETER.findall(getdoc(DatabaseSettings) or ""))
    yield from ("| setting | variable | default | meaning |", "|---|---|---|---|")
    for field in fields(DatabaseSettings):
        meaning = " ".join(meanings[field.name].split()).replace("``", "`")
        variable = f"ECEPHYS_DAL_{field.name.upper()}"
        yield f"| `{field.name}` | `{variable}` | `{field.default!r}` | {meaning} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    wanted = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if wanted != PAGE.read_text(encoding="utf-8"):
        print(f"{PAGE.name} differs from the settings; run python docs/{Path(__file__).name}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
