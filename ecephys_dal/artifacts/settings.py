"""How files are fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ecephys_dal.errors import ConfigurationError, nearest_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = re.compile(r"[^\s/@?#]+")

__all__ = ["ArtifactSettings"]


@dataclass(frozen=True, kw_only=True)
class ArtifactSettings:
    """How files are fetched; times are in seconds, sizes in bytes.

    Parameters
    ----------
    scheme : {"http", "https"}
        Of the web application.
    host : str
        Of the web application; may hold a port.
    timeout : float, optional
        How long a whole transfer may take, all attempts together; no limit without it.
    connect_timeout, read_timeout : float
        How long the server may take to accept, and to send the next bytes.
    attempts : int
        How often a request is made at most.
    backoff, max_backoff : float
        The longest wait before the second attempt, doubled before each further one, and its
        limit; how much of it is waited is drawn by chance.
    chunksize : int
        The largest piece that is read at once.
    progress : bool
        Show a bar, on stderr or in a notebook.
    """

    scheme: str = "http"
    host: str = "lims2"
    timeout: float | None = None
    connect_timeout: float = 10
    read_timeout: float = 60
    attempts: int = 6
    backoff: float = 0.5
    max_backoff: float = 30
    chunksize: int = 256 * 1024
    progress: bool = True

    def __post_init__(self) -> None:
        if self.scheme not in ("http", "https"):
            raise ConfigurationError(f"scheme={self.scheme!r} is neither 'http' nor 'https'")
        if not isinstance(self.host, str) or not _HOST.fullmatch(self.host):
            # What stands before an @ may be a password, and is not repeated.
            shown = "(it holds an @)" if "@" in str(self.host) else repr(self.host)
            raise ConfigurationError(f"host={shown} is no host; give one such as 'lims2:8080'")
        if not isinstance(self.progress, bool):
            raise ConfigurationError(f"progress={self.progress!r} is neither True nor False")
        for name in ("connect_timeout", "read_timeout", "backoff", "max_backoff", "timeout"):
            self._check_positive(name, (int, float))
        for name in ("attempts", "chunksize"):
            self._check_positive(name, (int,))

    def _check_positive(self, name: str, types: tuple[type, ...]) -> None:
        value: Any = getattr(self, name)
        if value is None and name == "timeout":
            return
        if type(value) not in types or not value > 0:
            raise ConfigurationError(f"{name}={value!r} is no positive {types[-1].__name__}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> ArtifactSettings:
        """Return the settings with these names and values.

        Raises
        ------
        ConfigurationError
            If a name is unknown or a value is wrong.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise ConfigurationError(
                    f"there is no setting {name!r} of the web application;"
                    f" did you mean {nearest_name(name, known)!r}?"
                )
        return cls(**settings)
