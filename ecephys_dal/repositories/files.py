"""Well-known files: all of them, and the one in force for a session, probe or stimulus."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import case, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import joinedload, load_only
from typing_extensions import override

from ecephys_dal.filters import FileFilter, ProbeFileFilter, SessionFileFilter, TemplateFilter
from ecephys_dal.models import (
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysProbe,
    EcephysSession,
    Stimulus,
    StimulusNamespace,
    WellKnownFile,
    WellKnownFileType,
)
from ecephys_dal.repositories.base import Repository
from ecephys_dal.repositories.clauses import among, named
from ecephys_dal.repositories.reading import asked
from ecephys_dal.repositories.statement import made_when_read
from ecephys_dal.rules import RUN_IS_CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import ColumnElement, SelectBase

    from ecephys_dal.frames import FrameColumn
    from ecephys_dal.models import Base
    from ecephys_dal.repositories.clauses import Clauses

__all__ = [
    "ON_NO_OLDER_RUN",
    "FileRepository",
    "ProbeLfpRepository",
    "SessionNwbRepository",
    "TemplateRepository",
]

_COLUMNS = (
    WellKnownFile.id,
    WellKnownFile.attachable_type,
    WellKnownFile.attachable_id,
    WellKnownFile.storage_directory,
    WellKnownFile.filename,
    WellKnownFile.size,
    WellKnownFile.published_at,
)

# The options of records that are only to be located, so that LIMS may lack what else a file has.
_PLACE = (
    WellKnownFile.id,
    WellKnownFile.filename,
    WellKnownFile.storage_directory,
    WellKnownFile.size,
)
_FILE_TO_LOCATE = made_when_read(lambda: (load_only(*_PLACE, raiseload=True),))
_TEMPLATE_TO_LOCATE = made_when_read(
    lambda: (joinedload(Stimulus.well_known_file).load_only(*_PLACE, raiseload=True),)
)

# A clause over the tables of `FileRepository`. A run that is not known to be current is older.
ON_NO_OLDER_RUN = or_(EcephysAnalysisRun.id.is_(None), EcephysAnalysisRun.current.is_(True))


def _attached_to(owner: type[Base]) -> ColumnElement[int | None]:
    return case((WellKnownFile.attachable_type == owner.__name__, WellKnownFile.attachable_id))


class FileRepository(Repository[WellKnownFile, FileFilter]):
    """The well-known files, with whatever session, probe and analysis run each belongs to.

    The files of a session are those on itself, its probes, its analysis runs and the parts that
    probes have in these; the files of a probe or run are those on itself and on such parts. No
    rule hides a file.
    """

    model = WellKnownFile
    filter_type = FileFilter
    noun = "well-known file"
    to_locate = _FILE_TO_LOCATE
    # Each join is an equality with a primary key: one row a file, and never a scan a row.
    statement = (
        select(WellKnownFile)
        .outerjoin(WellKnownFile.type)
        .outerjoin(WellKnownFile.ecephys_session)
        .outerjoin(WellKnownFile.ecephys_analysis_run_probe)
        .outerjoin(
            EcephysProbe,
            EcephysProbe.id
            == func.coalesce(EcephysAnalysisRunProbe.ecephys_probe_id, _attached_to(EcephysProbe)),
        )
        .outerjoin(
            EcephysAnalysisRun,
            EcephysAnalysisRun.id
            == func.coalesce(
                EcephysAnalysisRunProbe.ecephys_analysis_run_id, _attached_to(EcephysAnalysisRun)
            ),
        )
    )
    columns = (
        WellKnownFile.id,
        WellKnownFile.attachable_type.label("owner"),
        WellKnownFile.attachable_id.label("owner_id"),
        WellKnownFileType.name.label("type"),
        WellKnownFile.filename.label("name"),
        WellKnownFile.size,
        EcephysAnalysisRun.id.label("run"),
        EcephysAnalysisRun.current.label("run_is_current"),
        func.coalesce(
            EcephysSession.id,
            EcephysAnalysisRun.ecephys_session_id,
            EcephysProbe.ecephys_session_id,
        ).label("ecephys_session_id"),
        EcephysProbe.id.label("ecephys_probe_id"),
        WellKnownFile.storage_directory,
        WellKnownFile.published_at,
    )

    @staticmethod
    def criteria(spec: FileFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(WellKnownFile.id, spec.file_ids)
        yield from _on_any(_of_sessions, spec.session_ids)
        yield from _on_any(_of_probes, spec.probe_ids)
        yield from _on_any(_of_runs, spec.run_ids)
        yield from named(WellKnownFileType.name, spec.types)
        yield from named(WellKnownFile.attachable_type, spec.owners)

    @asked
    def types(self) -> list[str]:
        """Return the names of all types of files, sorted; some are of no file."""
        query = select(WellKnownFileType.name).where(WellKnownFileType.name.is_not(None))
        with self._reader.connection() as connection:
            return sorted({*connection.execute(query).scalars()})

    @classmethod
    @override
    def _frame_columns(cls) -> tuple[FrameColumn, ...]:
        # An outer join may leave any column empty, whatever the column's own table says.
        key, *others = super()._frame_columns()
        return (key, *(replace(column, nullable=True) for column in others))


def _on_any(
    owners_of: Callable[[Iterable[int]], Iterator[SelectBase]], ids: Iterable[int] | None
) -> Clauses:
    """Keep the files that are attached to one of these owners; all if there is no condition.

    The owners are found first, and then their files by the index over both columns: LIMS has far
    more files than those of these experiments.
    """
    if ids is not None:
        owner = tuple_(WellKnownFile.attachable_id, WellKnownFile.attachable_type)
        yield owner.in_(union_all(*owners_of(ids)))


def _owners(owner: type[Base], *clauses: ColumnElement[bool]) -> SelectBase:
    return select(owner.id, literal(owner.__name__)).where(*clauses)


def _of_sessions(ids: Iterable[int]) -> Iterator[SelectBase]:
    yield _owners(EcephysSession, *among(EcephysSession.id, ids))
    yield _owners(EcephysProbe, *among(EcephysProbe.ecephys_session_id, ids))
    runs = tuple(among(EcephysAnalysisRun.ecephys_session_id, ids))
    yield _owners(EcephysAnalysisRun, *runs)
    yield _owners(EcephysAnalysisRunProbe, EcephysAnalysisRunProbe.run.has(*runs))


def _of_probes(ids: Iterable[int]) -> Iterator[SelectBase]:
    yield _owners(EcephysProbe, *among(EcephysProbe.id, ids))
    yield _owners(EcephysAnalysisRunProbe, *among(EcephysAnalysisRunProbe.ecephys_probe_id, ids))


def _of_runs(ids: Iterable[int]) -> Iterator[SelectBase]:
    yield _owners(EcephysAnalysisRun, *among(EcephysAnalysisRun.id, ids))
    yield _owners(
        EcephysAnalysisRunProbe, *among(EcephysAnalysisRunProbe.ecephys_analysis_run_id, ids)
    )


class SessionNwbRepository(Repository[WellKnownFile, SessionFileFilter]):
    """The NWB files of sessions: of type ``EcephysNwb``, on a current analysis run."""

    model = WellKnownFile
    filter_type = SessionFileFilter
    noun = "current NWB file"
    to_locate = _FILE_TO_LOCATE
    advice = "; has_nwb of get_sessions() says which sessions have one"
    statement = (
        select(WellKnownFile)
        .join(WellKnownFile.ecephys_analysis_run)
        .join(WellKnownFile.type)
        .where(WellKnownFileType.name == "EcephysNwb")
    )
    rules = (RUN_IS_CURRENT,)
    columns = _COLUMNS

    @staticmethod
    def criteria(spec: SessionFileFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysAnalysisRun.ecephys_session_id, spec.session_ids)


class ProbeLfpRepository(Repository[WellKnownFile, ProbeFileFilter]):
    """The LFP files of probes: the type's name holds ``EcephysLfpNwb``, the run is current."""

    model = WellKnownFile
    filter_type = ProbeFileFilter
    noun = "current LFP NWB file"
    to_locate = _FILE_TO_LOCATE
    advice = "; is it the id of a probe, and has_lfp_data of get_probes() true?"
    statement = (
        select(WellKnownFile)
        .join(WellKnownFile.ecephys_analysis_run_probe)
        .join(EcephysAnalysisRunProbe.run)
        .join(WellKnownFile.type)
        .where(WellKnownFileType.name.regexp_match("EcephysLfpNwb"))
    )
    rules = (RUN_IS_CURRENT,)
    columns = _COLUMNS

    @staticmethod
    def criteria(spec: ProbeFileFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from among(EcephysAnalysisRunProbe.ecephys_probe_id, spec.probe_ids)


class TemplateRepository(Repository[Stimulus, TemplateFilter]):
    """The stimulus templates that have a file, which each brings along."""

    model = Stimulus
    filter_type = TemplateFilter
    noun = "stimulus template"
    to_locate = _TEMPLATE_TO_LOCATE
    statement = select(Stimulus).join(Stimulus.namespace).join(Stimulus.well_known_file)
    load = made_when_read(lambda: (joinedload(Stimulus.well_known_file),))
    columns = (
        Stimulus.id,
        Stimulus.name,
        StimulusNamespace.name.label("namespace"),
        Stimulus.well_known_file_id,
        WellKnownFile.storage_directory,
        WellKnownFile.filename,
        WellKnownFile.size,
        WellKnownFile.published_at,
    )

    @staticmethod
    def criteria(spec: TemplateFilter) -> Clauses:
        """Yield the WHERE clauses that the fields of a filter mean."""
        yield from named(Stimulus.name, spec.names)
        yield from named(StimulusNamespace.name, spec.namespaces)
