"""What is noted of a synthetic LIMS, as JSON: in its project's record, and beside its files."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, inspect, select

from ecephys_dal.errors import ConfigurationError
from ecephys_dal.models import EcephysChannel, EcephysProbe, EcephysSession, EcephysUnit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from ecephys_dal.database import Database

__all__ = [
    "begin_files",
    "count_rows",
    "end_files",
    "files_are_there",
    "refuse_other_parameters",
    "refuse_other_rows",
    "refuse_snapshot",
]

Parameters = dict[str, Any]
_COUNTED = (EcephysSession, EcephysProbe, EcephysChannel, EcephysUnit)
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


def refuse_snapshot(database: Database) -> None:
    """Raise if the database is a snapshot, which holds a part of another LIMS."""
    with database.connection() as connection:
        if inspect(connection).has_table("ecephys_dal_snapshot"):
            raise ConfigurationError(
                f"{database} is a snapshot, which holds a part of a LIMS; name an empty database"
            )


def count_rows(db: Session) -> dict[str, int]:
    """Return how many rows the tables of sessions, probes, channels and units hold."""
    return {
        model.__tablename__: db.execute(select(func.count()).select_from(model)).scalar_one()
        for model in _COUNTED
    }


def refuse_other_rows(where: str, made: dict[str, int], found: dict[str, int]) -> None:
    """Raise if tables hold more or fewer rows than were made; name each with both numbers."""
    differ = [
        f"{table} holds {found[table]} rows, of {number} that were made"
        for table, number in made.items()
        if found[table] != number
    ]
    if differ:
        raise ConfigurationError(
            f"{where} was changed after it was filled: {', '.join(differ)}; name an empty database"
        )


def begin_files(artifacts: Path, wanted: Parameters) -> None:
    """Note in the folder whose files it is going to hold; refuse one with those of another LIMS."""
    noted = _noted(artifacts)
    if noted is not None:
        refuse_other_parameters(str(artifacts), noted["parameters"], wanted)
    with _usable(artifacts):
        artifacts.mkdir(parents=True, exist_ok=True)
        _note(artifacts, wanted, None)


def end_files(artifacts: Path, wanted: Parameters) -> None:
    """Note in the folder that it holds all its files."""
    _note(artifacts, wanted, _count(artifacts))


def files_are_there(artifacts: Path, wanted: Parameters) -> bool:
    """Return True if the folder holds all files of a LIMS of these parameters."""
    return _noted(artifacts) == {"parameters": wanted, "n_files": _count(artifacts)}


def _noted(artifacts: Path) -> dict[str, Any] | None:
    """Return what a folder notes of itself, None of one that notes nothing."""
    noted = artifacts / _NAME
    with _usable(artifacts):
        if not noted.exists():
            return None
        text = noted.read_text(encoding="utf-8")
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        read: dict[str, Any] = json.loads(text)
        read["parameters"].keys()
        return read
    raise ConfigurationError(
        f"{noted} can't be read as JSON of ours; delete it, or name another folder"
    )


@contextmanager
def _usable(artifacts: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{artifacts} can't be the folder of a LIMS' files: {error.strerror}; name another"
        ) from error


def _note(artifacts: Path, parameters: Parameters, n_files: int | None) -> None:
    text = json.dumps({"parameters": parameters, "n_files": n_files})
    (artifacts / _NAME).write_text(text, encoding="utf-8")


def _count(artifacts: Path) -> int:
    return sum(1 for _ in artifacts.glob("*/*"))
