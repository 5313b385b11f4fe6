"""The filter specs, one a table."""

from __future__ import annotations

from dataclasses import dataclass

from ecephys_dal.filters.base import Filter, also_named
from ecephys_dal.filters.fields import Day, Ids, Names

__all__ = [
    "AnalysisRunFilter",
    "ChannelFilter",
    "FileFilter",
    "IsiExperimentFilter",
    "ProbeFileFilter",
    "ProbeFilter",
    "SessionFileFilter",
    "SessionFilter",
    "TemplateFilter",
    "UnitFilter",
    "UnitMetricFilter",
]


@dataclass(frozen=True, kw_only=True, repr=False)
class SessionFilter(Filter):
    """Which sessions.

    Parameters
    ----------
    session_ids : collection of int, optional
        Only these sessions.
    published_at : str or date, optional
        Only what belongs to sessions published on that day at the latest.
    """

    session_ids: Ids = None
    published_at: Day = None


@dataclass(frozen=True, kw_only=True, repr=False)
class ProbeFilter(Filter):
    """Which probes.

    Parameters
    ----------
    probe_ids : collection of int, optional
        Only these probes.
    session_ids : collection of int, optional
        Only probes of these sessions.
    published_at : str or date, optional
        Only what belongs to sessions published on that day at the latest.
    """

    probe_ids: Ids = None
    session_ids: Ids = None
    published_at: Day = None


@dataclass(frozen=True, kw_only=True, repr=False)
class ChannelFilter(Filter):
    """Which channels.

    Parameters
    ----------
    channel_ids : collection of int, optional
        Only these channels.
    probe_ids, session_ids : collection of int, optional
        Only channels of these probes or sessions.
    published_at : str or date, optional
        Only what belongs to sessions published on that day at the latest.
    """

    channel_ids: Ids = None
    probe_ids: Ids = None
    session_ids: Ids = None
    published_at: Day = None


@dataclass(frozen=True, kw_only=True, repr=False)
class UnitFilter(Filter):
    """Which units.

    Parameters
    ----------
    unit_ids : collection of int, optional
        Only these units.
    channel_ids, probe_ids, session_ids : collection of int, optional
        Only units of these channels, probes or sessions.
    published_at : str or date, optional
        Only what belongs to sessions published on that day at the latest.
    """

    unit_ids: Ids = None
    channel_ids: Ids = None
    probe_ids: Ids = None
    session_ids: Ids = None
    published_at: Day = None


@also_named("session_ids", "ecephys_session_ids")
@dataclass(frozen=True, kw_only=True, repr=False)
class UnitMetricFilter(Filter):
    """Which metric bundles.

    Parameters
    ----------
    unit_ids : collection of int, optional
        Only bundles of these units.
    ecephys_session_ids : collection of int, optional
        Only bundles of units of these sessions; ``session_ids`` says the same.
    session_types : collection of str, optional
        Only bundles of units of sessions of these types (``stimulus_name``).
    """

    unit_ids: Ids = None
    ecephys_session_ids: Ids = None
    session_types: Names = None


@dataclass(frozen=True, kw_only=True, repr=False)
class AnalysisRunFilter(Filter):
    """Which analysis runs.

    Parameters
    ----------
    run_ids, session_ids, probe_ids : collection of int, optional
        Only these runs, only those of these sessions, only those that have a part of these probes.
    """

    run_ids: Ids = None
    session_ids: Ids = None
    probe_ids: Ids = None


@dataclass(frozen=True, kw_only=True, repr=False)
class IsiExperimentFilter(Filter):
    """Which intrinsic signal imaging experiments.

    Parameters
    ----------
    isi_experiment_ids, session_ids : collection of int, optional
        Only these experiments, only those that prepared these sessions.
    """

    isi_experiment_ids: Ids = None
    session_ids: Ids = None


@dataclass(frozen=True, kw_only=True, repr=False)
class FileFilter(Filter):
    """Which well-known files.

    Parameters
    ----------
    file_ids : collection of int, optional
        Only these files.
    session_ids, probe_ids, run_ids : collection of int, optional
        Only files of these sessions, probes or analysis runs, and of what belongs to them.
    types : collection of str, optional
        Only files of these types, as ``EcephysSortedSpikeTimes``.
    owners : collection of str, optional
        Only files that are attached to records of these models, as ``EcephysProbe``.
    """

    file_ids: Ids = None
    session_ids: Ids = None
    probe_ids: Ids = None
    run_ids: Ids = None
    types: Names = None
    owners: Names = None


@dataclass(frozen=True, kw_only=True, repr=False)
class SessionFileFilter(Filter):
    """Which files of sessions.

    Parameters
    ----------
    session_ids : collection of int, optional
        Only files of these sessions.
    """

    session_ids: Ids = None


@dataclass(frozen=True, kw_only=True, repr=False)
class ProbeFileFilter(Filter):
    """Which files of probes.

    Parameters
    ----------
    probe_ids : collection of int, optional
        Only files of these probes.
    """

    probe_ids: Ids = None


@dataclass(frozen=True, kw_only=True, repr=False)
class TemplateFilter(Filter):
    """Which stimulus templates.

    Parameters
    ----------
    names, namespaces : collection of str, optional
        Only templates of these names, only names of these namespaces.
    """

    names: Names = None
    namespaces: Names = None
