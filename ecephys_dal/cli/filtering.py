"""Options of filters, one for each field of a spec: nothing of them is written twice."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

import click
from typing_extensions import override

from ecephys_dal.filters import Day, Filter, IdRange, Ids, Names
from ecephys_dal.paths import absolute_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ecephys_dal.filters import FieldKind

__all__ = ["IdList", "filter_options", "spec_of"]

C = TypeVar("C", bound=Callable[..., Any])
F = TypeVar("F", bound=Filter)

_STDIN_IS_READ = f"{__name__}.stdin"


class _FromFile(click.ParamType):  # type: ignore[type-arg] # which older ones don't take
    """Values that may also come from a file, @FILE, or from stdin, -."""

    name = "values"

    def parts(self, text: str, where: str) -> Iterator[Any]:
        """Yield the values of a line."""
        raise NotImplementedError

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        if not isinstance(value, str):
            return list(value)
        return list(chain.from_iterable(self.parts(text, at) for at, text in _lines(value, ctx)))


class IdList(_FromFile):
    """Ids, between commas or blanks; what stands above a column of them in a file is no id."""

    name = "ids"

    @override
    def parts(self, text: str, where: str) -> Iterator[int]:
        for number, word in enumerate(re.findall(r'[^\s,"]+', text)):
            if re.fullmatch("[+-]?[0-9]+", word):
                yield int(word)
            elif not (number == 0 and where.endswith(" line 1") and word.isidentifier()):
                advice = "; it must hold no other column than that of the ids" if where else ""
                raise click.BadParameter(f"{where}{' ' * bool(where)}{word!r} is no id{advice}")


class _NameList(_FromFile):
    """Names, one an option, or one a line of a file."""

    name = "names"

    @override
    def parts(self, text: str, where: str) -> Iterator[str]:
        yield from [text.strip()] if text.strip() or not where else []


class _Range(click.ParamType):  # type: ignore[type-arg]
    """FIRST:STOP, each of which may be left out."""

    name = "range"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d*):(\d*)", value)
        if match is None:
            self.fail(f"{value!r} is no range such as 100:200, 100: or :200", param, ctx)
        first, stop = (int(end) if end else None for end in match.groups())
        return first, stop


class _Reading(NamedTuple):
    """How the values of a kind of field are read."""

    type: click.ParamType[Any]
    metavar: str
    many: bool = False


def _kind(of: object) -> FieldKind:
    kind: FieldKind = get_args(of)[1]
    return kind


_READING: dict[FieldKind, _Reading] = {
    _kind(Ids): _Reading(IdList(), "IDS", many=True),
    _kind(Names): _Reading(_NameList(), "NAME", many=True),
    _kind(Day): _Reading(click.STRING, "YYYY-MM-DD"),
    _kind(IdRange): _Reading(_Range(), "FIRST:STOP"),
}


def filter_options(
    *filter_types: type[Filter],
    rules: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Callable[[C], C]:
    """Give a command an option for each field of a filter.

    Parameters
    ----------
    *filter_types : type
        The spec; if there are several, the command takes any of them, and the first one that has a
        field says what it means.
    rules : collection of str
        The rules that can be left out; without any there is no such option.
    only : collection of str, optional
        The fields to give; all without it.

    Returns
    -------
    callable
        A decorator. The command gets the values by their fields' names, for `spec_of`.
    """

    def decorate(command: C) -> C:
        kinds = {name: kind for one in reversed(filter_types) for name, kind in one.kinds().items()}
        told = {name: t for one in reversed(filter_types) for name, t in _descriptions(one).items()}
        for other, field in ((o, f) for one in filter_types for o, f in one.also.items()):
            kinds.setdefault(other, kinds[field])
            told.setdefault(other, f"The same as {_dashed(field)}.")
        own_first = sorted(kinds.items(), key=lambda one: one[0] in Filter.kinds())
        for name, kind in reversed(own_first):
            if (only is None or name in only) and (rules or name != "without_rules"):
                listed = f" They are {', '.join(rules)}." if name == "without_rules" else ""
                command = _option(name, _READING[kind], told.get(name, "") + listed)(command)
        return command

    return decorate


def _option(name: str, reading: _Reading, told: str) -> Callable[[C], C]:
    dashed = _dashed(name)
    return click.option(
        *([dashed.removesuffix("s"), dashed] if reading.many else [dashed]),
        name,
        type=reading.type,
        metavar=reading.metavar,
        multiple=reading.many,
        help=told,
        shell_complete=_complete_rule if name == "without_rules" else None,
    )


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _complete_rule(_ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the rules that the text of the option lists."""
    listed = getattr(param, "help", "").partition("They are ")[2]
    return [name for name in re.findall(r"\w+", listed) if name.startswith(incomplete)]


def spec_of(filter_type: type[F], values: Mapping[str, Any]) -> F:
    """Return the filter that the options mean; those that were not given are no condition."""
    names = (*filter_type.kinds(), *filter_type.also)
    given = {name: _joined(values[name]) for name in names if name in values}
    return filter_type.from_dict(given, without_rules=True, limit=None)


def _joined(value: Any) -> Any:
    """Return the values of an option that may be repeated; None if it was not given at all."""
    if isinstance(value, tuple) and all(isinstance(one, list) for one in value):
        return list(chain.from_iterable(value)) if value else None
    return value


def _descriptions(filter_type: type[Filter]) -> dict[str, str]:
    """Return what the docstrings say of each field, in a sentence; python -OO has none of them."""
    found: dict[str, str] = {}
    for documented in (Filter, filter_type):
        text = inspect.getdoc(documented) or ""
        for names, told in re.findall(
            r"^(\w+(?:, \w+)*) : .*\n((?:    .*\n?)+)", text, re.MULTILINE
        ):
            sentence = re.split(r"[;.](?:\s|$)", " ".join(told.split()), maxsplit=1)[0]
            found.update(dict.fromkeys(names.split(", "), f"{sentence.replace('`', '')}."))
    return found


def _lines(value: str, ctx: click.Context | None) -> Iterator[tuple[str, str]]:
    """Yield where each line of a value stands, and the line."""
    if value != "-" and not value.startswith("@"):
        yield "", value
        return
    name = "stdin" if value == "-" else value[1:]
    lines = _read_stdin(ctx) if value == "-" else _read_file(name)
    for number, line in enumerate(lines, 1):
        yield f"{name}, line {number}", line


def _read_stdin(ctx: click.Context | None) -> Iterable[str]:
    if ctx is not None:
        if ctx.meta.get(_STDIN_IS_READ):
            raise click.BadParameter("only one option can read stdin, -")
        ctx.meta[_STDIN_IS_READ] = True
    return sys.stdin.read().splitlines()


def _read_file(name: str) -> Iterable[str]:
    try:
        return absolute_path(name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise click.BadParameter(f"{name} can't be read: {reason}") from None
