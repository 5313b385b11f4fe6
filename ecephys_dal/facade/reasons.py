"""Why a record or a file is missing, and how a question is answered: AllenSDK has neither."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ecephys_dal import repositories
from ecephys_dal.errors import BeyondSnapshotError, InvalidFilterError, SchemaMismatchError
from ecephys_dal.filters import (
    ChannelFilter,
    Filter,
    ProbeFilter,
    SessionFilter,
    UnitFilter,
    checked_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecephys_dal.database import Database
    from ecephys_dal.filters import Day, Names
    from ecephys_dal.repositories import Explanation, Repository, Why, WhyOne

R = TypeVar("R", bound="Repository[Any, Any]")

__all__ = ["ReasonMethods", "checked_rules"]


class ReasonMethods:
    """Why a record is missing, and how a question is answered."""

    STIMULUS_TEMPLATE_NAMESPACE: ClassVar[str]
    postgres_engine: Database
    without_rules: frozenset[str]

    def _asking(self, repository: type[R]) -> R:
        """Return a repository that does without the rules that we do without."""
        without = self.without_rules.intersection(repository.rule_names())
        return repository(self.postgres_engine, without_rules=without)

    def why(
        self,
        *,
        session_id: int | None = None,
        probe_id: int | None = None,
        channel_id: int | None = None,
        unit_id: int | None = None,
        natural_movie: int | None = None,
        natural_scene: int | None = None,
        published_at: Day = None,
    ) -> Why | WhyOne:
        """Tell why a record is in the tables, or is not.

        Parameters
        ----------
        session_id, probe_id, channel_id, unit_id : int, optional
            The record; name one. With a session comes the reason why there is an NWB file of it or
            none, with a probe that of its LFP file, with a unit that of its metric bundles.
        natural_movie, natural_scene : int, optional
            The number of a stimulus template, instead of a record.
        published_at : str or date, optional
            As it was given to the table.

        Returns
        -------
        Why or WhyOne
            Whether the record exists, whether those that it belongs to do, and for each rule and
            condition whether it passes, fails or is unknown because of a NULL, with the values that
            were found. Print it, or show it in a notebook.

        Raises
        ------
        InvalidFilterError
            If no record or several are named.

        Notes
        -----
        AllenSDK has no such method.
        """
        given = {
            "session_id": session_id,
            "probe_id": probe_id,
            "channel_id": channel_id,
            "unit_id": unit_id,
            "natural_movie": natural_movie,
            "natural_scene": natural_scene,
        }
        named = {name: checked_id(name, one) for name, one in given.items() if one is not None}
        if len(named) != 1:
            raise InvalidFilterError(f"name one record, by {', '.join(given)}; not {len(named)}")
        ((name, number),) = named.items()
        reason: Why | WhyOne = getattr(self, f"_why_{name}")(number, published_at)
        return reason

    def _why_session_id(self, session_id: int, published_at: Day) -> Why:
        spec = SessionFilter(published_at=published_at)
        why = self._asking(repositories.SessionRepository).why(session_id, spec)
        return self._with(why, repositories.why_session_nwb, repositories.SessionNwbRepository)

    def _why_probe_id(self, probe_id: int, published_at: Day) -> Why:
        why = self._asking(repositories.ProbeRepository).why(
            probe_id, ProbeFilter(published_at=published_at)
        )
        return self._with(why, repositories.why_probe_lfp, repositories.ProbeLfpRepository)

    def _why_channel_id(self, channel_id: int, published_at: Day) -> Why:
        spec = ChannelFilter(published_at=published_at)
        return self._asking(repositories.ChannelRepository).why(channel_id, spec)

    def _why_unit_id(self, unit_id: int, published_at: Day) -> Why:
        why = self._asking(repositories.UnitRepository).why(
            unit_id, UnitFilter(published_at=published_at)
        )
        return self._with(why, repositories.why_unit_metrics, repositories.UnitMetricRepository)

    def _with(self, why: Why, tell: Callable[[R, int], WhyOne], repository: type[R]) -> Why:
        """Add what is told of something that belongs to the record."""
        try:
            related = tell(self._asking(repository), why.record_id)
        except (SchemaMismatchError, BeyondSnapshotError) as error:  # the record itself needs less
            related = repositories.WhyOne(
                f"{repository.noun} of {why.model} {why.record_id}", remark=str(error)
            )
        return replace(why, related=(related,))

    def _why_natural_movie(self, number: int, published_at: Day) -> WhyOne:
        return self._why_template("natural_movie", number, published_at)

    def _why_natural_scene(self, number: int, published_at: Day) -> WhyOne:
        return self._why_template("natural_scene", number, published_at)

    def _why_template(self, kind: str, number: int, published_at: Day) -> WhyOne:
        if published_at is not None:
            raise InvalidFilterError("templates are not published by day; leave published_at out")
        namespace = self.STIMULUS_TEMPLATE_NAMESPACE
        return repositories.why_template(
            self._asking(repositories.TemplateRepository), f"{kind}_{number}", namespace
        )

    def explain(self, spec: Filter, *, counts: bool = True, analyze: bool = False) -> Explanation:
        """Tell how the database answers a question, and what each demand leaves of the table.

        Parameters
        ----------
        spec : Filter
            The question, as ``UnitFilter(session_ids=[715093703])``; its type names the table.
        counts, analyze
            As for `Repository.explain`.

        Returns
        -------
        Explanation
            The SQL, the database's plan, and how many records each join, rule and field leaves.

        Raises
        ------
        InvalidFilterError
            If it is no filter of this library.

        Notes
        -----
        AllenSDK has no such method.
        """
        if type(spec) not in repositories.REPOSITORIES:
            raise InvalidFilterError(
                f"explain takes a filter, such as UnitFilter(session_ids=[715093703]), not {spec!r}"
            )
        return self._asking(repositories.REPOSITORIES[type(spec)]).explain(
            spec, counts=counts, analyze=analyze
        )


def checked_rules(names: Names) -> frozenset[str]:
    """Return the names of rules, or raise an `InvalidFilterError` if one is unknown."""
    without = Filter(without_rules=names).without_rules or ()
    if not without:
        return frozenset()
    from ecephys_dal.rules import RULES, check_rule_names  # noqa: PLC0415 - SQLAlchemy takes its time

    check_rule_names(without, "this library", (rule.name for rule in RULES))
    return frozenset(without)
