"""The generated parts of columns.md: what the docstrings say of each column."""

from __future__ import annotations

import re
from inspect import getdoc
from typing import TYPE_CHECKING

from ecephys_dal import EcephysProjectLimsApi
from ecephys_dal.frames.metric_keys import METRIC_KEYS, is_boolean

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("get_sessions", "get_probes", "get_channels", "get_units", "get_isi_experiments")
_COLUMN = re.compile(r"^- ([\w, ]+?) : (\w[\w\[\]]*)(?:, (.+?))?\.(?: (.*))?$")
# Each name of a metric ends with the stimulus.
_STIMULI = {
    "dg": "drifting gratings",
    "sg": "static gratings",
    "ns": "natural scenes",
    "fl": "flashes",
    "rf": "receptive field",
    "dm": "dot motion",
}


def tables() -> Iterator[str]:
    for method in METHODS:
        doc = getdoc(getattr(EcephysProjectLimsApi, method)) or ""
        yield from (f"### {method}", "", doc.split("\n\n")[0].replace("`", ""), "")
        yield from ("| column | dtype | unit | meaning |", "|---|---|---|---|")
        for names, dtype, unit, meaning in columns(doc):
            written = meaning.replace("``", "`").replace("|", r"\|")
            for name in names.split(", "):
                yield f"| `{name}` | {dtype} | {unit} | {written} |"
        yield ""


def columns(doc: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield names, dtype, unit and meaning of each point of a docstring's list."""
    text = doc.partition("Returns\n-------")[2].partition("\nNotes\n")[0]
    for point in re.split(r"\n(?= *- )", text)[1:]:
        match = _COLUMN.match(" ".join(point.partition("\n\n")[0].split()))
        if match is None:
            raise ValueError(f"not of the form '- name : dtype, unit. Meaning': {point}")
        yield tuple(group or "" for group in match.groups())  # type: ignore[misc]


def metrics() -> Iterator[str]:
    yield from ("| stimulus | session types | columns of numbers | columns of booleans |",)
    yield "|---|---|---|---|"
    for ending, stimulus in _STIMULI.items():
        types = [
            one for one, keys in METRIC_KEYS.items() if any(is_of(key, ending) for key in keys)
        ]
        keys = dict.fromkeys(key for one in types for key in METRIC_KEYS[one] if is_of(key, ending))
        numbers, booleans = (
            ", ".join(f"`{key}`" for key in keys if is_boolean(key) == wanted)
            for wanted in (False, True)
        )
        yield f"| {stimulus} | {', '.join(types)} | {numbers} | {booleans} |"
    yield ""


def is_of(key: str, ending: str) -> bool:
    return key.endswith(f"_{ending}")
