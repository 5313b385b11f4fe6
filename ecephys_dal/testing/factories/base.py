# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D106 - a nested Meta or Params belongs to its factory
"""What all factories share: ids of one sequence, the ORM session of `using`, fixed times."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from factory.alchemy import SQLAlchemyModelFactory
from factory.declarations import LazyFunction

from ecephys_dal.testing.binding import bound_db, next_id

if TYPE_CHECKING:
    from ecephys_dal import models

__all__ = ["ACQUIRED_AT", "CREATED_AT", "PRODUCTION", "RELEASE_DAY", "LimsFactory"]

M = TypeVar("M", bound="models.Base")

PRODUCTION = "/allen/programs/braintv/production/neuralcoding/prod0"
CREATED_AT = dt.datetime.fromisoformat("2018-06-27T20:22:17.543818")
ACQUIRED_AT = dt.datetime.fromisoformat("2019-01-19T08:54:18.922676")
RELEASE_DAY = dt.date(2019, 10, 3)


class LimsFactory(SQLAlchemyModelFactory, Generic[M]):
    """The base of all factories: ids of one sequence, and the ORM session of `using`."""

    class Meta:
        abstract = True
        sqlalchemy_session_persistence = "flush"

    id = LazyFunction(next_id)

    @classmethod
    def build(cls, **columns: Any) -> M:
        """Make a record and its parents without a database.

        Parameters
        ----------
        **columns
            What differs from the defaults: columns, parents (``specimen=...``), or columns of
            parents (``specimen__name=...``).

        Returns
        -------
        Base
            The model of this factory.
        """
        return cast("M", super().build(**columns))

    @classmethod
    def create(cls, **columns: Any) -> M:
        """Make a record and its parents, and flush them to the ORM session of `using`.

        Calling the factory does the same.

        Parameters
        ----------
        **columns
            As for `build`.

        Returns
        -------
        Base
            The model of this factory.
        """
        return cast("M", super().create(**columns))

    @classmethod
    def _create(cls, model_class: type[models.Base], *args: Any, **kwargs: Any) -> Any:
        return cls._save(model_class, bound_db(), args, kwargs)
