"""How the site is built: the pages as they stand, and the reference from the code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import navigation  # noqa: E402
import pictures  # noqa: E402
import reference  # noqa: E402

import ecephys_dal  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project, author = "ecephys_dal", "The ecephys_dal developers"
release = version = ecephys_dal.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
# The pages stand where a host of repositories shows them too: the source is the whole repository.
include_patterns = ["*.md", "docs/*.md", "docs/reference/*.rst", "benchmarks/*.md"]
root_doc = "docs/index"

myst_heading_anchors = 4
default_role = "py:obj"
highlight_language = "none"  # of what is not said: mostly what a program prints
autodoc_typehints = "none"  # the docstrings name the types
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": "tuple,Exception,ValueError"}
python_maximum_signature_line_length = 72
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"ecephys_dal {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["tables.js"]
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", lambda _: reference.write(HERE / "reference"))
    app.connect("builder-inited", lambda _: pictures.draw(HERE / "pictures"))
    app.connect("source-read", navigation.add_contents)
    app.connect("build-finished", navigation.write_front_door)
    app.connect("build-finished", navigation.refuse_the_network)
