"""Why a record is in a table, or is not: each demand of the question, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from ecephys_dal.display import as_json, html_table, printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecephys_dal.repositories.conditions import Kind

    Verdict = Literal["passed", "failed", "unknown"]

__all__ = ["Check", "Why", "WhyOne", "told"]

_FEW = 10  # of the candidates, which may be very many, are shown


def told(hiding: Mapping[str, str], *tables: str) -> str:
    """Return the end of a sentence about something that is not there, if it may be hidden."""
    some = [f"{table}: {why}" for table, why in hiding.items() if table in tables or not tables]
    return f"; rows may be hidden by the database ({'; '.join(some)})" if some else ""


@dataclass(frozen=True)
class Check:
    """What came of one demand on a record.

    Attributes
    ----------
    kind : {"join", "statement", "rule", "filter", "where"}
        Where the demand comes from: the joins or the conditions that the table is declared with,
        a visibility rule, a field of the filter, or a further condition of the caller's.
    name : str
        Of the joined table, the rule or the field.
    sentence : str
        What is demanded, for a person.
    verdict : {"passed", "failed", "unknown"}
        Unknown, which hides as failed does, is what a NULL leaves undecided.
    table : str
        The table that the demand is about.
    found : dict of str to object
        The values that decided, by column.
    remark : str
        What a NULL means here, if there is one.
    """

    kind: Kind
    name: str
    sentence: str
    verdict: Verdict
    table: str
    found: Mapping[str, Any]
    remark: str = ""

    @property
    def values(self) -> str:
        """The values that decided, for a person."""
        values = ", ".join(f"{name} = {shown(value)}" for name, value in self.found.items())
        return f"{values}, {self.remark}" if self.remark else values

    def __str__(self) -> str:
        return printable(
            f"{self.verdict:7}  {self.kind} {self.name}: {self.values or self.sentence}"
        )


@dataclass(frozen=True)
class Why:
    """Why a record is visible, or hidden.

    Attributes
    ----------
    model : str
        What the record is, as ``EcephysUnit``.
    record_id : int
        Its primary key.
    exists : bool
        There is such a record, visible or hidden.
    parents : dict of str to int or None
        The ids of the records that it belongs to, and its own, by table; None where there is none.
    checks : tuple of Check
        What came of each demand, in the order in which they are made.
    related : tuple of Why or WhyOne
        The same of what belongs to the record, where that was asked for too.
    remark : str
        What may hide a record that was not found: row-level security, or a view; then it is not
        known whether it exists.
    """

    model: str
    record_id: int
    exists: bool
    parents: Mapping[str, int | None] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    related: tuple[Why | WhyOne, ...] = ()
    remark: str = ""

    @property
    def visible(self) -> bool:
        """The question that was asked gives the record."""
        return self.exists and not self.hidden_by

    @property
    def hidden_by(self) -> tuple[Check, ...]:
        """The demands that are not met, or not known to be."""
        return tuple(check for check in self.checks if check.verdict != "passed")

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        record = f"{self.model} {self.record_id}"
        if not self.exists:
            return (
                f"{record} was not found{self.remark}."
                if self.remark
                else f"{record} does not exist."
            )
        if self.visible:
            return f"{record} is visible."
        names = ", ".join(f"{one.kind} {one.name} ({one.verdict})" for one in self.hidden_by)
        return f"{record} is hidden by {names}."

    def __str__(self) -> str:
        lines = [self.verdict]
        for table, record_id in self.parents.items():
            lines.append(f"  {table} {'(none)' if record_id is None else record_id}")
            lines += [f"    {check}" for check in self.checks if check.table == table]
        return printable("\n".join([*lines, *map(str, self.related)]))

    def _repr_html_(self) -> str:
        heads = ("verdict", "table", "record", "demand", "meaning", "found")
        rows = [
            (
                one.verdict,
                one.table,
                self.parents.get(one.table),
                f"{one.kind} {one.name}",
                one.sentence,
                one.values,
            )
            for one in self.checks
        ]
        related = (one._repr_html_() for one in self.related)
        table = html_table(heads, rows) if rows else ""
        return "".join([f"<p>{escape(self.verdict)}</p>", table, *related])

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as values that JSON can hold."""
        checks = [
            {**asdict(one), "found": {name: as_json(value) for name, value in one.found.items()}}
            for one in self.checks
        ]
        return {
            "model": self.model,
            "record_id": self.record_id,
            "exists": self.exists,
            "visible": self.visible,
            "parents": dict(self.parents),
            "checks": checks,
            "related": [one.to_dict() for one in self.related],
            "remark": self.remark,
        }


@dataclass(frozen=True)
class WhyOne:
    """Why there is one record of a kind, such as the file in force of a session, none, or several.

    Attributes
    ----------
    wanted : str
        Which, as ``current NWB file for session_ids=(715093703,)``.
    candidates : tuple of Why
        Why each record that might be it is so, or is not; the nearest first. For the file of a
        session or probe, all its files; for a template, the stimuli of its name; for a unit, its
        metric bundles.
    runs : tuple of dict
        The analysis runs of the session, probe or bundles: id, ecephys_session_id,
        job_strategy_class and current.
    files : tuple of dict
        The candidates' files, of whatever type and owner, as `FileRepository` has them.
    remark : str
        Why it could not be told, if LIMS lacks what would tell it.
    hiding : str
        What may hide some of all that, if none is found: row-level security, or a view.
    """

    wanted: str
    candidates: tuple[Why, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()
    remark: str = ""
    hiding: str = ""

    @property
    def found(self) -> tuple[Why, ...]:
        """The candidates that are wanted; there should be one."""
        return tuple(one for one in self.candidates if one.visible)

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        if self.remark:
            return f"Wanted: 1 {self.wanted}. It can't be told: {self.remark}"
        among = f"{len(self.candidates)} candidates and {len(self.runs)} analysis runs"
        return f"Wanted: 1 {self.wanted}. Found: {len(self.found)}, among {among}{self.hiding}."

    def __str__(self) -> str:
        files = {file["id"]: file for file in self.files}
        lines = [self.verdict]
        for run in self.runs:
            current = {True: "current", False: "older"}.get(run["current"], "current is NULL")
            lines.append(
                f"  EcephysAnalysisRun {run['id']}, {run['job_strategy_class']}: {current}"
            )
        for one in [one for one in self.candidates if len(one.hidden_by) <= 1][:_FEW]:
            file = files.pop(one.parents.get("well_known_files"), None)
            lines.append(f"  {file['type']}: {one.verdict}" if file else f"  {one.verdict}")
        others = Counter(f"{file['type']} on {file['owner']}" for file in files.values())
        lines += [f"  {n} more: {kind}" for kind, n in others.items()]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        tables = (
            html_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
            for rows in (self.runs, self.files)
            if rows
        )
        verdicts = (f"<p>{escape(one.verdict)}</p>" for one in self.candidates[:_FEW])
        return "".join([f"<p>{escape(self.verdict)}</p>", *tables, *verdicts])

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as values that JSON can hold."""
        return {
            "wanted": self.wanted,
            "found": len(self.found),
            "runs": [dict(run) for run in self.runs],
            "remark": self.remark,
            "hiding": self.hiding,
            "files": [{name: as_json(value) for name, value in f.items()} for f in self.files],
            "candidates": [one.to_dict() for one in self.candidates],
        }
