"""What a repository tells of its own answers: why a record is hidden, and how it was asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, literal, select

from ecephys_dal.database import Database, what_hides_rows
from ecephys_dal.errors import (
    SchemaMismatchError,
    StatementRefusedError,
    StatementTimeoutError,
)
from ecephys_dal.filters import checked_id, checked_ids
from ecephys_dal.repositories.clauses import among
from ecephys_dal.repositories.conditions import joined, truth
from ecephys_dal.repositories.explanation import Explanation, Step, plan_of
from ecephys_dal.repositories.literal import sql_of
from ecephys_dal.repositories.reading import asked
from ecephys_dal.repositories.statement import F, M
from ecephys_dal.repositories.tables import Tables
from ecephys_dal.repositories.why import Check, Why, told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Row

    from ecephys_dal.repositories.conditions import Condition, Joined
    from ecephys_dal.repositories.statement import Where
    from ecephys_dal.repositories.why import Verdict

__all__ = ["Reasons"]


class Reasons(Tables[M, F]):
    """The outputs of a repository that explain the others."""

    def why(self, record_id: int, spec: F | None = None, *, where: Where = ()) -> Why:
        """Tell why a question gives this record, or does not.

        Parameters
        ----------
        record_id : int
            The primary key.
        spec : Filter, optional
            The question; every record without it.
        where : ColumnElement or list of ColumnElement
            Further conditions of it.

        Returns
        -------
        Why
            Whether the record exists, whether those that it belongs to do, and for each join, rule
            and field whether it passes, fails or is unknown because of a NULL.
        """
        wanted = checked_id("record_id", record_id)
        found = self.why_each([wanted], spec, where=where)
        if found:
            return found[0]
        hiding = told(self.what_hides_rows([self.model.__tablename__]))
        return Why(self.model.__name__, wanted, exists=False, remark=hiding)

    def why_each(
        self, record_ids: Iterable[int], spec: F | None = None, *, where: Where = ()
    ) -> list[Why]:
        """Tell the same of several records, in one statement.

        Parameters
        ----------
        record_ids : collection of int
            The primary keys.
        spec, where
            As for `why`.

        Returns
        -------
        list of Why
            Of those that exist, ascending by id.
        """
        return self._why_each(checked_ids("record_ids", record_ids), spec, where)

    @asked
    def _why_each(self, ids: tuple[int, ...], spec: F | None, where: Where) -> list[Why]:
        found = self._why(tuple(among(self.model.id, ids)), spec, where)
        if absent := set(ids).difference(one.record_id for one in found):
            self._reader.check_records(*absent)
        return found

    @asked
    def why_where(
        self, of: Sequence[ColumnElement[bool]], spec: F | None = None, *, where: Where = ()
    ) -> list[Why]:
        """Tell the same of the records that meet these clauses, whatever hides them.

        Parameters
        ----------
        of : sequence of ColumnElement
            Which records, by clauses over the tables of the statement. An iterator would be used up
            when the question is asked again.
        spec, where
            As for `why`.

        Returns
        -------
        list of Why
            Ascending by id.
        """
        everything = replace(self._asked(spec), without_rules=self.rule_names())
        self._reader.check(everything)
        return self._why(self._further(of), spec, where)

    def _why(self, of: Sequence[ColumnElement[bool]], spec: F | None, where: Where) -> list[Why]:
        parts, conditions = self._demanded(spec, where)
        reads = dict.fromkeys(column for one in conditions for column in one.reads)
        values = [*parts.keys, *reads]
        query = (
            select(
                *(column.label(f"value_{at}") for at, column in enumerate(values)),
                *(truth(one.clause).label(f"truth_{at}") for at, one in enumerate(conditions)),
            )
            .select_from(parts.everything)
            .where(*of)
            .order_by(self.model.id)
        )
        with self._reader.connection() as connection:
            rows = connection.execute(query).all()
        n_keys, n_values = len(parts.keys), len(values)
        lacks_some = any(None in row[:n_keys] and not all(row[n_values:]) for row in rows)
        hiding = self.what_hides_rows() if lacks_some else {}
        return [self._answer(row, values, parts.keys, conditions, hiding) for row in rows]

    @asked
    def what_hides_rows(self, tables: Collection[str] = ()) -> dict[str, str]:
        """Tell what may hide rows of the joined tables from the role that reads.

        Parameters
        ----------
        tables : collection of str
            Which of them; all without it.

        Returns
        -------
        dict of str to str
            By the names of tables: row-level security that is active, or that it is a view. A
            database that can't say so may hide rows of any.
        """
        names = tables or [str(key.table.name) for key in joined(self.statement).keys]
        try:
            with self._reader.connection() as connection:
                return what_hides_rows(connection, names)
        except (SchemaMismatchError, StatementRefusedError):
            return dict.fromkeys(names, "the database does not say whether it hides rows of it")

    def _demanded(self, spec: F | None, where: Where) -> tuple[Joined, list[Condition]]:
        parts = joined(self.statement)
        return parts, [*parts.conditions, *self._conditions(self._asked(spec), where)]

    def _answer(
        self,
        row: Row[Any],
        values: Sequence[Column[Any]],
        keys: Sequence[Column[Any]],
        conditions: Sequence[Condition],
        hiding: Mapping[str, str],
    ) -> Why:
        found = dict(zip(values, row[: len(values)], strict=True))
        parents = {str(key.table): found[key] for key in keys}
        checks = [
            _check(one, is_met, {column: found[column] for column in one.reads}, parents, hiding)
            for one, is_met in zip(conditions, row[len(values) :], strict=True)
        ]
        model, record_id = self.model.__name__, found[keys[0]]
        return Why(model, record_id, exists=True, parents=parents, checks=tuple(checks))

    @asked
    def explain(
        self,
        spec: F | None = None,
        *,
        where: Where = (),
        counts: bool = True,
        analyze: bool = False,
    ) -> Explanation:
        """Tell how the database answers a question, and what each demand leaves of the table.

        Parameters
        ----------
        spec : Filter, optional
            The question; every record without it.
        where : ColumnElement or list of ColumnElement
            Further conditions of it.
        counts : bool
            Count what is left after each join, rule and field. That reads the table as a whole,
            whatever the question is.
        analyze : bool
            Let PostgreSQL run the statement, to see where its time goes.

        Returns
        -------
        Explanation
            The SQL of `frame`, the database's plan for it, and the counts.

        Raises
        ------
        ConfigurationError
            If ``analyze`` is asked of SQLite, which has no such thing.
        """
        query, _ = self._whole_table(spec, where)
        with self._reader.connection() as connection:
            sql = sql_of(query, connection)
            plan = plan_of(connection, query, analyze=analyze)
        steps: tuple[Step, ...] = ()
        remark = ""
        if counts:
            try:
                steps = tuple(self._funnel(spec, where))
            except StatementTimeoutError as error:
                if not isinstance(self._reader.db, Database):
                    raise  # for the caller's transaction is at its end
                remark = f"Not counted: {error}"
        return Explanation(sql, plan, steps, remark)

    def _funnel(self, spec: F | None, where: Where) -> Iterator[Step]:
        parts, conditions = self._demanded(spec, where)
        met = [truth(one.clause).label(f"truth_{at}") for at, one in enumerate(conditions)]
        each = select(literal(1).label("record"), *met).select_from(parts.everything).subquery()
        left = accumulate((each.c[one.name] == 1 for one in met), and_)
        counts = [func.count(case((still, 1))) for still in left]
        with self._reader.connection() as connection:
            n_all, *n_left = connection.execute(select(func.count(each.c.record), *counts)).one()
        yield Step("table", str(parts.keys[0].table), "Every record.", n_all)
        for one, n in zip(conditions, n_left, strict=True):
            yield Step(one.kind, one.name, one.sentence, n)


def _check(
    one: Condition,
    is_met: int | None,
    found: Mapping[Column[Any], Any],
    parents: Mapping[str, int | None],
    hiding: Mapping[str, str],
) -> Check:
    table = one.name if one.kind == "join" else _table(found, parents)
    verdict: Verdict = "unknown" if is_met is None else "passed" if is_met else "failed"
    remark = ""
    if verdict != "passed" and one.kind == "join":
        remark = f"but there is no such record of {table}{told(hiding, table)}"
    elif verdict == "unknown":
        is_there = parents[table] is not None
        remark = one.if_null if is_there else f"because the record is missing{told(hiding, table)}"
    alike = Counter(column.name for column in found)
    named = {
        str(column) if alike[column.name] > 1 else column.name: value
        for column, value in found.items()
    }
    return Check(one.kind, one.name, one.sentence, verdict, table, named, remark)


def _table(found: Iterable[Column[Any]], parents: Iterable[str]) -> str:
    """Return the table that a demand is about; one that reads no column is about the record."""
    return next((str(column.table) for column in found), next(iter(parents)))
