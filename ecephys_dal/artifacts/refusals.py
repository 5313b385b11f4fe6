"""Why an answer or a body is not taken: passing failures, and the errors that last."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.fields import retry_after
from ecephys_dal.errors import (
    ArtifactChangedError,
    ArtifactCorruptError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactTransferError,
)

if TYPE_CHECKING:
    from ecephys_dal.artifacts.fields import Fields

__all__ = ["Transient", "changed", "corrupt", "permanent", "refusal_of_status"]

_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})
_NOT_FOR_US = frozenset({401, 403, 404, 410})


class Transient(ArtifactTransferError):  # noqa: N818 - never leaves this package
    """A failure that may be gone at the next attempt.

    Attributes
    ----------
    retry_after : float or None
        Seconds that the server asks us to wait.
    too_slow : bool
        Bytes came, but so slowly that they do not count as progress.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str = "",
        received: int = 0,
        retry_after: float | None = None,
        too_slow: bool = False,
    ) -> None:
        super().__init__(message, url=url, received=received)
        self.retry_after = retry_after
        self.too_slow = too_slow


def changed(url: str, offset: int) -> ArtifactChangedError:
    """Return the error for a consumer that has bytes of a version that is no longer served."""
    return ArtifactChangedError(
        f"{url} changed, or can't be shown to be the same, after {offset} bytes were handed out,"
        " which can't be taken back; fetch it anew, or with download()",
        url=url,
        received=offset,
    )


def corrupt(url: str, what: str, expected: object, found: object) -> ArtifactCorruptError:
    """Return the error for bytes that are not the file."""
    return ArtifactCorruptError(
        f"{url} has the wrong {what}: expected {expected}, found {found!r}",
        url=url,
        expected=expected,
        found=found,
    )


def permanent(url: str, what: str, received: int = 0) -> ArtifactTransferError:
    """Return the error for what another attempt would not change."""
    return ArtifactTransferError(f"{url} {what}", url=url, received=received)


def refusal_of_status(
    url: str, status: int, reason: str, fields: Fields, received: int = 0
) -> ArtifactError:
    """Return the error for a status that brings no bytes of the file."""
    answered = f"answered {status} {reason}".rstrip()
    if status in _NOT_FOR_US:
        return ArtifactNotFoundError(
            f"{url} {answered}: there is no such file there, or not for us", url=url
        )
    if status in _WORTH_ANOTHER_TRY:
        wait = retry_after(fields, dt.datetime.now(dt.timezone.utc))
        return Transient(f"{url} {answered}", url=url, received=received, retry_after=wait)
    return permanent(url, f"{answered}, not 200", received)
