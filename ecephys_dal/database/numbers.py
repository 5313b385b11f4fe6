"""Numbers that a double can't hold, which Python would take for infinity: NUMERIC, and of JSON."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from functools import partial
from typing import Any

__all__ = ["as_float", "loads"]


def as_float(value: Any) -> float:
    """Return a number, or a text of one, as a float.

    Raises
    ------
    OverflowError
        If it is finite, and beyond the range of a float.
    """
    number = float(value)
    if math.isinf(number) and "inf" not in str(value).lower():
        raise OverflowError(f"{Decimal(value):.3g} is beyond the range of a float")
    return number


# Of JSON's grammar a number is never "inf"; Python's own "Infinity" is no number but a constant.
loads = partial(json.loads, parse_float=as_float)
