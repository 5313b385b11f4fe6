"""Analysis code's interface, answered by LIMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from typing_extensions import override

from ecephys_dal import repositories, snapshot
from ecephys_dal.config import DatabaseSettings, DbCredentials
from ecephys_dal.database import Database
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.facade.files import FileMethods, NoClient, located
from ecephys_dal.facade.glance import GlanceMethods
from ecephys_dal.facade.interface import EcephysProjectApi
from ecephys_dal.facade.reasons import ReasonMethods, checked_rules
from ecephys_dal.filters import (
    ChannelFilter,
    Filter,
    IsiExperimentFilter,
    ProbeFileFilter,
    ProbeFilter,
    SessionFileFilter,
    SessionFilter,
    TemplateFilter,
    UnitFilter,
    UnitMetricFilter,
    checked_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pandas import DataFrame
    from sqlalchemy import URL, Engine
    from typing_extensions import Self

    from ecephys_dal.artifacts import Artifact
    from ecephys_dal.filters import Day, Ids, Names
    from ecephys_dal.repositories import Repository

__all__ = ["EcephysProjectLimsApi", "Streams"]

F = TypeVar("F", bound=Filter)


class Streams(Protocol):
    """Anything that fetches a file of the web application."""

    def stream(self, route: str) -> Iterable[bytes]:
        """Return the bytes of the file at this path of the web application."""


class EcephysProjectLimsApi(FileMethods, ReasonMethods, GlanceMethods, EcephysProjectApi):
    """The tables and files of LIMS, as AllenSDK's class of this name gives them.

    Parameters
    ----------
    postgres_engine : Database, Engine, URL or str
        Where the tables are; only read.
    app_engine : object with ``stream(route)``, optional
        Fetches files, such as an `ArtifactClient`. Without it, only what fetches one is refused.
    without_rules : collection of str
        Names of visibility rules that shall hide nothing, as `ecephys_dal.rules` lists them.

    Notes
    -----
    `default` makes one from credentials. ``with`` closes the connections. A pickle works in
    another process, and holds no password: that is read from LIMS_PASSWORD there.
    """

    STIMULUS_TEMPLATE_NAMESPACE: ClassVar[str] = "brain_observatory_1.1"

    def __init__(
        self,
        postgres_engine: Database | Engine | URL | str,
        app_engine: Streams | None = None,
        *,
        without_rules: Names = None,
    ) -> None:
        if app_engine is not None and not callable(getattr(app_engine, "stream", None)):
            raise ConfigurationError(
                f"app_engine, a {type(app_engine).__name__}, has no stream(route);"
                " give an ArtifactClient"
            )
        self.postgres_engine: Database = snapshot.database_of(postgres_engine)
        self.app_engine: Any = NoClient() if app_engine is None else app_engine
        self.without_rules = checked_rules(without_rules)

    @classmethod
    def default(
        cls,
        lims_credentials: object | None = None,
        app_kwargs: Mapping[str, Any] | None = None,
        asynchronous: bool = False,
        *,
        without_rules: Names = None,
        progress: bool | None = None,
    ) -> Self:
        """Connect to LIMS at the Allen Institute.

        Parameters
        ----------
        lims_credentials : object, optional
            With dbname, user, host, port and password: a `DbCredentials` or AllenSDK's. Without
            it LIMS_DBNAME, LIMS_USER, LIMS_HOST, LIMS_PORT (5432) and LIMS_PASSWORD are read.
        app_kwargs : mapping, optional
            Settings of the web application, as in `ArtifactSettings`; scheme ``http`` and host
            ``lims2`` unless told.
        asynchronous : bool
            Fetch files, and look them up, without blocking the event loop.
        without_rules : collection of str
            Names of visibility rules that shall hide nothing, as `ecephys_dal.rules` lists them.
        progress : bool, optional
            Show bars on stderr, for long reads and for files, as `DatabaseSettings` and
            `ArtifactSettings` have it; what they say without it.

        Returns
        -------
        EcephysProjectLimsApi

        Raises
        ------
        ConfigurationError
            If a credential is missing or a setting is unknown or wrong; it is named.
        TypeError
            If ``asynchronous`` is among ``app_kwargs``.
        """
        from ecephys_dal import artifacts  # noqa: PLC0415 - requests takes its time

        if app_kwargs is not None and "asynchronous" in app_kwargs:
            raise TypeError("asynchronous is an argument of default(), not one of app_kwargs")
        credentials = (
            DbCredentials.from_env()
            if lims_credentials is None
            else DbCredentials.of(lims_credentials)
        )
        client = artifacts.AsyncArtifactClient if asynchronous else artifacts.ArtifactClient
        told = _told(progress)
        return cls(
            Database.from_credentials(credentials, settings=DatabaseSettings.from_env(**told)),
            client(artifacts.ArtifactSettings.of({**told, **(app_kwargs or {})})),
            without_rules=without_rules,
        )

    @classmethod
    def from_snapshot(
        cls,
        path: str | Path,
        *,
        artifacts: str | Path | Streams | None = None,
        without_rules: Names = None,
        progress: bool | None = None,
    ) -> Self:
        """Open a snapshot, which answers as the LIMS that it was made of, without a network.

        Parameters
        ----------
        path : str or Path
            Of the snapshot, as `ecephys_dal.snapshot.create` made it.
        artifacts : str, Path or object with ``stream(route)``, optional
            The folder of the files that were fetched, ``<path>.artifacts`` without it; or what
            fetches them now, such as an `ArtifactClient`.
        without_rules : collection of str
            Names of visibility rules that shall hide nothing; rows that they hid when the snapshot
            was made are not there.
        progress : bool, optional
            As for `default`.

        Returns
        -------
        EcephysProjectLimsApi

        Raises
        ------
        DatabaseUnavailableError
            If there is no such file.
        ConfigurationError
            If it is no snapshot, or of a format version that can't be read.
        """
        files: Any = artifacts
        if not callable(getattr(files, "stream", None)):
            files = snapshot.SnapshotFiles(files or snapshot.folder_of(path))
        settings = DatabaseSettings.from_env(**_told(progress))
        database = snapshot.SnapshotDatabase(path, settings=settings)
        return cls(database, files, without_rules=without_rules)

    def close(self) -> None:
        """Close the connections to the database and to the web application."""
        self.postgres_engine.close()
        close_app_engine = getattr(self.app_engine, "close", None)
        if close_app_engine is not None:
            close_app_engine()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        without = f", without_rules={sorted(self.without_rules)}" if self.without_rules else ""
        return f"{type(self).__name__}({self.postgres_engine!r}, {self.app_engine!r}{without})"

    @override
    def get_sessions(self, session_ids: Ids = None, published_at: Day = None) -> DataFrame:
        spec = SessionFilter(session_ids=session_ids, published_at=published_at)
        return self._asking(repositories.SessionRepository).frame(spec)

    @override
    def get_probes(
        self, probe_ids: Ids = None, session_ids: Ids = None, published_at: Day = None
    ) -> DataFrame:
        spec = ProbeFilter(probe_ids=probe_ids, session_ids=session_ids, published_at=published_at)
        return self._asking(repositories.ProbeRepository).frame(spec)

    @override
    def get_channels(
        self,
        channel_ids: Ids = None,
        probe_ids: Ids = None,
        session_ids: Ids = None,
        published_at: Day = None,
    ) -> DataFrame:
        spec = ChannelFilter(
            channel_ids=channel_ids,
            probe_ids=probe_ids,
            session_ids=session_ids,
            published_at=published_at,
        )
        return self._asking(repositories.ChannelRepository).frame(spec)

    @override
    def get_units(
        self,
        unit_ids: Ids = None,
        channel_ids: Ids = None,
        probe_ids: Ids = None,
        session_ids: Ids = None,
        published_at: Day = None,
    ) -> DataFrame:
        spec = UnitFilter(
            unit_ids=unit_ids,
            channel_ids=channel_ids,
            probe_ids=probe_ids,
            session_ids=session_ids,
            published_at=published_at,
        )
        return self._asking(repositories.UnitRepository).frame(spec)

    @override
    def get_unit_analysis_metrics(
        self,
        unit_ids: Ids = None,
        ecephys_session_ids: Ids = None,
        session_types: Names = None,
        *,
        session_ids: Ids = None,
    ) -> DataFrame:
        fields = {
            "unit_ids": unit_ids,
            "ecephys_session_ids": ecephys_session_ids,
            "session_types": session_types,
            "session_ids": session_ids,
        }
        spec = UnitMetricFilter.from_dict(fields, limit=None)
        return self._asking(repositories.UnitMetricRepository).frame(spec)

    @override
    def get_isi_experiments(
        self, isi_experiment_ids: Ids = None, session_ids: Ids = None
    ) -> DataFrame:
        spec = IsiExperimentFilter(isi_experiment_ids=isi_experiment_ids, session_ids=session_ids)
        return self._asking(repositories.IsiExperimentRepository).frame(spec)

    @override
    def get_session_data(self, session_id: int) -> Iterable[bytes]:
        spec = SessionFileFilter(session_ids=[checked_id("session_id", session_id)])
        return self._one_file(lambda: repositories.SessionNwbRepository, spec)

    @override
    def get_probe_lfp_data(self, probe_id: int) -> Iterable[bytes]:
        spec = ProbeFileFilter(probe_ids=[checked_id("probe_id", probe_id)])
        return self._one_file(lambda: repositories.ProbeLfpRepository, spec)

    @override
    def get_natural_movie_template(self, number: int) -> Iterable[bytes]:
        return self._get_template(f"natural_movie_{checked_id('number', number)}")

    @override
    def get_natural_scene_template(self, number: int) -> Iterable[bytes]:
        return self._get_template(f"natural_scene_{checked_id('number', number)}")

    def _get_template(self, name: str) -> Iterable[bytes]:
        spec = TemplateFilter(names=[name], namespaces=[self.STIMULUS_TEMPLATE_NAMESPACE])
        return self._one_file(lambda: repositories.TemplateRepository, spec)

    def _one_file(
        self, repository: Callable[[], type[Repository[Any, F]]], spec: F
    ) -> Iterable[bytes]:
        """Fetch the file of the one record that there must be."""

        def find() -> Artifact:
            asking = self._asking(repository())
            return located(asking.one(spec, options=asking.to_locate))

        return self._stream(find)


def _told(progress: bool | None) -> dict[str, bool]:
    return {} if progress is None else {"progress": progress}
