"""Artifacts, the bytes of well-known files: where they are, and how they are fetched."""

from ecephys_dal.artifacts.aio import AsyncArtifactClient, AsyncArtifactStream
from ecephys_dal.artifacts.client import ArtifactClient
from ecephys_dal.artifacts.locate import Route, route_of
from ecephys_dal.artifacts.settings import ArtifactSettings
from ecephys_dal.artifacts.stream import ArtifactStream

__all__ = [
    "ArtifactClient",
    "ArtifactSettings",
    "ArtifactStream",
    "AsyncArtifactClient",
    "AsyncArtifactStream",
    "Route",
    "route_of",
]
