"""The generated part of data-model.md, from the models."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, inspect
from sqlalchemy.dialects import postgresql

from ecephys_dal.models import LIMS_MODELS, LIMS_TABLES, Attachable, WellKnownFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, ForeignKey, Table
    from sqlalchemy.orm import Mapper, RelationshipProperty

    from ecephys_dal.models import Base


def generated() -> Iterator[str]:
    yield from ("## The tables", "")
    yield from table_of_tables()
    for table in tables():
        yield from columns_of(table)


def tables() -> list[Table]:
    """Return the tables, by name."""
    return [LIMS_TABLES[name] for name in sorted(LIMS_TABLES)]


def mappers() -> dict[str, Mapper[Base]]:
    return {model.__tablename__: inspect(model) for model in LIMS_MODELS}


def attachments() -> Iterator[str]:
    yield from ("| `attachable_type` | the table of the owner |", "|---|---|")
    for relation in owners():
        name = relation.mapper.local_table.name
        yield f"| `{relation.mapper.class_.__name__}` | [{name}](#{name}) |"
    yield ""


def owners() -> list[RelationshipProperty[Base]]:
    return [
        relation
        for relation in inspect(WellKnownFile).relationships
        if issubclass(relation.mapper.class_, Attachable)
    ]


def table_of_tables() -> Iterator[str]:
    yield from ("| table | model | what a row is |", "|---|---|---|")
    for table in tables():
        mapper = mappers().get(table.name)
        model = f"`{mapper.class_.__name__}`" if mapper else f"`{table.name}`, a `Table`"
        yield f"| [{table.name}](#{table.name}) | {model} | {meaning(table)} |"
    yield ""


def meaning(table: Table) -> str:
    """Return the docstring of a model as one line of Markdown."""
    mapper = mappers().get(table.name)
    if mapper is None:
        ends = " and ".join(key.column.table.name for key in sorted_keys(table))
        return f"One pair of the many-to-many relation of {ends}."
    text = " ".join(cleandoc(mapper.class_.__doc__ or "").split())
    return text.replace("``", "`").replace("|", r"\|")


def sorted_keys(table: Table) -> list[ForeignKey]:
    return sorted(table.foreign_keys, key=lambda key: key.parent.name)


def columns_of(table: Table) -> Iterator[str]:
    yield from (f"### {table.name}", "")
    yield from ("| column | type | null | refers to |", "|---|---|---|---|")
    for column in table.columns:
        null = "yes" if column.nullable else "no"
        yield f"| {column.name} | {type_of(column)} | {null} | {refers_to(column)} |"
    yield ""
    yield from relationships_of(table)


def type_of(column: Column[object]) -> str:
    """Return the type that PostgreSQL gives the column."""
    name = column.type.compile(dialect=postgresql.dialect())
    return name.removesuffix(" WITHOUT TIME ZONE").lower()


def refers_to(column: Column[object]) -> str:
    if column.foreign_keys:
        names = (key.column.table.name for key in column.foreign_keys)
        return ", ".join(f"[{name}](#{name})" for name in names)
    if column is WellKnownFile.__table__.c.attachable_id:
        return "the table that attachable_type names"
    if isinstance(column.type, BigInteger) and column.name.endswith("_id"):
        return "a table that is not modelled"
    return ""


def relationships_of(table: Table) -> Iterator[str]:
    mapper = mappers().get(table.name)
    if mapper is not None and mapper.relationships:
        names = (
            f"`{relation.key}` ({'many ' if relation.uselist else ''}"
            f"{relation.mapper.class_.__name__})"
            for relation in mapper.relationships
        )
        yield from (f"Relationships of `{mapper.class_.__name__}`: {', '.join(names)}.", "")
