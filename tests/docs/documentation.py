"""The pages of the documentation, and their fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
AT_THE_ROOT = ("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in AT_THE_ROOT), *sorted((ROOT / "docs").glob("*.md")))
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r"\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+\.md)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, its line in the page, and what it should print."""

    language: str
    text: str
    line: int
    output: str | None = None


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[Block]:
    content = page.read_text(encoding="utf-8")
    found = (
        Block(
            match[1],
            match[2],
            content.count("\n", 0, match.start(2)) + 1,
            (after := _OUTPUT.match(content, match.end())) and after[1],
        )
        for match in _FENCED.finditer(content)
    )
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def in_the_order_of_the_index() -> list[Path]:
    """Return all pages, as the index lists them."""
    index = ROOT / "docs" / "index.md"
    named = [(index.parent / link).resolve() for link in _LINK.findall(prose(index))]
    return [index, *dict.fromkeys(page for page in named if page in PAGES)]
