"""What was found, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from ecephys_dal.display import html_table, printable
from ecephys_dal.doctor.kinds import KINDS, SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from ecephys_dal.doctor.uses import Users

__all__ = ["Examination", "Finding"]

_HEADINGS = ("severity", "code", "subject", "found", "meaning", "affects", "advice")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    severity : {"ok", "info", "warning", "error"}
        An error: a method does not work. A warning: a method stumbles over some records, or
        something should be looked after. An info is only to be known. Ok: what the code names was
        looked for, and is not so.
    code : str
        What was looked for; it is the same in every version.
    subject : str
        Where, such as ``ecephys_units.snr``.
    message : str
        What was found.
    meaning, advice : str
        What that means, and what to do; empty if it is ok.
    methods : tuple of str
        The methods of `EcephysProjectLimsApi` that need the subject.
    outputs : tuple of str
        The outputs of repositories that need it, such as ``UnitRepository.frame``.
    count : int or None
        How many records are so; of more than 1,000 it is 1,000.
    examples : tuple of int
        The ids of some of these records.
    facts : mapping
        Numbers and texts that the message tells of, by name.
    """

    severity: Severity
    code: str
    subject: str = ""
    message: str
    meaning: str = ""
    advice: str = ""
    methods: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    count: int | None = None
    examples: tuple[int, ...] = ()
    facts: Mapping[str, str | float | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, code: str, subject: str, message: str, *, users: Users | None = None, **more: Any
    ) -> Self:
        """Return a finding of a declared kind.

        Parameters
        ----------
        code : str
            Of the kind.
        subject, message : str
            As in `Finding`.
        users : Users, optional
            Who needs the subject. If no method does, some kinds are less severe.
        **more
            Further attributes.

        Returns
        -------
        Finding
        """
        kind = KINDS[code]
        methods, outputs = users or ((), ())
        milder = None if methods else kind.unneeded
        return cls(
            severity=milder or kind.severity,
            code=code,
            subject=subject,
            message=message,
            meaning=kind.meaning,
            advice=kind.advice,
            methods=methods,
            outputs=outputs,
            **more,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, as values that JSON can hold."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def __str__(self) -> str:
        lines = [f"{self.severity.upper()} {self.code} {self.subject}".rstrip()]
        lines += [f"  {text}" for text in (self.message, self.meaning) if text]
        lines += [f"  affects: {', '.join(self._affected())}"] if self._affected() else []
        lines += [f"  to do: {self.advice}"] if self.advice else []
        return printable("\n".join(lines))

    def _affected(self) -> tuple[str, ...]:
        return self.methods or self.outputs

    def cells(self) -> tuple[str, ...]:
        """Return what a row of a table says of it."""
        affected = ", ".join(self._affected())
        return (
            self.severity, self.code, self.subject, self.message, self.meaning, affected,
            self.advice,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return html_table(_HEADINGS, [self.cells()])


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What an examination found.

    Attributes
    ----------
    database : str
        What was examined; without a password.
    examined_at : str
        When, in UTC, as ISO 8601 has it.
    seconds : float
        How long it took.
    version : str
        Of this library.
    findings : tuple of Finding
        In the order in which they were made.
    unexamined : tuple of str
        The codes that could not be looked for, or not everywhere; some findings say why.
    """

    database: str
    examined_at: str
    seconds: float
    version: str
    findings: tuple[Finding, ...]
    unexamined: tuple[str, ...] = ()

    @property
    def worst(self) -> Severity:
        """The worst severity of all findings."""
        return max((one.severity for one in self.findings), key=SEVERITIES.index, default="ok")

    @property
    def ok(self) -> bool:
        """No finding is an error: every method works, though maybe not for every record.

        Where the database was not reached, or its tables and columns not looked at, that is one.
        """
        return self.worst != "error"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, as values that JSON can hold."""
        return {
            "database": self.database,
            "examined_at": self.examined_at,
            "seconds": self.seconds,
            "version": self.version,
            "worst": self.worst,
            "ok": self.ok,
            "findings": [one.to_dict() for one in self.findings],
            "unexamined": list(self.unexamined),
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def _summary(self) -> str:
        counts = Counter(one.severity for one in self.findings)
        told = ", ".join(f"{counts[severity]} {severity}" for severity in reversed(SEVERITIES))
        return f"{self.database}, {self.examined_at}, {self.seconds:.1f} s: {told}"

    def _worst_first(self) -> Iterable[Finding]:
        return sorted(self.findings, key=lambda one: -SEVERITIES.index(one.severity))

    def __str__(self) -> str:
        told = [str(one) for one in self._worst_first() if one.severity != "ok" or one.message]
        bad = {one.code for one in self.findings if one.severity != "ok"}.union(self.unexamined)
        none = dict.fromkeys(one.code for one in self.findings if not one.message)
        rest = ", ".join(code for code in none if code not in bad)
        return printable("\n".join([self._summary(), *told, f"OK, none of these: {rest}"]))

    def _repr_html_(self) -> str:
        table = html_table(_HEADINGS, [one.cells() for one in self._worst_first()])
        return f"<p>{escape(self._summary())}</p>{table}"
