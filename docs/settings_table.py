"""The table of settings of service.md, from their class."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import getdoc
from typing import TYPE_CHECKING

from ecephys_dal import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARAMETER = re.compile(r"^(\w+) : .+\n((?:    .+\n)+)", re.MULTILINE)


def table() -> Iterator[str]:
    meanings = dict(_PARAMETER.findall(getdoc(DatabaseSettings) or ""))
    yield from ("| setting | default | meaning |", "|---|---|---|")
    for field in fields(DatabaseSettings):
        meaning = " ".join(meanings[field.name].split()).replace("``", "`")
        yield f"| `{field.name}` | `{field.default!r}` | {meaning} |"
    yield ""
