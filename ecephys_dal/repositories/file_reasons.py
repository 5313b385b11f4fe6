"""Why a session has no NWB file, a probe no LFP file, a stimulus no template, a unit no metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecephys_dal.filters import (
    AnalysisRunFilter,
    FileFilter,
    ProbeFileFilter,
    SessionFileFilter,
    TemplateFilter,
    UnitMetricFilter,
)
from ecephys_dal.models import Stimulus
from ecephys_dal.repositories.clauses import named
from ecephys_dal.repositories.files import (
    FileRepository,
    ProbeLfpRepository,
    SessionNwbRepository,
    TemplateRepository,
)
from ecephys_dal.repositories.runs import AnalysisRunRepository
from ecephys_dal.repositories.why import WhyOne, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecephys_dal.repositories.base import Repository
    from ecephys_dal.repositories.units import UnitMetricRepository
    from ecephys_dal.repositories.why import Why

__all__ = ["why_probe_lfp", "why_session_nwb", "why_template", "why_unit_metrics"]


def why_session_nwb(repository: SessionNwbRepository, session_id: int) -> WhyOne:
    """Tell which files and runs a session has, and which of them is its NWB file in force."""
    spec = SessionFileFilter(session_ids=[session_id])
    return _answer(repository, spec, session_ids=[session_id])


def why_probe_lfp(repository: ProbeLfpRepository, probe_id: int) -> WhyOne:
    """Tell which files and runs a probe has, and which of them is its LFP file in force."""
    return _answer(repository, ProbeFileFilter(probe_ids=[probe_id]), probe_ids=[probe_id])


def why_template(repository: TemplateRepository, name: str, namespace: str) -> WhyOne:
    """Tell which stimuli of a name there are, and which of them has the template."""
    spec = TemplateFilter(names=[name], namespaces=[namespace])
    candidates = repository.why_where(tuple(named(Stimulus.name, [name])), spec)
    ids = [one.parents["well_known_files"] for one in candidates]
    files = _rows(FileRepository(repository.db), FileFilter(file_ids=[i for i in ids if i]))
    hiding = _hiding(repository, candidates)
    return WhyOne(_wanted(repository, spec), _nearest(candidates), files=files, hiding=hiding)


def why_unit_metrics(repository: UnitMetricRepository, unit_id: int) -> WhyOne:
    """Tell which metric bundles a unit has, of which runs, and which of them is in force."""
    spec = UnitMetricFilter(unit_ids=[unit_id])
    candidates = repository.why_where(tuple(repository.criteria(spec)), spec)
    ids = [run for one in candidates if (run := one.parents["ecephys_analysis_runs"])]
    runs = _rows(AnalysisRunRepository(repository.db), AnalysisRunFilter(run_ids=ids))
    hiding = _hiding(repository, candidates)
    return WhyOne(_wanted(repository, spec), _nearest(candidates), runs, hiding=hiding)


def _answer(repository: Repository[Any, Any], spec: Any, **owner: Any) -> WhyOne:
    runs = _rows(AnalysisRunRepository(repository.db), AnalysisRunFilter(**owner))
    files = _rows(FileRepository(repository.db), FileFilter(**owner))
    candidates = repository.why_each((file["id"] for file in files), spec)
    hiding = _hiding(repository, candidates)
    return WhyOne(_wanted(repository, spec), _nearest(candidates), runs, files, hiding=hiding)


def _hiding(repository: Repository[Any, Any], candidates: Iterable[Why]) -> str:
    """Return what may hide the record that is wanted, if none of the candidates is it."""
    return "" if any(one.visible for one in candidates) else told(repository.what_hides_rows())


def _wanted(repository: Repository[Any, Any], spec: Any) -> str:
    return f"{repository.noun} for {spec.described()}"


def _nearest(candidates: Iterable[Why]) -> tuple[Why, ...]:
    return tuple(sorted(candidates, key=lambda one: len(one.hidden_by)))


def _rows(repository: Repository[Any, Any], spec: Any) -> tuple[dict[str, Any], ...]:
    """Return a table as rows of Python's own values, None where one is missing."""
    frame = repository.frame(spec, dtype_backend="numpy_nullable").reset_index()
    return tuple(frame.astype(object).where(frame.notna(), None).to_dict("records"))
