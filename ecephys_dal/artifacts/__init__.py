"""Artifacts, the bytes of well-known files: where they are, and how they are fetched.

The decisions of a transfer are in `transfer` (with `body`, `fields`, `inspection`, `patience`,
`redirects` and `version`), without I/O. `fetch` drives one by blocking requests. `download` (with
`landing`, `partial`, `local` and `manifest`) puts a file in its place, `stream` hands it out,
`reader` reads parts of it. `client` and `aio` are the blocking and the asynchronous face.
"""

from ecephys_dal.artifacts.aio import AsyncArtifactClient, AsyncArtifactStream
from ecephys_dal.artifacts.checking import verify
from ecephys_dal.artifacts.client import ArtifactClient
from ecephys_dal.artifacts.locate import Artifact, locate
from ecephys_dal.artifacts.report import DownloadReport
from ecephys_dal.artifacts.settings import ArtifactSettings
from ecephys_dal.artifacts.stream import ArtifactStream

__all__ = [
    "Artifact",
    "ArtifactClient",
    "ArtifactSettings",
    "ArtifactStream",
    "AsyncArtifactClient",
    "AsyncArtifactStream",
    "DownloadReport",
    "locate",
    "verify",
]
