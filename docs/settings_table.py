"""The generated part of service.md: the settings of a database, as their class describes them."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import getdoc
from typing import TYPE_CHECKING

from ecephys_dal import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARAMETER = re.compile(r"^(\w+) : .+\n((?:    .+\n)+)", re.MULTILINE)


def settings() -> Iterator[str]:
    meanings = dict(_PARAMETER.findall(getdoc(DatabaseSettings) or ""))
    yield from ("| setting | variable | default | meaning |", "|---|---|---|---|")
    for field in fields(DatabaseSettings):
        meaning = " ".join(meanings[field.name].split()).replace("``", "`")
        variable = f"ECEPHYS_DAL_{field.name.upper()}"
        yield f"| `{field.name}` | `{variable}` | `{field.default!r}` | {meaning} |"
    yield ""
