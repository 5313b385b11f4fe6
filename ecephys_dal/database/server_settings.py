"""The settings of the server that our sessions have, and how they reach it."""

from __future__ import annotations

import re
from math import ceil, inf
from typing import TYPE_CHECKING

from ecephys_dal.config import options_from_env
from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from ecephys_dal.config import DatabaseSettings

__all__ = [
    "UTC",
    "longest_statement",
    "milliseconds",
    "session_settings",
    "set_locally",
    "startup_options",
]

UTC = "UTC"  # so that columns with and without a zone mean the same moments
_OPTION = re.compile(r"(?:\\.|\S)+")  # a blank may stand behind a backslash
_TIMEOUT = re.compile("([0-9.]+) *([a-z]*)")
_UNITS = {"": 1e-3, "us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def startup_options(url: URL, settings: DatabaseSettings, *, owned: bool) -> str:
    """Return the options that a server is told at login; of two values the last one holds."""
    first, last = _ours(settings, owned=owned)
    said = [
        " ".join(f"-c {name}={value}" for name, value in each.items()) for each in (first, last)
    ]
    return " ".join(filter(None, (said[0], *_theirs(url), said[1])))


def session_settings(url: URL, settings: DatabaseSettings, *, owned: bool) -> dict[str, str]:
    """Return the settings of the server that each transaction of ours has.

    Parameters
    ----------
    url : URL
        Of PostgreSQL, which may say some itself.
    settings : DatabaseSettings
        Of the connections.
    owned : bool
        Whether they may write.

    Returns
    -------
    dict of str to str
        Names and values.
    """
    first, last = _ours(settings, owned=owned)
    return {**first, **_parsed(" ".join(_theirs(url))), **last}


def _ours(settings: DatabaseSettings, *, owned: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of the server that a URL may say otherwise, and those it may not."""
    limits = {
        "statement_timeout": settings.statement_timeout,
        "lock_timeout": settings.lock_timeout,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout,
    }
    first = {name: str(milliseconds(limit or 0)) for name, limit in limits.items()}  # 0: none
    read_only = {} if owned else {"default_transaction_read_only": "on"}
    # A driver reads the dates of this style alone, and sets it only once; and floats are exact.
    last = {**read_only, "TimeZone": UTC, "DateStyle": "ISO", "extra_float_digits": "3"}
    return first, last


def _theirs(url: URL) -> list[str]:
    said = url.query.get("options", ())
    return list(filter(None, [options_from_env(), *([said] if isinstance(said, str) else said)]))


def _parsed(options: str) -> dict[str, str]:
    """Return what options of a session set, as PostgreSQL reads them."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in _OPTION.findall(options)]
    found = {}
    while words:
        word = words.pop(0)
        said = (
            words.pop(0) if word == "-c" and words else word.removeprefix("--").removeprefix("-c")
        )
        name, is_setting, value = said.partition("=")
        if not is_setting or not name or name.startswith("-"):
            raise ConfigurationError(f"options={options!r} can't be read; write -c name=value")
        found[name.replace("-", "_")] = value
    return found


def set_locally(settings: dict[str, str]) -> str:
    """Return the statement that sets these in one transaction, and leaves no trace in a pooler."""
    calls = (
        f"set_config({_quoted(name)}, {_quoted(value)}, true)" for name, value in settings.items()
    )
    return f"SELECT {', '.join(calls)}"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''").replace("\\", "\\\\")
    return f" E'{doubled}'"


def longest_statement(url: URL, settings: DatabaseSettings) -> float:
    """Return after how many seconds the server ends a statement of ours."""
    said = session_settings(url, settings, owned=False)["statement_timeout"]
    number, unit = _TIMEOUT.findall(said)[-1]
    return float(number) * _UNITS[unit] or inf


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds, as libpq and PostgreSQL count."""
    return ceil(1000 * seconds)
