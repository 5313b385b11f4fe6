"""The parameters of a synthetic LIMS, as JSON: in its project's record, and beside its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["begin_files", "end_files", "files_are_there", "refuse_other_parameters"]

Parameters = dict[str, Any]
_NAME = "parameters.json"


def refuse_other_parameters(where: str, made: Parameters, wanted: Parameters) -> None:
    """Raise if what is there was made with other parameters.

    Parameters
    ----------
    where : str
        The database or the folder.
    made, wanted : dict
        The parameters that it was made with, and those that are asked for.

    Raises
    ------
    ConfigurationError
        Which names each parameter that differs, with both values.
    """
    differ = [
        f"{name} is {made.get(name)!r} there and {value!r} here"
        for name, value in wanted.items()
        if made.get(name) != value
    ]
    if differ:
        raise ConfigurationError(
            f"{where} holds a synthetic LIMS of other parameters: {', '.join(differ)};"
            " ask for the same, or name another place"
        )


def begin_files(artifacts: Path, wanted: Parameters) -> None:
    """Note in the folder whose files it is going to hold; refuse one with those of another LIMS."""
    noted = artifacts / _NAME
    if noted.exists():
        made = json.loads(noted.read_text(encoding="utf-8"))["parameters"]
        refuse_other_parameters(str(artifacts), made, wanted)
    artifacts.mkdir(parents=True, exist_ok=True)
    _note(artifacts, wanted, None)


def end_files(artifacts: Path, wanted: Parameters) -> None:
    """Note in the folder that it holds all its files."""
    _note(artifacts, wanted, _count(artifacts))


def files_are_there(artifacts: Path, wanted: Parameters) -> bool:
    """Return True if the folder holds all files of a LIMS of these parameters."""
    noted = artifacts / _NAME
    expected = {"parameters": wanted, "n_files": _count(artifacts)}
    return noted.exists() and json.loads(noted.read_text(encoding="utf-8")) == expected


def _note(artifacts: Path, parameters: Parameters, n_files: int | None) -> None:
    text = json.dumps({"parameters": parameters, "n_files": n_files})
    (artifacts / _NAME).write_text(text, encoding="utf-8")


def _count(artifacts: Path) -> int:
    return sum(1 for _ in artifacts.glob("*/*"))
