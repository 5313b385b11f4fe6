"""What every model shares: metadata, column types, the look of a record, and that it is read."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    event,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedColumn,
    Session,
    mapped_column,
    relationship,
)

from ecephys_dal.database.engine import is_owned
from ecephys_dal.database.numbers import as_float
from ecephys_dal.errors import ReadOnlyError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine
    from sqlalchemy.sql.operators import OperatorType

__all__ = [
    "Base",
    "DayOrTimestamp",
    "ForeignId",
    "Identifier",
    "PrimaryKey",
    "Real",
    "Record",
    "reference",
    "related",
]

# SQLite makes a rowid only of INTEGER; there it holds 64 bits all the same.
Identifier = BigInteger().with_variant(Integer, "sqlite")


class Real(TypeDecorator[float]):
    """A number of double precision; where LIMS has a NUMERIC that is none, reading it fails."""

    impl = Double
    cache_ok = True

    @property
    def python_type(self) -> type[float]:
        """What a value is in Python."""
        return float

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> Any:
        """Return the type of what is compared with such a number: as with any other number."""
        return self.impl_instance.coerce_compared_value(op, value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what converts a value, or None if the driver gives floats."""
        if super().result_processor(dialect, coltype) is None:
            return None
        return lambda value: None if value is None else as_float(value)


class DayOrTimestamp(TypeDecorator[dt.datetime]):
    """A moment whose column may be a DATE or a TIMESTAMP; a date is read as its midnight."""

    impl = DateTime
    cache_ok = True

    @property
    def python_type(self) -> type[dt.datetime]:
        """What a value is in Python."""
        return dt.datetime

    def process_result_value(self, value: dt.date | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Turn a date into the datetime of its midnight."""
        if value is None or isinstance(value, dt.datetime):
            return value
        return dt.datetime.combine(value, dt.time())


# Ids are LIMS's to give; a database that we own must never invent one.
PrimaryKey = Annotated[
    int, mapped_column(Identifier, primary_key=True, autoincrement=False, sort_order=-1)
]
# The id of a record in a table that is not modelled.
ForeignId = Annotated[int, mapped_column(Identifier)]
Record = dict[str, Any]

# LIMS is read in bulk: a load hidden in an attribute access is a mistake, not a convenience.
related = partial(relationship, lazy="raise")


def reference(column: str, *, nullable: bool = True) -> MappedColumn[Any]:
    """Declare an indexed foreign key, such as ``reference("donors.id")``.

    Parameters
    ----------
    column : str
        The column that is referred to.
    nullable : bool
        Rails makes columns nullable by default, so we do too.

    Returns
    -------
    MappedColumn
    """
    return mapped_column(Identifier, ForeignKey(column), nullable=nullable, index=True)


class Base(DeclarativeBase):
    """The base of all models of LIMS tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: Integer,
        float: Real,
        str: String,
        dt.datetime: DateTime,
        Record: JSON(none_as_null=True),
    }

    id: Mapped[PrimaryKey]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.__dict__.get('id')})"


@event.listens_for(Session, "before_flush")
def _refuse_to_flush(db: Session, *_: Any) -> None:
    """Refuse a flush that would write records of LIMS, before it asks or tells the database."""
    for done, records in (("inserted", db.new), ("changed", db.dirty), ("deleted", db.deleted)):
        for record in records:
            if isinstance(record, Base) and (done != "changed" or db.is_modified(record)):
                _refuse_to_write(record, done, db.get_bind(type(record)))


# What a listener of the caller's adds to a flush that has begun.
@event.listens_for(Base, "before_insert", propagate=True)
@event.listens_for(Base, "before_delete", propagate=True)
def _refuse_late(_: object, connection: Connection, record: Base) -> None:
    _refuse_to_write(record, "written", connection)


def _refuse_to_write(record: Base, done: str, bind: Connection | Engine) -> None:
    if not is_owned(bind):
        raise ReadOnlyError(
            f"{record!r} would be {done} by a flush, but LIMS is only read; expunge it from the ORM"
            " session, or, if the database is your own, take one that is opened by"
            " Database(url, owned=True)"
        )
