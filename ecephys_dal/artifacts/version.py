"""Which content of a file an answer has."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNKNOWN", "Version"]


@dataclass(frozen=True)
class Version:
    """Which content of a file: parts may be put together only if both are of one version.

    Parameters
    ----------
    etag : str, optional
        The strong validator; without one no two answers can be told to be of one version.
    total : int, optional
        Bytes of the whole.
    """

    etag: str | None = None
    total: int | None = None

    def is_of(self, other: Version) -> bool:
        """Tell whether it is shown to be the same version."""
        return self.etag is not None and self.etag == other.etag and self.agrees(other)

    def agrees(self, other: Version) -> bool:
        """Tell whether the sizes allow that it is the same version."""
        return None in (self.total, other.total) or self.total == other.total


UNKNOWN = Version()
