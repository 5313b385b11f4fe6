"""The contents of the site, from the table of pages that index.md is."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

INDEX = "docs/index"
# What a browser fetches by itself, which is whatever is no link to follow.
_LOADED = re.compile(r"""(?:\ssrc=|<link\s[^>]*href=|\bimport\s[^;]*)["']?(?:https?:)?//[^"'>]+""")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_PAGE = re.compile(r"^\| \[([^\]]+)\]\(([^)]+)\.md\)", re.MULTILINE)


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Give the index a table of contents for each of its sections, for the menu."""
    if name == INDEX:
        reference = sorted(Path(app.srcdir).glob("docs/reference/*.rst"))
        source[0] += "\n".join(
            contents(source[0], [f"/docs/reference/{one.stem}" for one in reference])
        )


def contents(index: str, reference: list[str]) -> Iterator[str]:
    _, *sections = _SECTION.split(index)
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        pages = [f"{title} <{absolute(page)}>" for title, page in _PAGE.findall(text)]
        if title == "Reference":
            pages += reference
        if pages:
            yield from ("", "```{toctree}", f":caption: {title}", ":hidden:", "", *pages, "```", "")


def absolute(page: str) -> str:
    return "/" + normpath(PurePosixPath("docs") / page)


def refuse_the_network(app: Sphinx, _: Exception | None) -> None:
    """Fail if a page loads anything from elsewhere: the site is to be read offline."""
    for page in sorted(Path(app.outdir).rglob("*.html")):
        if found := _LOADED.search(page.read_text(encoding="utf-8")):
            raise ExtensionError(f"{page.relative_to(app.outdir)} loads {found[0].strip()}")


def write_front_door(app: Sphinx, _: Exception | None) -> None:
    """Send whoever asks for the site to its index."""
    page = f'<!doctype html><meta http-equiv="refresh" content="0; url={INDEX}.html">\n'
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")
