"""Typed, read-only access to the Allen Institute's Neuropixels records in LIMS."""

import lazy_loader

from ecephys_dal.version import __version__ as __version__

# The public names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
