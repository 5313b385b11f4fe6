"""The generated parts of doctor.md: what may be found, and which indexes are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecephys_dal.doctor.indexes import INDEXES
from ecephys_dal.doctor.kinds import KINDS
from ecephys_dal.doctor.uses import users_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecephys_dal.doctor.kinds import Kind


def kinds() -> Iterator[str]:
    yield from ("| code | severity | what it means | what to do |", "|---|---|---|---|")
    for kind in KINDS.values():
        yield f"| `{kind.code}` | {severity(kind)} | {kind.meaning} | {kind.advice} |"
    yield ""


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
    yield ""
