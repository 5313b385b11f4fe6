"""The processes that ask, each in the environment of the one for whom it asks."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from benchmarks.tables.races import Run

__all__ = ["Worker", "Workers"]

_ROOT = Path(__file__).parents[2]
_LONGEST = 900  # seconds
_ARROW = ("pyarrow", "adbc_driver_postgresql", "duckdb")
# By who asks: the module of the contestants, and which packages it must do without.
_MODULES = {"ours": ("ours",), "bare": ("ours", *_ARROW), "theirs": ("theirs",)}


class Worker:
    """A process that answers questions.

    Parameters
    ----------
    python : str
        The interpreter.
    module : str
        Of the contestants.
    absent : str
        Packages that must seem not to be installed.
    """

    def __init__(self, python: str, module: str, *absent: str) -> None:
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process: Any = subprocess.Popen(  # noqa: S603 - our own command
            [python, "-m", "benchmarks.tables.worker", module, *absent],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
        )

    def ask(self, run: Run, *, server: int | None = None, compare: bool = False) -> dict[str, Any]:
        """Return what a run took or, to be compared, what came out."""
        asked = {
            "does": run.does,
            "arguments": run.arguments,
            "repeat": run.repeat,
            "server": server,
            "compare": compare,
        }
        heard = self._process.stdout
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        ready, _, _ = select.select([heard], [], [], _LONGEST)
        line = heard.readline() if ready else ""
        if not line:
            self._complaints.seek(0)
            reason = self._complaints.read()[-4000:] if ready else f"no answer in {_LONGEST} s"
            raise SystemExit(f"{run.name} failed:\n{reason}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:
            self._process.kill()
        with self._process:  # which closes its input, and waits
            pass
        self._complaints.close()


class Workers(ExitStack):
    """The processes, each started when it is first asked, and ended at the end.

    Parameters
    ----------
    allensdk : str
        The interpreter of AllenSDK's environment.
    """

    def __init__(self, allensdk: str) -> None:
        super().__init__()
        self._allensdk = allensdk
        self._running: dict[str, Worker] = {}

    def _new(self, by: str) -> Worker:
        python = self._allensdk if by == "theirs" else sys.executable
        return Worker(python, *_MODULES.get(by, (by,)))

    def ask(self, run: Run, **how: Any) -> dict[str, Any]:
        """Let the process of those who ask do it; a new one, if the run wants that."""
        if run.fresh:
            with self._new(run.by) as worker:
                return worker.ask(run, **how)
        if run.by not in self._running:
            self._running[run.by] = self.enter_context(self._new(run.by))
        return self._running[run.by].ask(run, **how)
