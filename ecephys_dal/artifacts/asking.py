"""One request to the web application, and the question whether it has a file."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from tenacity import retry, retry_if_exception, stop_after_attempt
from urllib3.exceptions import HTTPError

from ecephys_dal.artifacts.interruption import Interruption, KeptWaiting
from ecephys_dal.artifacts.redirects import Redirections, same_origin
from ecephys_dal.errors import ArtifactTransferError
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from ecephys_dal.artifacts.settings import ArtifactSettings

__all__ = ["answer_of", "answers_for", "longest_wait", "request"]

_NO_HEAD = frozenset({405, 501})


def longest_wait(settings: ArtifactSettings) -> float:
    """Return the seconds that any wait may take as a whole: more than the socket's own limit."""
    return 1.5 * settings.read_timeout


def request(
    http: requests.Session,
    settings: ArtifactSettings,
    method: str,
    way: Redirections,
    wanted: dict[str, str],
    *,
    interruption: Interruption,
    longest: float = math.inf,
) -> requests.Response:
    """Make one request; what may be secret goes to the origin only.

    Parameters
    ----------
    http : requests.Session
        The connections.
    settings : ArtifactSettings
        How to ask.
    method : str
        How to ask.
    way : Redirections
        What to ask for.
    wanted : dict of str to str
        Header fields of ours.
    interruption : Interruption
        Ends it from another thread.
    longest : float
        Seconds after which to wait for the server no more, if no setting says fewer.

    Returns
    -------
    requests.Response
        Whose body was not read.
    """
    at_home = same_origin(way.url, way.origin)
    agent = settings.user_agent or f"ecephys_dal/{__version__}"
    own = (settings.current("headers") or {}) if at_home else {}
    auth = settings.current("auth") if at_home else None
    longest = max(longest, 0.001)  # for 0 is refused
    limits = min(settings.connect_timeout, longest), min(settings.read_timeout, longest)
    with interruption.waiting(min(longest_wait(settings), longest), connecting=limits[0]):
        return http.request(
            method,
            way.url,
            headers={**own, "User-Agent": agent, **wanted},
            cookies=way.cookies,
            auth=_unchanged if "authorization" in map(str.lower, own) else _encoded(auth),
            verify=settings.verify,
            proxies=dict(settings.current("proxies") or {}),  # to which requests adds its own
            timeout=limits,
            stream=True,
            allow_redirects=False,
        )


def _encoded(auth: tuple[str, str] | None) -> Any:
    return _unchanged if auth is None else (auth[0].encode(), auth[1].encode())  # RFC 7617


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no credentials: without an ``auth``, requests takes those of ~/.netrc or of the URL."""
    return request


def answers_for(http: requests.Session, settings: ArtifactSettings, url: str) -> bool:
    """Tell whether the web application has a file for us; its bytes are not fetched.

    Raises
    ------
    requests.ConnectionError
        If it can't be reached.
    """
    try:
        return answer_of(http, settings, url).status_code == 200
    except requests.ConnectionError:
        raise
    except (requests.RequestException, HTTPError, ValueError, ArtifactTransferError, KeptWaiting):
        return False


def answer_of(
    http: requests.Session,
    settings: ArtifactSettings,
    url: str,
    method: str = "HEAD",
    *,
    wanted: dict[str, str] | None = None,
    longest: float = math.inf,
) -> requests.Response:
    """Return the answer of the web application about a file, without its bytes.

    Parameters
    ----------
    http, settings, longest
        As for `request`.
    url : str
        The file.
    method : {"HEAD", "GET"}
        How to ask; a server that does not know HEAD is asked by GET.
    wanted : dict of str to str, optional
        Header fields of ours.

    Returns
    -------
    requests.Response
        That of where redirections lead; it is closed.
    """
    interruption, wanted = Interruption(), wanted or {}
    once = partial(request, http, settings, interruption=interruption, longest=longest)
    # A connection that was kept may have been closed meanwhile, which only its use shows.
    ask = retry(retry=retry_if_exception(_was_closed), stop=stop_after_attempt(2), reraise=True)(
        once
    )
    way = Redirections(url, settings.allowed_redirect_hosts)
    try:
        while True:
            response = ask(method, way, wanted)
            if method == "HEAD":
                response.raw.drain_conn()  # of nothing, but only then is it used again
            if method == "HEAD" and response.status_code in _NO_HEAD:
                response.close()
                response = ask("GET", way, wanted)
            response.close()
            if not way.follow(response):
                return response
    finally:
        interruption.forget()


def _was_closed(error: BaseException) -> bool:
    return isinstance(error, requests.ConnectionError) and not isinstance(error, requests.Timeout)
