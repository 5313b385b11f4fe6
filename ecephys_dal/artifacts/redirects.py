"""Where a redirection may lead, and what may travel there: hosts, credentials and cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar

from ecephys_dal.artifacts.refusals import permanent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Redirections", "is_redirect", "next_url", "same_origin"]

_STATUSES = frozenset({301, 302, 303, 307, 308})
_MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    """Who answers for a URL."""

    scheme: str
    host: str
    port: int


class Redirections:
    """One request on its way: where it is to be sent, and with which cookies.

    Parameters
    ----------
    url : str
        What is asked for at first.
    allowed : collection of str
        Hosts that it may be redirected to, beside its own.

    Attributes
    ----------
    origin : str
        What was asked for at first.
    url : str
        What is to be asked for now.
    """

    def __init__(self, url: str, allowed: Collection[str] = ()) -> None:
        self.origin = self.url = url
        self._allowed, self._hops = allowed, 0
        self._cookies: dict[_Origin | None, RequestsCookieJar] = {}

    @property
    def cookies(self) -> RequestsCookieJar:
        """What this very server has set on the way; no other request has it."""
        return self._cookies.setdefault(_origin(self.url), RequestsCookieJar())

    def follow(self, response: requests.Response) -> bool:
        """Go where an answer redirects to; return False if it does not redirect."""
        if not is_redirect(response.status_code, response.headers):
            return False
        self.cookies.update(response.cookies)
        self.url = next_url(
            self.origin, self.url, response.headers, self._hops, allowed=self._allowed
        )
        self._hops += 1
        return True


def is_redirect(status: int, fields: Mapping[str, str]) -> bool:
    """Tell whether an answer says that the file is elsewhere."""
    return status in _STATUSES and "Location" in fields


def next_url(
    origin: str,
    url: str,
    fields: Mapping[str, str],
    hops: int,
    *,
    allowed: Collection[str] = (),
) -> str:
    """Return where a redirection leads.

    Parameters
    ----------
    origin : str
        What was asked for at first, for messages: what it led to may hold secrets.
    url : str
        What was asked for last.
    fields : mapping of str to str
        The header fields of the answer.
    hops : int
        How many redirections came before this one.
    allowed : collection of str
        Hosts that it may lead to beside its own, as ``host`` with any port, or ``host:port``.

    Returns
    -------
    str
        As it will be sent.

    Raises
    ------
    ArtifactTransferError
        If there were too many, or it leads nowhere, away from https or to a host that is not
        allowed.
    """
    target = _as_sent(_joined(url, fields["Location"]))
    there = _origin(target)
    if there is None:
        raise permanent(origin, "redirects to what is no address of a web server")
    if urlsplit(url).scheme == "https" and there.scheme == "http":
        raise permanent(origin, "redirects from https to http, where the file could be changed")
    if not _is_allowed(there, _origin(origin), allowed):
        place = f"{f'[{there.host}]' if ':' in there.host else there.host}:{there.port}"
        raise permanent(
            origin,
            f"redirects to the host {place!r}, to which it may not; if files are to be fetched from"
            f" there, set allowed_redirect_hosts=[{place!r}]",
        )
    if hops >= _MOST_HOPS:
        raise permanent(origin, f"redirects more than {_MOST_HOPS} times")
    return target


def _joined(url: str, location: str) -> str:
    """Return where a location leads, nothing if it can't be read."""
    try:
        return urljoin(url, location)
    except ValueError:  # brackets without an address
        return ""


def same_origin(url: str, other: str) -> bool:
    """Tell whether secrets that are meant for one may be sent to the other."""
    origin = _origin(url)
    return origin is not None and origin == _origin(other)


def _as_sent(url: str) -> str:
    r"""Return a URL as requests sends it, nothing if it can't.

    Parsers differ: of ``http://evil\\@lims2/`` some take the one for the host, some the other.
    What is looked at must be what is connected to.
    """
    prepared = requests.PreparedRequest()
    try:
        if urlsplit(url).port == 0:  # which requests would leave away
            return ""
        prepared.prepare_url(url, None)
    except (requests.RequestException, ValueError):
        return ""
    return prepared.url or ""


def _origin(url: str) -> _Origin | None:
    """Return who answers for a URL, None if it is no address of a web server."""
    try:
        parts = urlsplit(_as_sent(url))
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:  # a port that is none
        return None
    if parts.scheme not in _PORTS or not parts.hostname or not port:
        return None
    return _Origin(parts.scheme, parts.hostname, port)


def _is_allowed(there: _Origin, home: _Origin | None, allowed: Collection[str]) -> bool:
    """Tell whether a place is at home, also if it changes from http to https there, or named."""
    if home is not None and there.host == home.host:
        upgraded = (there.port, home.port) == (443, 80)
        if there.port == home.port or upgraded:
            return True
    for host in allowed:
        named = _origin(f"{there.scheme}://{host}")
        any_port = urlsplit(f"//{host}").port is None
        if named and named.host == there.host and (any_port or named.port == there.port):
            return True
    return False
