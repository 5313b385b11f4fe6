"""Something that is taken for granted of rows, and the rows that are otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecephys_dal.doctor.checks import Check
from ecephys_dal.doctor.findings import Finding
from ecephys_dal.doctor.uses import columns_of, name_of, users_of, users_of_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Select

    from ecephys_dal.doctor.asking import Lims
    from ecephys_dal.doctor.uses import Users
    from ecephys_dal.repositories import Repository

__all__ = ["MOST", "Assumption", "found_in_rows"]

MOST = 1000  # records that are counted
_EXAMPLES = 5


@dataclass(frozen=True)
class Assumption:
    """Something that is taken for granted.

    Parameters
    ----------
    code : str
        What the finding is called.
    columns : tuple
        The attributes of models that it is about; whoever needs them is affected.
    noun : str
        What the ids are of.
    otherwise : Select
        The ids of the records that are otherwise.
    repository : type, optional
        The one that alone is affected.
    """

    code: str
    columns: tuple[Any, ...]
    noun: str
    otherwise: Select[Any]
    repository: type[Repository[Any, Any]] | None = None

    @property
    def subject(self) -> str:
        """The columns, by name."""
        return ", ".join(".".join(name_of(column)) for column in self.columns)

    def check(self) -> Check:
        """Return the check that looks for such records."""
        return Check(self.subject, (self.code,), self._find, columns_of(self.otherwise))

    def _find(self, lims: Lims) -> Iterator[Finding]:
        ids = [found for (found,) in lims.rows(self.otherwise.limit(MOST + 1))]
        if ids:
            yield found_in_rows(self.code, self.subject, self._users(), self.noun, ids)

    def _users(self) -> Users:
        if self.repository is not None:
            return users_of_repository(self.repository)
        return users_of(map(name_of, self.columns))


def found_in_rows(
    code: str, subject: str, users: Users, noun: str, found: Iterable[int]
) -> Finding:
    """Return a finding about records, of which some are named."""
    ids = sorted(set(found))
    told = f"{MOST} or more" if len(ids) > MOST else str(len(ids))
    examples = tuple(ids[:_EXAMPLES])
    named = ", ".join(map(str, examples)) + (", ..." if len(ids) > len(examples) else "")
    message = f"{noun}: {told} ({named})"
    return Finding.of(
        code, subject, message, users=users, count=min(len(ids), MOST), examples=examples
    )
