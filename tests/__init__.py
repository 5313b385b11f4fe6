"""Tests; what helps them asserts too, also under PYTHONOPTIMIZE."""

import pkgutil

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{one.name}" for one in pkgutil.iter_modules(__path__))
)
