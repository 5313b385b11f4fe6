"""Which files there are, and where: what the facade has beyond AllenSDK's interface."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ecephys_dal import repositories
from ecephys_dal.database import is_in_memory
from ecephys_dal.errors import ConfigurationError, InvalidFilterError, suggestion
from ecephys_dal.filters import FileFilter, checked_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pandas import DataFrame

    from ecephys_dal.artifacts import Artifact
    from ecephys_dal.database import Database
    from ecephys_dal.filters import Ids, Names
    from ecephys_dal.models import Stimulus, WellKnownFile

__all__ = ["FileMethods", "NoClient", "located"]

T = TypeVar("T")


class NoClient:
    """Stands where no client was given: what would fetch a file says how to give one."""

    def stream(self, *_: object, **__: object) -> NoReturn:
        """Raise, because nothing is known of the web application."""
        raise ConfigurationError(
            "no client was given that fetches files; give one with the host of the web application:"
            " EcephysProjectLimsApi(..., ArtifactClient(ArtifactSettings(host='lims2')))"
        )

    download = download_many = open_artifact = write_bytes = fetch = path_of = url_of = stream

    def close(self) -> None:
        """There is nothing to close."""

    def __repr__(self) -> str:
        return "no client"


class FileMethods:
    """List well-known files, find those of a type, and fetch any of them.

    Where the client is asynchronous and an event loop runs, `list_files` and `locate` are to be
    awaited: a thread asks the database meanwhile. Elsewhere they answer at once.
    """

    postgres_engine: Database
    app_engine: Any

    def _stream(self, find: Callable[[], Artifact]) -> Iterable[bytes]:
        """Fetch what a query finds; an asynchronous client asks when the stream is read."""
        stream: Iterable[bytes] = self.app_engine.stream(find if self._asks_in_threads else find())
        return stream

    def _answer(self, query: Callable[[], T]) -> T:
        """Return what a query gives, to be awaited where an event loop would wait for it."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return query()
        answer: T = self.app_engine.await_query(query) if self._asks_in_threads else query()
        return answer

    @property
    def _asks_in_threads(self) -> bool:
        # Another thread would have another database in memory, for which nobody waits either.
        is_asynchronous = hasattr(self.app_engine, "await_query")
        return is_asynchronous and not is_in_memory(self.postgres_engine.url)

    def list_files(  # noqa: PLR0913 - one record or many, of each kind
        self,
        file_ids: Ids = None,
        session_ids: Ids = None,
        probe_ids: Ids = None,
        run_ids: Ids = None,
        types: Names = None,
        *,
        session_id: int | None = None,
        probe_id: int | None = None,
        run_id: int | None = None,
        check: bool = True,
    ) -> DataFrame:
        """Return the records of well-known files; no rule hides any.

        Parameters
        ----------
        file_ids : collection of int, optional
            Only these files.
        session_ids, probe_ids, run_ids : collection of int, optional
            Only files of these sessions, probes or analysis runs: on themselves and on what
            belongs to them.
        types : collection of str, optional
            Only files of these types, by LIMS' names, as ``EcephysSortedSpikeTimes``.
        session_id, probe_id, run_id : int, optional
            The same for one record.
        check : bool
            Find out which files can be reached. That takes a request for each that is not visible
            on a mounted file system, so switch it off to list very many.

        Returns
        -------
        DataFrame, shape (n_files, 12)
            Indexed by ``id``, ascending.

            - owner : string. The model of what it is attached to, as ``EcephysAnalysisRun``.
            - owner_id : float64. The id of what it is attached to.
            - type : string.
            - name : string. The file's name.
            - size : float64, bytes. As LIMS has it.
            - run : float64. The analysis run that it is of, itself or by way of a probe's part.
            - run_is_current : boolean. That run is in force; NA without one.
            - ecephys_session_id : float64. The session that it is of.
            - ecephys_probe_id : float64. The probe that it is of.
            - storage_directory : string. On the institute's file system.
            - published_at : datetime64[ns].
            - reachable : boolean. It is visible on a mounted file system, or the web application
              answers for it; NA if that was not checked, or no client was given.

            To be awaited where the client is asynchronous and an event loop runs.

        Raises
        ------
        InvalidFilterError
            If an argument can't be meant, or one kind of record is named in two ways.

        Notes
        -----
        From well_known_files, well_known_file_types, ecephys_sessions, ecephys_probes,
        ecephys_analysis_runs and ecephys_analysis_run_probes. AllenSDK has no such method.
        """
        spec = FileFilter(
            file_ids=file_ids,
            session_ids=_one_or_many("session_id", session_id, session_ids),
            probe_ids=_one_or_many("probe_id", probe_id, probe_ids),
            run_ids=_one_or_many("run_id", run_id, run_ids),
            types=types,
        )
        ask = getattr(self.app_engine, "reachable", None) if check else None

        def listed() -> DataFrame:
            files = repositories.FileRepository(self.postgres_engine).frame(spec)
            answers: Sequence[bool | None] = ask(_listed(files)) if ask else [None] * len(files)
            return _with_reachable(files, answers)

        return self._answer(listed)

    def locate(
        self,
        *,
        session_id: int | None = None,
        probe_id: int | None = None,
        run_id: int | None = None,
        type: str,  # noqa: A002 - as LIMS calls it
        current: bool = True,
    ) -> list[Artifact]:
        """Return the files of one type that a session, probe or analysis run has.

        Parameters
        ----------
        session_id, probe_id, run_id : int, optional
            Of this record, as for `list_files`: one of them at least; of all that are given.
        type : str
            LIMS' name of the type, as ``EcephysStimulusTable`` or ``EcephysRigSync``.
        current : bool
            Leave out those on an analysis run that is not in force.

        Returns
        -------
        list of Artifact, length n_files
            Ascending by id. Each is a route, for ``stream``, ``download`` and ``download_many``
            of an `ArtifactClient`. To be awaited where the client is asynchronous and an event loop
            runs.

        Raises
        ------
        InvalidFilterError
            If no record is named, or there is no such type; the nearest one is named.
        """
        if session_id is probe_id is run_id is None:
            raise InvalidFilterError("name a record: give a session_id, probe_id or run_id")
        spec = FileFilter(
            session_ids=_one_or_many("session_id", session_id),
            probe_ids=_one_or_many("probe_id", probe_id),
            run_ids=_one_or_many("run_id", run_id),
            types=[type],
        )

        def found() -> list[Artifact]:
            repository = repositories.FileRepository(self.postgres_engine)
            where = repositories.ON_NO_OLDER_RUN if current else ()
            records = repository.entities(spec, where=where, options=repository.to_locate)
            if not records:
                _check_type(type, repository.types())
            return [located(record) for record in records]

        return self._answer(found)

    def get_file(self, file_id: int) -> Iterable[bytes]:
        """Return any well-known file, as a stream of its bytes.

        Parameters
        ----------
        file_id : int
            An id of `list_files`.

        Returns
        -------
        iterable of bytes
            As of `get_session_data`.

        Raises
        ------
        RecordNotFoundError
            If there is no such record; of an asynchronous client, when the stream is read.
        """
        wanted = checked_id("file_id", file_id)

        def find() -> Artifact:
            files = repositories.FileRepository(self.postgres_engine)
            return located(files.get(wanted, options=files.to_locate))

        return self._stream(find)


def located(record: WellKnownFile | Stimulus) -> Artifact:
    """Return the file that a record is of."""
    from ecephys_dal.artifacts import locate  # noqa: PLC0415 - requests takes its time

    return locate(record)


def _one_or_many(name: str, one: int | None, many: Ids = None) -> Ids:
    if one is None:
        return many
    if many is not None:
        raise InvalidFilterError(f"both {name} and {name}s are given; give one of them")
    return [checked_id(name, one)]


def _listed(files: DataFrame) -> list[Artifact]:
    """Return the files of a table, without asking the database again."""
    from ecephys_dal.models import WellKnownFile  # noqa: PLC0415 - so does SQLAlchemy's ORM

    columns = (files[name] for name in ("name", "storage_directory", "size"))
    return [
        located(
            WellKnownFile(
                id=int(file_id),
                filename=_stored(name),
                storage_directory=_stored(folder),
                size=None if _stored(size) is None else int(size),
            )
        )
        for file_id, name, folder, size in zip(files.index, *columns, strict=True)
    ]


def _with_reachable(files: DataFrame, answers: Sequence[bool | None]) -> DataFrame:
    from ecephys_dal.frames import FrameColumn  # noqa: PLC0415 - so does Arrow

    listed: DataFrame = files.assign(reachable=FrameColumn("reachable", bool).array(answers))
    return listed


def _stored(value: Any) -> Any:
    return None if value != value else value  # noqa: PLR0124 - only NaN does not equal itself


def _check_type(name: str, known: Sequence[str]) -> None:
    if known and name not in known:
        raise InvalidFilterError(
            f"no well-known file is of type {name!r}; {suggestion(name, known)}"
        )
