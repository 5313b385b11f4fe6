"""AllenSDK's own classes, imported without the warnings of what they depend on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from sqlalchemy import URL, make_url

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from allensdk.brain_observatory.ecephys.ecephys_project_api import (
        EcephysProjectApi,
        EcephysProjectLimsApi,
    )
    from allensdk.brain_observatory.ecephys.ecephys_project_api.http_engine import (
        AsyncHttpEngine,
        HttpEngine,
        write_bytes_from_coroutine,
        write_from_stream,
    )
    from allensdk.brain_observatory.ecephys.ecephys_project_cache import EcephysProjectCache
    from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession
    from allensdk.brain_observatory.ecephys.ecephys_session_api import EcephysNwbSessionApi
    from allensdk.core.authentication import (
        DbCredentials,
        EnvCredentialProvider,
        get_credential_provider,
        set_credential_provider,
    )

__all__ = [
    "ALLENSDK",
    "AsyncHttpEngine",
    "DbCredentials",
    "EcephysNwbSessionApi",
    "EcephysProjectApi",
    "EcephysProjectCache",
    "EcephysProjectLimsApi",
    "EcephysSession",
    "HttpEngine",
    "credentials_of",
    "environment_read_again",
    "write_bytes_from_coroutine",
    "write_from_stream",
]

ALLENSDK = f"AllenSDK {version('allensdk')}"


def credentials_of(url: str) -> Any:
    """Return AllenSDK's credentials for the PostgreSQL database at this SQLAlchemy URL."""
    parts: URL = make_url(url)
    # A server that listens on a socket has the socket's folder for a host.
    host = parts.host or parts.query["host"]
    return DbCredentials(
        dbname=parts.database,
        user=parts.username,
        host=host,
        port=parts.port or 5432,
        password=parts.password or "",
    )


@contextmanager
def environment_read_again() -> Iterator[None]:
    """Let AllenSDK see the environment as it is now; else it read it at import."""
    before = get_credential_provider()
    set_credential_provider(EnvCredentialProvider())
    try:
        yield
    finally:
        set_credential_provider(before)
