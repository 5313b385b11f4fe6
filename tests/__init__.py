"""Tests; what helps them asserts too, also under PYTHONOPTIMIZE."""

import os
import pkgutil

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{one.name}" for one in pkgutil.iter_modules(__path__))
)

for name in [one for one in os.environ if one.startswith("TQDM_")]:  # which tests set themselves
    del os.environ[name]
