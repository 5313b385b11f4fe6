"""How files are fetched."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecephys_dal.artifacts.mounts import Mounts
from ecephys_dal.errors import ConfigurationError, suggestion
from ecephys_dal.paths import absolute_path

_HOST = re.compile(r"([^\s/@?#:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d+)?(/[^\s/@?#][^\s@?#]*)?/?")
_TEXT = re.compile(r"(?:[!-~\xa1-\xff][ -~\xa0-\xff]*)?")  # that a header field can hold
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = ("range", "if-range", "accept-encoding", "host", "user-agent")
_PROXIES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_MAY_BE_SECRET = ("headers", "auth", "proxies")

__all__ = ["ArtifactSettings"]

_WHOLE = ("attempts", "chunksize", "max_parallel")
_SECONDS = ("connect_timeout", "read_timeout", "backoff", "max_backoff", "max_retry_after")


@dataclass(frozen=True, kw_only=True)
class ArtifactSettings:
    """How files are fetched; times are in seconds, sizes in bytes.

    Parameters
    ----------
    scheme : {"http", "https"}
        Of the web application.
    host : str
        Of the web application; may hold a port and a path, such as ``lims2:8080/proxied``.
    timeout : float, optional
        How long a whole transfer may take, all attempts together; no limit without it.
    connect_timeout, read_timeout : float
        How long the server may take to accept, and to send the next bytes.
    min_bytes_per_second : float
        The floor of speed, on average over ``read_timeout``; a slower transfer is interrupted and
        resumed, which counts as an attempt without progress. 0 for no floor.
    attempts : int
        How many attempts in a row may bring no progress.
    backoff, max_backoff : float
        The longest wait after a failure, doubled after each further one without progress, and its
        limit; how much of it is waited is drawn by chance.
    max_retry_after : float
        The longest that a server's Retry-After is obeyed.
    chunksize : int
        The largest piece that is read at once.
    max_parallel : int
        How many files are fetched at once at most.
    headers : mapping of str to str, or callable, optional
        Further header fields; a callable is asked for them at each request. They are sent to the
        web application only, not to where it redirects to.
    auth : (str, str), callable, optional
        User and password, or a callable that gives them.
    verify : bool or str
        Check the certificate of an https server; or the file of the certificates to trust.
    proxies : mapping of str to str, or callable, optional
        A proxy's URL by scheme; without it those of the environment are used.
    user_agent : str, optional
        What we call ourselves; ``ecephys_dal/<version>`` without it.
    mounts : mapping of str to str, or str, optional
        Folders of LIMS that are mounted here, such as ``{"/allen": "/mnt/allen"}`` or
        ``"/allen=/mnt/allen"``; ``{"/allen": "/allen"}`` where they are mounted as LIMS names them.
        Regular files below them are read from there, and no other file of this machine is ever
        opened. Without one, as by default, all files come by HTTP.
    allowed_redirect_hosts : collection of str, or str
        Hosts that the web application may redirect to, beside itself: ``"files"`` with any port,
        ``"files:8080"`` with that one; a text holds several separated by ``,``. A redirection to
        any other host is refused. Credentials are sent to none of them.
    sha256 : bool
        Compute the SHA-256 of each file that is downloaded, for the manifest.
    progress : bool, optional
        Show bars, on stderr or in a notebook; with None only where stderr is a terminal's or a
        notebook's, and of what takes longer than a second.

    Raises
    ------
    ConfigurationError
        If a value is wrong; it names the setting.

    Notes
    -----
    ``headers``, ``auth`` and ``proxies`` may hold secrets: they are in no repr, and only a
    callable, such as a function that reads the environment, can be pickled.
    """

    scheme: str = "http"
    host: str = "lims2"
    timeout: float | None = None
    connect_timeout: float = 10
    read_timeout: float = 60
    min_bytes_per_second: float = 1024
    attempts: int = 6
    backoff: float = 0.5
    max_backoff: float = 30
    max_retry_after: float = 300
    chunksize: int = 256 * 1024
    max_parallel: int = 4
    headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = field(
        default=None, repr=False
    )
    auth: tuple[str, str] | Callable[[], tuple[str, str]] | None = field(default=None, repr=False)
    verify: bool | str = True
    proxies: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = field(
        default=None, repr=False
    )
    user_agent: str | None = None
    mounts: Mounts | Mapping[str, str] | str | None = field(default_factory=dict)
    allowed_redirect_hosts: Collection[str] = ()
    sha256: bool = True
    progress: bool | None = None

    def __post_init__(self) -> None:
        self._check_address()
        if not isinstance(self.sha256, bool):
            raise ConfigurationError(f"sha256={self.sha256!r} is neither True nor False")
        if not (self.progress is None or isinstance(self.progress, bool)):
            raise ConfigurationError(f"progress={self.progress!r} is neither True, False nor None")
        for name in _SECONDS:
            self._check_number(name, (int, float))
        for name in _WHOLE:
            self._check_number(name, (int,))
        if self.timeout is not None:
            self._check_number("timeout", (int, float))
        if self.min_bytes_per_second != 0:
            self._check_number("min_bytes_per_second", (int, float))
        for name in _MAY_BE_SECRET:
            if not callable(value := getattr(self, name)):
                _check_secret(name, value)
        if self.mounts is not None:
            object.__setattr__(self, "mounts", Mounts.of(self.mounts))
        hosts = _hosts(self.allowed_redirect_hosts)
        object.__setattr__(self, "allowed_redirect_hosts", hosts)

    @property
    def url(self) -> str:
        """Of the web application, without a slash at its end."""
        return f"{self.scheme}://{self.host}".rstrip("/")

    def current(self, name: str) -> Any:
        """Return ``headers``, ``auth`` or ``proxies`` as they are now."""
        value = getattr(self, name)
        if callable(value):
            value = value()
            _check_secret(name, value)
        return value

    def _check_address(self) -> None:
        if isinstance(self.verify, str) and self.verify:
            path = absolute_path(self.verify, setting="verify")
            object.__setattr__(self, "verify", str(path))
        if self.scheme not in ("http", "https"):
            raise ConfigurationError(f"scheme={self.scheme!r} is neither 'http' nor 'https'")
        if not _is_address(self.host):
            # What stands before an @ may be a password, and is not repeated.
            shown = "(it holds an @)" if "@" in str(self.host) else repr(self.host)
            raise ConfigurationError(f"host={shown} is no host; give one such as 'lims2:8080'")
        # requests takes an empty text for False, and would check nothing.
        if not isinstance(self.verify, (bool, str)) or (
            isinstance(self.verify, str) and not (self.verify and Path(self.verify).exists())
        ):
            raise ConfigurationError(
                f"verify={self.verify!r} is neither True, False nor a file of certificates"
            )
        agent = self.user_agent
        if agent is not None and not (isinstance(agent, str) and agent and _TEXT.fullmatch(agent)):
            raise ConfigurationError(f"user_agent={agent!r} is no name")

    def _check_number(self, name: str, types: tuple[type, ...]) -> None:
        value: Any = getattr(self, name)
        if type(value) not in types or not 0 < value < math.inf:
            raise ConfigurationError(f"{name}={value!r} is no positive {types[-1].__name__}")

    def __getstate__(self) -> dict[str, Any]:
        for name in _MAY_BE_SECRET:
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise ConfigurationError(
                    f"settings with {name} can't be pickled, for it may hold a secret; give a"
                    " function that returns it"
                )
        return dict(self.__dict__)

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
                    f" {suggestion(name, known)}"
                )
        return cls(**settings)


def _hosts(value: Any) -> tuple[str, ...]:
    """Return the hosts that a setting names, checked."""
    hosts = (
        [one for one in map(str.strip, value.split(",")) if one]
        if isinstance(value, str)
        else value
    )
    example = "give hosts, such as ['files.example.org', 'lims2:8080']"
    if not isinstance(hosts, (list, tuple, set, frozenset)):
        raise ConfigurationError(f"allowed_redirect_hosts={value!r} is no list; {example}")
    for host in hosts:
        if not _is_address(host) or not {"/", "*"}.isdisjoint(host):
            shown = "one that holds an @" if "@" in str(host) else repr(host)
            raise ConfigurationError(
                f"allowed_redirect_hosts holds {shown}, which is no host; {example}"
            )
    return tuple(sorted(hosts))


def _is_address(host: object) -> bool:
    if not isinstance(host, str) or not host.isprintable() or not _HOST.fullmatch(host):
        return False
    try:
        parts = urlsplit(f"//{host}")
        if host.startswith("["):
            IPv6Address(parts.hostname or "")
        port = parts.port
    except ValueError:
        return False
    return port != 0


def _check_secret(name: str, value: object) -> None:
    """Refuse what can't be sent, without repeating a value that may be secret."""
    if value is None:
        return
    if name == "auth":
        pair = value if isinstance(value, (tuple, list)) else ()
        if len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise ConfigurationError("auth is no pair of user and password")
    elif not isinstance(value, Mapping) or not all(
        isinstance(one, str) and _TEXT.fullmatch(one) for pair in value.items() for one in pair
    ):
        raise ConfigurationError(f"{name} is no mapping of strings to strings that can be sent")
    elif name == "headers":
        _check_names(value)
    elif not all(_is_proxy(one) for key, one in value.items() if one and key != "no_proxy"):
        raise ConfigurationError("proxies holds what is no address, such as http://proxy:3128")


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in _PROXIES and bool(parts.hostname) and port != 0


def _check_names(headers: Mapping[str, str]) -> None:
    for name in headers:
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise ConfigurationError(
                f"headers can't hold {name!r}"
                + ("; use user_agent" if name.lower() == "user-agent" else "")
            )
