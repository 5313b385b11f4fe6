"""Programs to run, thin over the library: ``ecephys-dal``, and the tour that ``demo`` shows."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run ``ecephys-dal`` with the arguments of this process, and return its exit code."""
    try:
        from ecephys_dal.cli.interruption import (  # noqa: PLC0415 - the tour needs none of it
            end_soon_after_interruption,
        )
        from ecephys_dal.cli.program import run  # noqa: PLC0415
        from ecephys_dal.cli.streams import open_what_is_closed  # noqa: PLC0415

        open_what_is_closed()
        end_soon_after_interruption()
        return run()
    except KeyboardInterrupt:  # before there was a program to tell of it
        print("ecephys-dal: interrupted", file=sys.stderr)
        return 130
