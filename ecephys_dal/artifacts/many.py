"""Download many files at once, each with its own fate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ecephys_dal.artifacts.download import Download
from ecephys_dal.artifacts.locate import Artifact
from ecephys_dal.artifacts.progress import bar_of_all
from ecephys_dal.artifacts.report import DownloadReport
from ecephys_dal.errors import ArtifactError, ConfigurationError
from ecephys_dal.paths import absolute_path
from ecephys_dal.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ecephys_dal.artifacts.client import ArtifactClient
    from ecephys_dal.artifacts.interruption import Interruption

__all__ = ["base_of", "download_all"]

# What a name or a content that nobody thought of may make go wrong; any other error ends it all.
_OF_ONE_FILE = (ArtifactError, ValueError, ArithmeticError, MemoryError, RecursionError)


def download_all(
    client: ArtifactClient,
    wanted: Iterable[str] | Mapping[str, str | Path],
    folder: str | Path | None,
    interruption: Interruption,
    *,
    refresh: bool,
) -> list[DownloadReport]:
    """Fetch files in parallel, as `ArtifactClient.download_many` does."""
    targets = _targets(wanted, folder)
    with bar_of_all(client.settings, len(targets)) as bar:

        def fetch(artifact: Artifact, target: Path) -> DownloadReport:
            interruption.check()
            download = Download(client, artifact, target, interruption.child(), beside_others=True)
            try:
                return download.run(refresh=refresh)
            except _OF_ONE_FILE as error:
                url = client.url_of(artifact)
                return DownloadReport(path=target, url=url, error=_artifact_error(url, error))
            finally:
                bar.update()

        pool = ThreadPool(client.settings.max_parallel, "ecephys_dal-download")
        try:
            futures = [pool.submit(fetch, artifact, target) for artifact, target in targets]
            return [future.result() for future in futures]
        except BaseException:
            interruption.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _artifact_error(url: str, error: Exception) -> ArtifactError:
    """Return an error as it is if it is of a file, else one of a file that it causes."""
    if isinstance(error, ArtifactError):
        return error
    what = f"{type(error).__name__}: {str(error)[:200]}"
    caused = ArtifactError(f"{url} can't be downloaded ({what}); report it", url=url)
    caused.__cause__ = error
    return caused


def base_of(wanted: object, folder: str | Path | None) -> Path:
    """Return the folder of this moment that files go to, before they are looked at."""
    if isinstance(wanted, str):
        raise ConfigurationError(f"wanted={wanted!r} is one file; give a list of it")
    if folder is None and not isinstance(wanted, Mapping):
        raise ConfigurationError("folder is missing: name one, or give a mapping to paths")
    return absolute_path(folder or "")


def _targets(
    wanted: Iterable[str] | Mapping[str, str | Path], folder: str | Path | None
) -> list[tuple[Artifact, Path]]:
    """Say where each file goes."""
    base = base_of(wanted, folder)
    if isinstance(wanted, Mapping):
        targets = [(Artifact.of(one), absolute_path(path, base)) for one, path in wanted.items()]
    else:
        targets = [(one, base / _name(one)) for one in map(Artifact.of, wanted)]
    _check_distinct([path for _, path in targets])
    return targets


def _name(artifact: Artifact) -> str:
    name = artifact.local_name
    if name is None:
        raise ConfigurationError(f"{artifact!r} has no id to name it by; give a mapping to paths")
    return name


def _check_distinct(paths: list[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise ConfigurationError(f"two files would be written to {path}")
        seen.add(path)
