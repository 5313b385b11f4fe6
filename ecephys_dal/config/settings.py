"""How a database is asked. Only `DatabaseSettings.from_env` reads the environment."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import ConfigurationError, suggestion
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DatabaseSettings", "options_from_env"]

_PREFIX = "ECEPHYS_DAL_"
_TRUTH = {"1": True, "true": True, "yes": True, "on": True}
_FALSEHOOD = {"0": False, "false": False, "no": False, "off": False}
# libpq counts milliseconds in 32 bits, and so does PostgreSQL.
_MOST = {"float": 2_000_000.0, "int": 2_000_000}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """How a database is asked; times are in seconds.

    Parameters
    ----------
    statement_timeout : float, optional
        How long the server works on one statement; no limit with None.
    lock_timeout : float, optional
        How long a statement waits for a lock, such as that of a migration; no limit with None.
    idle_in_transaction_timeout : float, optional
        How long a transaction of ours may wait for the next statement; no limit with None.
    connect_timeout : int
        How long the server may take to accept a connection.
    keepalives_idle : int
        After how long a silence the system asks whether the server is still there.
    keepalives_interval : int
        How long it waits for the answer until it asks again.
    keepalives_count : int
        How many unanswered questions mean that the server is gone.
    tcp_user_timeout : float
        How long what was sent may stay unacknowledged until the server counts as gone.
    sslmode : str, optional
        libpq's ``disable``, ``allow``, ``prefer``, ``require``, ``verify-ca`` or ``verify-full``;
        libpq's own default with None.
    sslrootcert : str, optional
        The file of the certificates to trust, or ``system``; libpq's own default with None.
    application_name : str, optional
        What the server calls us in its logs and in pg_stat_activity; libpq's PGAPPNAME, else
        ``ecephys_dal/<version>`` with None.
    startup_options : bool
        Tell the server the settings of a session at login; with False at the beginning of each
        transaction, for a proxy or pooler that takes no ``options`` at login.
    pool_size : int
        The most connections that one `Database` opens in one process, over both routes: where
        there is a bulk route, half of them are for it.
    pool_timeout : float
        How long to wait until one of them is free.
    pre_ping : bool
        Ask whether a pooled connection is still there before it is used.
    slow_query_seconds : float, optional
        From when on a query is logged as a slow one; never with None.
    retries : int
        How often a read is tried again after the connection broke off; may be 0.
    backoff : float
        The longest wait before the first of them, doubled before each further one up to 30.
    progress : bool, optional
        Show on stderr how many rows have come, while a whole table is read for longer than a
        second; with None in the main thread alone, if stderr is a terminal's or a notebook's.

    Raises
    ------
    ConfigurationError
        If a value is wrong; it names the setting.

    Notes
    -----
    What a URL says itself wins. Timeouts of the server, TLS and the name mean nothing to SQLite.
    """

    statement_timeout: float | None = 600
    lock_timeout: float | None = 10
    idle_in_transaction_timeout: float | None = 600
    connect_timeout: int = 10
    keepalives_idle: int = 30
    keepalives_interval: int = 10
    keepalives_count: int = 3
    tcp_user_timeout: float = 60
    sslmode: str | None = None
    sslrootcert: str | None = None
    application_name: str | None = None
    startup_options: bool = True
    pool_size: int = 10
    pool_timeout: float = 30
    pre_ping: bool = True
    slow_query_seconds: float | None = 10
    retries: int = 5
    backoff: float = 0.2
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name, kind in _kinds().items():
            _check(name, kind, getattr(self, name))
        if self.sslrootcert not in (None, "system"):
            path = absolute_path(str(self.sslrootcert), setting="sslrootcert")
            object.__setattr__(self, "sslrootcert", str(path))

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Read ECEPHYS_DAL_STATEMENT_TIMEOUT and so on, where they are set and not empty.

        ``none`` stands for None, ``true`` and ``false`` for a truth.

        Parameters
        ----------
        **settings
            What is not left to the environment.

        Returns
        -------
        DatabaseSettings

        Raises
        ------
        ConfigurationError
            If a value is wrong or a name is unknown; it names the variable or the setting.
        """
        kinds = _kinds()
        for name in settings:
            if name not in kinds:
                raise ConfigurationError(
                    f"there is no setting {name!r} of a database; {suggestion(name, kinds)}"
                )
        for name, kind in kinds.items():
            text = os.environ.get(variable := f"{_PREFIX}{name.upper()}", "").strip()
            if text and name not in settings:
                settings[name] = _check(name, kind, _parsed(kind, text), f"{variable}={text!r}")
        return cls(**settings)


def options_from_env() -> str:
    """Return PGOPTIONS, which libpq would not read where it is told options of ours."""
    return os.environ.get("PGOPTIONS", "")


def _kinds() -> dict[str, str]:
    """Return what each setting is, as it is declared."""
    return {field.name: str(field.type) for field in fields(DatabaseSettings)}


def _parsed(kind: str, text: str) -> Any:
    """Return the value that a variable's text stands for, or the text if it stands for none."""
    kind, _, optional = kind.partition(" | ")
    if optional and text.lower() == "none":
        return None
    if kind == "bool":
        return {**_TRUTH, **_FALSEHOOD}.get(text.lower(), text)
    try:
        return {"float": float, "int": int, "str": str}[kind](text)
    except ValueError:
        return text


def _check(name: str, kind: str, value: Any, said: str | None = None) -> Any:
    """Return the value if the setting can have it, else say what it can have."""
    kind, _, optional = kind.partition(" | ")
    wanted = {
        "float": "a positive number of seconds",
        "int": "a whole number, 0 or more" if name == "retries" else "a positive whole number",
        "bool": "True or False",
        "str": f"one of {', '.join(_SSL_MODES)}" if name == "sslmode" else "a text",
    }[kind]
    if not (_fits(name, kind, value) or (optional and value is None)):
        raise ConfigurationError(
            f"{said or f'{name}={value!r}'} is wrong; give {wanted}{', or None' * bool(optional)}"
        )
    return value


def _fits(name: str, kind: str, value: Any) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "str":
        known = name != "sslmode" or value in _SSL_MODES
        return isinstance(value, str) and value.isprintable() and bool(value) and known
    types = (int, float) if kind == "float" else (int,)
    if type(value) not in types or math.isnan(value):
        return False
    return bool((name == "retries" and value == 0) or 0 < value <= _MOST[kind])
