"""``python -m ecephys_dal.cli.demo``: run the main job on stand-ins, and show every line of it."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

TOUR = files("ecephys_dal.cli") / "tour.py"  # which may be in a zip file


def blocks(source: str) -> Iterator[str]:
    """Yield the blocks of a script: its imports, and then what each comment announces."""
    _docstring, _, script = source.partition("\n\n")
    first, *others = script.strip().split("\n\n# ")
    yield first
    yield from (f"# {block}" for block in others)


def main() -> None:
    """Show and run the tour, block by block."""
    import_module("ecephys_dal.testing")  # which finds a folder for the cache of pynwb
    names: dict[str, Any] = {}
    width = get_terminal_size((100, 24)).columns
    rule = "-" * width
    print("The main job on stand-ins for LIMS: each block of Python is shown, then what it prints.")
    with pd.option_context("display.width", width, "display.max_rows", 8):
        for block in blocks(TOUR.read_text(encoding="utf-8")):
            print(f"\n{rule}\n{block}\n{rule}", flush=True)
            exec(compile(block, str(TOUR), "exec"), names)  # noqa: S102 - our own script
    print(f"\nAll of these lines are in {TOUR}; the files stay in {names['folder']}.")


if __name__ == "__main__":
    main()
