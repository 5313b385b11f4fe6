"""The demo shows every line of the main job, and what each prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ecephys_dal.cli import demo


def test_the_demo_runs_the_main_job_and_shows_every_line_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ecephys_dal.cli.demo"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    source = demo.TOUR.read_text(encoding="utf-8")
    shown = [line for line in source.split("\n\n", 1)[1].splitlines() if line]
    assert [line for line in shown if line not in done.stdout] == []
    for printed in ("57 metrics of", "of them good", "local_index", "probe_", "movie (30, 38, 76)"):
        assert printed in done.stdout
    assert done.stderr == ""  # which is no terminal
    (folder,) = tmp_path.iterdir()
    files = {path.name for path in folder.iterdir()}
    assert {"lims.db", "session.nwb", "lfp.nwb", "movie.npy", "scene.tiff"} <= files


def test_the_blocks_are_the_whole_script() -> None:
    source = demo.TOUR.read_text(encoding="utf-8")
    blocks = list(demo.blocks(source))
    assert len(blocks) == 1 + source.count("\n\n# ")
    assert all(block.strip() in source for block in blocks)
