"""What a notebook shows of the facade: where it is connected, and how much it sees."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

from ecephys_dal import repositories
from ecephys_dal.database import is_in_memory
from ecephys_dal.display import html_table
from ecephys_dal.errors import EcephysDalError

if TYPE_CHECKING:
    from ecephys_dal.database import Database

__all__ = ["GlanceMethods"]

_PATIENCE = 3  # seconds that a notebook may wait for a cell to be shown


class GlanceMethods:
    """Show a facade in a notebook, whether its database answers or not."""

    postgres_engine: Database
    app_engine: Any
    without_rules: frozenset[str]

    def _repr_html_(self) -> str:
        without = ", ".join(sorted(self.without_rules))
        rows = [
            ("tables", repr(self.postgres_engine)),
            ("files", repr(self.app_engine)),
            ("sessions", self._sessions_seen()),
            ("rules left out", without or "none"),
        ]
        return html_table((type(self).__name__, ""), rows)

    def _sessions_seen(self) -> str:
        """Return how many sessions are visible, or why that is not known."""
        if is_in_memory(self.postgres_engine.url):  # which another thread has not
            return self._count_sessions()
        seen: list[str] = []
        # Nothing ends a wait for a server that is gone, so it is left behind.
        thread = Thread(target=lambda: seen.append(self._count_sessions()), daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        return seen[0] if seen else f"not known: the database did not answer in {_PATIENCE} s"

    def _count_sessions(self) -> str:
        without = self.without_rules.intersection(repositories.SessionRepository.rule_names())
        sessions = repositories.SessionRepository(self.postgres_engine, without_rules=without)
        try:
            return f"{sessions.count()} visible"
        except EcephysDalError as error:
            return f"not known: {error}"
        except Exception as error:  # to show an object must not fail
            return f"not known: {type(error).__name__}"
