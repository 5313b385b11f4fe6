"""Imports what children need, once for all of them."""

import gc
from contextlib import suppress

with suppress(ImportError):  # it has an environment of its own
    from . import theirs  # noqa: F401

from . import forms  # noqa: F401

gc.freeze()  # so that children do not look through all of it again, each for itself
