"""Scripted servers, as the tests of the transfers have them."""

from tests.artifacts.conftest import _unproxied, server, start

__all__ = ["_unproxied", "server", "start"]
