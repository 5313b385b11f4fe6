"""Where a redirection may lead, and what may travel there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ecephys_dal.artifacts.refusals import permanent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_redirect", "next_url", "same_origin"]

_STATUSES = frozenset({301, 302, 303, 307, 308})
_MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}


def is_redirect(status: int, fields: Mapping[str, str]) -> bool:
    """Tell whether an answer says that the file is elsewhere."""
    return status in _STATUSES and "Location" in fields


def next_url(origin: str, url: str, fields: Mapping[str, str], hops: int) -> str:
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

    Returns
    -------
    str

    Raises
    ------
    ArtifactTransferError
        If there were too many, or it leads nowhere or away from https.
    """
    try:
        target = urljoin(url, fields["Location"])
        parts = urlsplit(target)
        known = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is none
        known = False
    if not known:
        raise permanent(origin, "redirects to what is no address of a web server")
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        raise permanent(origin, "redirects from https to http, where the file could be changed")
    if hops >= _MOST_HOPS:
        raise permanent(origin, f"redirects more than {_MOST_HOPS} times")
    return target


def same_origin(url: str, other: str) -> bool:
    """Tell whether secrets that are meant for one may be sent to the other."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
