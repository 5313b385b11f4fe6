"""How the database answers a question: its SQL, its plan, and what each demand leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement

from ecephys_dal.display import html_table, printable
from ecephys_dal.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select
    from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Explanation", "Step", "plan_of"]


@dataclass(frozen=True)
class Step:
    """What one demand leaves of the records.

    Attributes
    ----------
    kind : str
        ``table``, the beginning, or the kind of the demand, as of a `Check`.
    name, sentence : str
        Of the demand.
    n_left : int
        How many records meet it and all before it.
    """

    kind: str
    name: str
    sentence: str
    n_left: int


@dataclass(frozen=True)
class Explanation:
    """How a question is answered.

    Attributes
    ----------
    sql : str
        The statement with its values, as the database sees it.
    plan : str
        How the database means to answer it, in the database's words.
    funnel : tuple of Step
        What is left after each join, rule and field, in order; empty if it was not wanted.
    remark : str
        Why it is empty although it was.
    """

    sql: str
    plan: str
    funnel: tuple[Step, ...]
    remark: str = ""

    @property
    def emptied_by(self) -> Step | None:
        """The first demand that leaves nothing; None if something is left."""
        return next((step for step in self.funnel if step.n_left == 0), None)

    def __str__(self) -> str:
        funnel = (f"{step.n_left:>10,}  {step.kind} {step.name}" for step in self.funnel)
        return printable("\n".join([self.sql, "", self.plan, "", *funnel, self.remark]).rstrip())

    def _repr_html_(self) -> str:
        rows = [(f"{one.n_left:,}", f"{one.kind} {one.name}", one.sentence) for one in self.funnel]
        texts = (
            f"<pre>{escape(text)}</pre>" for text in (self.sql, self.plan, self.remark) if text
        )
        return "".join([*texts, html_table(("left", "after", "meaning"), rows)])

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as values that JSON can hold."""
        return asdict(self)


class _Explained(Executable, ClauseElement):
    """A statement that is not run, or not only."""

    inherit_cache = False

    def __init__(self, query: Select[Any], *, analyze: bool) -> None:
        self.query, self.analyze = query, analyze


@compiles(_Explained)
def _on_postgresql(element: _Explained, compiler: SQLCompiler, **kw: Any) -> str:
    options = "(ANALYZE, BUFFERS) " if element.analyze else ""
    return f"EXPLAIN {options}{compiler.process(element.query, **kw)}"


@compiles(_Explained, "sqlite")
def _on_sqlite(element: _Explained, compiler: SQLCompiler, **kw: Any) -> str:
    if element.analyze:
        raise ConfigurationError("SQLite can't analyze a statement; leave analyze=True out")
    return f"EXPLAIN QUERY PLAN {compiler.process(element.query, **kw)}"


def plan_of(connection: Connection, query: Select[Any], *, analyze: bool) -> str:
    """Return how the database means to answer a statement, a line each step."""
    # The driver's rows, for SQLAlchemy would take them for rows of the query. SQLite numbers the
    # steps before it says what they are.
    rows = connection.execute(_Explained(query, analyze=analyze)).cursor.fetchall()
    return "\n".join(str(row[-1]) for row in rows)
