"""Write the generated parts of doctor.md from the doctor; ``--check`` only compares."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ecephys_dal.doctor.indexes import INDEXES
from ecephys_dal.doctor.kinds import KINDS
from ecephys_dal.doctor.uses import users_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecephys_dal.doctor.kind import Kind

PAGE = Path(__file__).with_name("doctor.md")
PART = "<!-- generated from the doctor, {name}: {end} -->"


def page() -> str:
    """Return the page as it should be: what is written by hand, and what is generated."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in (("kinds", kinds()), ("indexes", indexes())):
        begin, end = (PART.format(name=name, end=end) for end in ("begin", "end"))
        part = "\n".join([begin, "", *lines, "", end])
        text = re.sub(f"{begin}.*?{end}", part.replace("\\", r"\\"), text, flags=re.DOTALL)
    return text


def kinds() -> Iterator[str]:
    yield from ("| code | severity | what it means | what to do |", "|---|---|---|---|")
    for kind in KINDS.values():
        yield f"| `{kind.code}` | {severity(kind)} | {kind.meaning} | {kind.advice} |"


def severity(kind: Kind) -> str:
    milder = f", {kind.unneeded} where no method needs it" if kind.unneeded else ""
    return f"{kind.severity}{milder}"


def indexes() -> Iterator[str]:
    yield from ("| table | column | without it | for |", "|---|---|---|---|")
    for index in INDEXES:
        table, column = index.name
        code = "index_missing_small" if index.is_small else "index_missing"
        methods = ", ".join(f"`{method}`" for method in users_of([index.name]).methods)
        yield f"| {table} | {column} | `{code}` | {methods} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    wanted = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if wanted != PAGE.read_text(encoding="utf-8"):
        print(f"{PAGE.name} differs from the doctor; run python docs/{Path(__file__).name}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
