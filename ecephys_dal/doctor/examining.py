"""Look at everything, and whatever happens go on."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ecephys_dal.artifacts import ArtifactClient, ArtifactSettings
from ecephys_dal.bars import make_bar
from ecephys_dal.database import Database
from ecephys_dal.doctor.asking import Lims
from ecephys_dal.doctor.assumptions import assumptions
from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Examination, Finding
from ecephys_dal.doctor.indexes import LOOK_AT_INDEXES
from ecephys_dal.doctor.kinds import KINDS
from ecephys_dal.doctor.layout import LAYOUT
from ecephys_dal.doctor.reaching import REACHING
from ecephys_dal.doctor.samples import samples
from ecephys_dal.doctor.web import Files
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.filters import checked_id
from ecephys_dal.models import Base
from ecephys_dal.repositories.declaration import configure_mappers
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

    from ecephys_dal.artifacts import AsyncArtifactClient

__all__ = ["examine"]

_LONGEST = 2_000_000  # seconds; PostgreSQL counts milliseconds in 32 bits


def examine(
    where: Database | Engine | URL | str,
    app: ArtifactClient | AsyncArtifactClient | ArtifactSettings | None = None,
    *,
    file_id: int | None = None,
    time_limit: float = 10.0,
    progress: bool | None = None,
) -> Examination:
    """Look whether a LIMS is as the models, the rules and the downloads take for granted.

    It only reads, and never raises for what is wrong with LIMS: that is what it returns.

    Parameters
    ----------
    where : Database, Engine, URL or str
        The database.
    app : ArtifactClient, AsyncArtifactClient or ArtifactSettings, optional
        The web application and the mounted file system, which are not looked at without it.
    file_id : int, optional
        The well-known file to ask for; the newest NWB file in force without it. None of its
        content is read but a byte, and where it is mounted what tells its format.
    time_limit : float
        Seconds that a statement, and a request, may take at most.
    progress : bool, optional
        Show a bar on stderr; with None only on a terminal or in a notebook, after a second.

    Returns
    -------
    Examination
        What was found; ``print`` it, or let a notebook show it.

    Raises
    ------
    ConfigurationError
        If an argument can't be meant.
    InvalidFilterError
        If ``file_id`` is no id.

    Examples
    --------
    >>> examination = examine("sqlite:///lims.db", progress=False)  # doctest: +SKIP
    >>> examination.ok  # doctest: +SKIP
    True
    """
    _check_limit(time_limit)
    wanted = None if file_id is None else checked_id("file_id", file_id)
    started, examined_at = time.perf_counter(), dt.datetime.now(dt.timezone.utc)
    with ExitStack() as opened:
        database = Database.of(where)
        if database is not where:
            opened.callback(database.close)
        client = app if app is None or isinstance(app, ArtifactClient) else _client_of(app)
        if client is not None and client is not app:
            opened.callback(client.close)
        lims = Lims(database, time_limit)
        checks = (*REACHING, *_checks_of_tables(lims, client, wanted))
        shown = make_bar(progress, iterable=checks, desc="Examining LIMS", unit="check")
        findings = [one for check in shown for one in check.run(lims)]
    return Examination(
        database=repr(database),
        examined_at=examined_at.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        version=__version__,
        findings=tuple(findings),
        unexamined=tuple(sorted(lims.unexamined)),
    )


def _checks_of_tables(
    lims: Lims, client: ArtifactClient | None, file_id: int | None
) -> tuple[Check, ...]:
    """Return the checks that need the models, if these are whole."""
    try:
        configure_mappers(Base)
    except ConfigurationError as error:
        broken = Finding.of("model_broken", "", str(error))
        seen = {"model_broken", *(code for one in REACHING for code in one.codes)}
        lims.unexamined.update(code for code in KINDS.keys() - seen if code[:6] != "check_")
        return (Check("the models", ("model_broken",), lambda _: [broken], of_database=False),)
    of_files = () if client is None else Files(client, file_id).checks()
    return (LAYOUT, LOOK_AT_INDEXES, *assumptions(), *samples(), *of_files)


def _check_limit(seconds: object) -> None:
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= _LONGEST:  # type: ignore[operator]
        raise ConfigurationError(
            f"time_limit={seconds!r} is wrong; give a positive number of seconds, {_LONGEST:,} at"
            " most"
        )


def _client_of(app: object) -> ArtifactClient:
    settings = app if isinstance(app, ArtifactSettings) else getattr(app, "settings", None)
    if not isinstance(settings, ArtifactSettings):
        raise ConfigurationError(
            f"a {type(app).__name__} is no web application; give an ArtifactClient or"
            " ArtifactSettings"
        )
    return ArtifactClient(settings)
