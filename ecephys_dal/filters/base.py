"""What every filter spec can do."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache, wraps
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_type_hints

from ecephys_dal.display import html_table
from ecephys_dal.errors import InvalidFilterError, suggestion
from ecephys_dal.filters.fields import (
    MOST_VALUES,
    FieldKind,
    IdRange,
    Names,
    check_size,
    in_short,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

__all__ = ["Filter", "also_named"]

_RULES, _RANGE = "without_rules", "id_range"
_FEW = 5  # values of a field that are shown


@dataclass(frozen=True, kw_only=True, repr=False)
class Filter:
    """What every filter spec can do.

    Parameters
    ----------
    id_range : (int or None, int or None), optional
        Only ids from the first up to, but without, the second; None leaves an end open. This is
        how `Repository.partitions` cuts a question into smaller ones.
    without_rules : collection of str, optional
        Names of visibility rules that shall hide nothing, as `ecephys_dal.rules` lists them.

    Raises
    ------
    InvalidFilterError
        If a field holds what it can't hold; the message names the field and the value.
    """

    # A misspelt field in the JSON of a request is an error, where pydantic reads a filter.
    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}
    also: ClassVar[Mapping[str, str]] = {}  # fields by the other names that they have
    id_range: IdRange = None
    without_rules: Names = None

    def __post_init__(self) -> None:
        for name, kind in self.kinds().items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, kind.check(name, value))
        object.__setattr__(self, _RULES, self.without_rules or None)

    @classmethod
    @cache
    def kinds(cls) -> dict[str, FieldKind]:
        """Return what each field may hold, by its name."""
        hints = get_type_hints(cls, include_extras=True)
        names = (field.name for field in dataclasses.fields(cls))
        return {name: hints[name].__metadata__[0] for name in names}

    def _fields(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.kinds()}
        return {name: value for name, value in values.items() if value is not None}

    def each_condition(self) -> Iterator[tuple[str, Self]]:
        """Yield the name of each field that is a condition, and a spec of that field alone."""
        for name, value in self._fields().items():
            if name != _RULES:
                alone = copy(self._anything())
                object.__setattr__(alone, name, value)  # which was checked when it came
                yield name, alone

    @classmethod
    @cache
    def _anything(cls) -> Self:
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as values that JSON can hold."""
        kinds = self.kinds()
        return {name: kinds[name].to_json(value) for name, value in self._fields().items()}

    @classmethod
    def from_dict(
        cls,
        fields: Mapping[str, Any],
        *,
        without_rules: bool = False,
        limit: int | None = MOST_VALUES,
    ) -> Self:
        """Return the spec that `to_dict` described, from JSON that anybody may have sent.

        Parameters
        ----------
        fields : mapping
            Field names and values.
        without_rules : bool
            Let the fields name visibility rules to leave out: of your own file, say. Who sends a
            request must not choose what he may see.
        limit : int, optional
            Most ids or names of a field, and most letters of a text. None is no limit, for your
            own files.

        Returns
        -------
        Filter

        Raises
        ------
        InvalidFilterError
            If a name is unknown (the message suggests the nearest one that is known), a value is
            none that the field can hold, there are too many, or rules are named that may not be.
        """
        if not isinstance(fields, Mapping):
            raise InvalidFilterError(
                f"{cls.__name__} is made of a mapping of fields to values, not of a"
                f" {type(fields).__name__}"
            )
        known = [*cls.kinds(), *cls.also]
        for name, value in fields.items():
            if name not in known:
                told = suggestion(name if isinstance(name, str) else "", known)
                raise InvalidFilterError(f"{cls.__name__} has no field {in_short(name)}; {told}")
            if name == _RULES and value is not None and not without_rules:
                raise InvalidFilterError(
                    f"{_RULES}={in_short(value)}: rules may not be left out here; who may allow it"
                    " calls from_dict(..., without_rules=True)"
                )
            if limit is not None:
                check_size(name, value, limit)
        return cls(**fields)

    def __and__(self, other: Self) -> Self:
        """Return the spec of the records that both specs keep."""
        if type(other) is not type(self):
            return NotImplemented
        ours, theirs = self._fields(), other._fields()
        both = {
            name: self.kinds()[name].intersect(ours[name], theirs[name])
            for name in ours.keys() & theirs.keys()
        }
        # A rule hides what it hides unless both leave it out.
        rules = {_RULES: both.get(_RULES)}
        return type(self)(**{**ours, **theirs, **both, **rules})

    def described(self) -> str:
        """Return the fields that are set, shortened, for a message."""
        fields = self._fields().items()
        return ", ".join(f"{name}={reprlib.repr(value)}" for name, value in fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.described()})"

    def _repr_html_(self) -> str:
        rows = [
            (name, str(value) if name == _RANGE else _shown(value))
            for name, value in self._fields().items()
        ]
        head = "" if rows else "no condition: every record"
        return html_table((type(self).__name__, head), rows)


F = TypeVar("F", bound=Filter)


def also_named(other: str, field: str) -> Callable[[type[F]], type[F]]:
    """Let a field of a spec be given and read by the name that it has in other specs, too."""

    def decorate(spec_type: type[F]) -> type[F]:
        given_by_fields = spec_type.__init__

        @wraps(given_by_fields)
        def init(self: F, **fields: Any) -> None:
            value = fields.pop(other, None)
            if value is not None:
                kind = self.kinds()[field]
                value = kind.check(other, value)
                named = fields.get(field)
                if named is not None and kind.check(field, named) != value:
                    raise InvalidFilterError(
                        f"{field} and {other} are two names of one field, and differ;"
                        " give one of them"
                    )
                fields[field] = value
            given_by_fields(self, **fields)

        spec_type.__init__ = init  # type: ignore[assignment]
        spec_type.also = {**spec_type.also, other: field}
        setattr(spec_type, other, property(attrgetter(field)))
        return spec_type

    return decorate


def _shown(value: Any) -> str:
    """Return the value of a field as a notebook shows it, a long one shortened."""
    if not isinstance(value, tuple):
        return str(value)
    more = ", ..." if len(value) > _FEW else ""
    few = ", ".join(map(str, value[:_FEW]))
    return f"{len(value)}: {few}{more}" if value else "none: no record"
