"""Credentials of LIMS. Only `DbCredentials.from_env` reads the environment, when it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ecephys_dal.config.passwords import Password, function_of, name_of
from ecephys_dal.errors import ConfigurationError

__all__ = ["DbCredentials", "password_from_env"]

PASSWORD_VARIABLE = "LIMS_PASSWORD"  # noqa: S105 - the variable's name, not its value
_VARIABLES = {
    "dbname": "LIMS_DBNAME",
    "user": "LIMS_USER",
    "host": "LIMS_HOST",
    "port": "LIMS_PORT",
    "password": PASSWORD_VARIABLE,
}


@dataclass(frozen=True, kw_only=True)
class DbCredentials:
    """Where LIMS is, and who asks; the password is never shown.

    Parameters
    ----------
    dbname, user, host : str
        Database, role and server.
    port : int
        5432 unless told.
    password : str or callable
        May be empty where the server trusts the role or libpq finds the password itself. A
        function is asked for it at each new connection. It is in no repr and no pickle, which
        reads LIMS_PASSWORD where it is loaded, or finds the function by its name.
    """

    dbname: str
    user: str
    host: str
    port: int = 5432
    password: str | Password = field(default="", repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in ("dbname", "user", "host") if not getattr(self, name)]
        if missing:
            raise ConfigurationError(f"LIMS credentials lack {', '.join(missing)}")
        if not (isinstance(self.password, str) or callable(self.password)):
            raise ConfigurationError(
                f"the password, a {type(self.password).__name__}, is neither text nor a function"
            )
        object.__setattr__(self, "port", _port(self.port))

    def __copy__(self) -> DbCredentials:
        return self  # not by way of a pickle, which lacks the password

    def __deepcopy__(self, _: object) -> DbCredentials:
        return self

    def __getstate__(self) -> dict[str, Any]:
        kept = name_of(self.password) if callable(self.password) else bool(self.password)
        return {**self.__dict__, "password": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state["password"]
        if isinstance(kept, str):
            password: str | Password = function_of(kept)
        else:
            password = password_from_env() if kept else ""
        self.__dict__.update({**state, "password": password})

    @classmethod
    def of(cls, credentials: object) -> DbCredentials:
        """Take the credentials from any object with these five attributes.

        AllenSDK's own named tuple is such an object.

        Parameters
        ----------
        credentials : object
            With ``dbname``, ``user``, ``host``, ``port`` and ``password``.

        Returns
        -------
        DbCredentials

        Raises
        ------
        ConfigurationError
            If an attribute is missing.
        """
        missing = [name for name in _VARIABLES if not hasattr(credentials, name)]
        if missing:
            raise ConfigurationError(
                f"lims_credentials, a {type(credentials).__name__}, has no {', '.join(missing)};"
                f" give an object with {', '.join(_VARIABLES)}"
            )
        values = {name: getattr(credentials, name) for name in _VARIABLES}
        for name in ("port", "password"):  # these have defaults
            if values[name] is None:
                del values[name]
        return cls(**values)

    @classmethod
    def from_env(cls) -> DbCredentials:
        """Read LIMS_DBNAME, LIMS_USER, LIMS_HOST, LIMS_PORT (5432) and LIMS_PASSWORD.

        Returns
        -------
        DbCredentials

        Raises
        ------
        ConfigurationError
            If variables are missing; it names each.
        """
        found = {name: os.environ.get(variable) for name, variable in _VARIABLES.items()}
        missing = [
            variable
            for name, variable in _VARIABLES.items()
            if name != "port" and (not found[name] if name != "password" else found[name] is None)
        ]
        if missing:
            raise ConfigurationError(
                f"set {', '.join(missing)} in the environment, or pass lims_credentials"
            )
        return cls(**{name: value for name, value in found.items() if value})  # type: ignore[arg-type]


def password_from_env() -> str:
    """Return LIMS_PASSWORD, or raise a `ConfigurationError` that says that it is missing."""
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None:
        raise ConfigurationError(
            f"set {PASSWORD_VARIABLE} in the environment: passwords are not kept in pickles"
        )
    return password


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise ConfigurationError(f"port={value!r} is not a port; LIMS listens on 5432 by default")
    return port
