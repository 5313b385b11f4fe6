"""The pictures of the pages, made by the pages' own Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def draw(folder: Path) -> None:
    """Run the pages that save pictures, and keep these."""
    folder.mkdir(exist_ok=True)
    for page in sorted(HERE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if "savefig(" in text:
            run("\n".join(_PYTHON.findall(text)), folder)


def run(script: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(  # noqa: S603 - our own pages
            [sys.executable, "-c", script],
            cwd=made,
            env={**os.environ, "MPLBACKEND": "agg", "TQDM_DISABLE": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for picture in Path(made).glob("*.png"):
            (folder / picture.name).write_bytes(picture.read_bytes())
