"""The orders in which contestants run, so that none of them always has the best place."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["orders"]

T = TypeVar("T")


def orders(contestants: Iterable[T], rounds: int) -> Iterator[list[T]]:
    """Yield an order for each round; every other one is the one before, reversed."""
    draw = random.Random(7)  # noqa: S311 - an order, and no secret
    order = list(contestants)
    for number in range(rounds):
        if number % 2:
            order.reverse()
        else:
            draw.shuffle(order)
        yield order
