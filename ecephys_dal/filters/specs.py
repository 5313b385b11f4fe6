"""The filter specs, one a table."""

from __future__ import annotations

import dataclasses
import reprlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from ecephys_dal.errors import InvalidFilterError, nearest_name
from ecephys_dal.filters.fields import Day, FieldKind, IdRange, Ids, Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = [
    "ChannelFilter",
    "FileFilter",
    "Filter",
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
class Filter:
    """What every filter spec can do.

    Parameters
    ----------
    id_range : (int or None, int or None), optional
        Only ids from the first up to, but without, the second; None leaves an end open. This is
        how `Repository.partitions` cuts a question into smaller ones.

    Raises
    ------
    InvalidFilterError
        If a field holds what it can't hold; the message names the field and the value.
    """

    id_range: IdRange = None

    def __post_init__(self) -> None:
        for name, kind in self._kinds().items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, kind.check(name, value))

    @classmethod
    @cache
    def _kinds(cls) -> dict[str, FieldKind]:
        hints = get_type_hints(cls, include_extras=True)
        names = (field.name for field in dataclasses.fields(cls))
        return {name: hints[name].__metadata__[0] for name in names}

    def _conditions(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self._kinds()}
        return {name: value for name, value in values.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as values that JSON can hold."""
        kinds = self._kinds()
        return {name: kinds[name].to_json(value) for name, value in self._conditions().items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the spec that `to_dict` described.

        Parameters
        ----------
        fields : mapping
            Field names and values.

        Returns
        -------
        Filter

        Raises
        ------
        InvalidFilterError
            If a name is unknown; the message suggests the nearest one that is known.
        """
        known = list(cls._kinds())
        for name in fields:
            if name not in known:
                raise InvalidFilterError(
                    f"{cls.__name__} has no field {name!r};"
                    f" did you mean {nearest_name(name, known)!r}?"
                )
        return cls(**fields)

    def __and__(self, other: Self) -> Self:
        """Return the spec of the records that both specs keep."""
        if type(other) is not type(self):
            return NotImplemented
        ours, theirs = self._conditions(), other._conditions()
        both = {
            name: self._kinds()[name].intersect(ours[name], theirs[name])
            for name in ours.keys() & theirs.keys()
        }
        return type(self)(**{**ours, **theirs, **both})

    def described(self) -> str:
        """Return the fields that are set, shortened, for a message."""
        conditions = self._conditions().items()
        return ", ".join(f"{name}={reprlib.repr(value)}" for name, value in conditions)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.described()})"


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
    probe_ids, session_ids : collection of int, optional
        Only these probes, only probes of these sessions.
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
    channel_ids, probe_ids, session_ids : collection of int, optional
        Only these channels, only channels of these probes or sessions.
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
    unit_ids, channel_ids, probe_ids, session_ids : collection of int, optional
        Only these units, only units of these channels, probes or sessions.
    published_at : str or date, optional
        Only what belongs to sessions published on that day at the latest.
    """

    unit_ids: Ids = None
    channel_ids: Ids = None
    probe_ids: Ids = None
    session_ids: Ids = None
    published_at: Day = None


@dataclass(frozen=True, kw_only=True, repr=False)
class UnitMetricFilter(Filter):
    """Which metric bundles.

    Parameters
    ----------
    unit_ids, ecephys_session_ids : collection of int, optional
        Only bundles of these units, or of units of these sessions.
    session_types : collection of str, optional
        Only bundles of units of sessions of these types (``stimulus_name``).
    """

    unit_ids: Ids = None
    ecephys_session_ids: Ids = None
    session_types: Names = None


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
