"""One thing that is looked at, and what comes of it whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecephys_dal.doctor.findings import Finding
from ecephys_dal.errors import DatabaseUnavailableError, StatementTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecephys_dal.doctor.asking import Lims
    from ecephys_dal.doctor.uses import Name

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    Parameters
    ----------
    subject : str
        What, for findings that there is nothing to find, or that it could not be looked at.
    codes : tuple of str
        The findings that it may make. Each that it does not make is well.
    find : callable
        Looks, and yields what it finds.
    needs : frozenset of (str, str)
        Tables and columns without which it can't look.
    of_database : bool
        It asks the database, and can't if that is lost.
    is_essential : bool
        As long as it could not look, nobody knows whether any method works.
    """

    subject: str
    codes: tuple[str, ...]
    find: Callable[[Lims], Iterable[Finding]]
    needs: frozenset[Name] = frozenset()
    of_database: bool = True
    is_essential: bool = False

    def run(self, lims: Lims) -> list[Finding]:
        """Return what was found, what is well, or why neither is known."""
        if self.of_database and lims.lost:
            lims.unexamined.update(self.codes)
            return []
        unusable = lims.catalogue.unusable(self.needs) if lims.catalogue else []
        if unusable:
            listed = ", ".join(unusable)
            return [self._unknown("check_skipped", f"it needs {listed}, of which see above", lims)]
        try:
            found = list(self.find(lims))
        except Exception as error:  # whatever a sick LIMS makes of a question
            return [self._failed(error, lims)]
        made = {one.code for one in found}
        return found + [self._well(code) for code in self.codes if code not in made]

    def _failed(self, error: Exception, lims: Lims) -> Finding:
        if isinstance(error, StatementTimeoutError):
            told = f"it took longer than {lims.time_limit:g} s"
            return self._unknown("check_timed_out", told, lims)
        if isinstance(error, DatabaseUnavailableError) and not lims.answers():
            lims.lost = True
            lims.unexamined.update(self.codes)
            return Finding.of("database_unreachable", "", str(error))
        reason = str(error).strip().partition("\n")[0]
        return self._unknown("check_failed", f"{type(error).__name__}: {reason}", lims)

    def _unknown(self, code: str, why: str, lims: Lims) -> Finding:
        lims.unexamined.update(self.codes)
        told = f"{', '.join(self.codes)} not examined: {why}".lstrip()
        finding = Finding.of(code, self.subject, told)
        return replace(finding, severity="error") if self.is_essential else finding

    def _well(self, code: str) -> Finding:
        return Finding(severity="ok", code=code, subject=self.subject, message="")
