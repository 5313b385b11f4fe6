"""Programs to run, thin over the library: ``ecephys-dal``, and the tour that ``demo`` shows."""

__all__ = ["main"]


def main() -> int:
    """Run ``ecephys-dal`` with the arguments of this process, and return its exit code."""
    from ecephys_dal.cli.interruption import (  # noqa: PLC0415 - the tour needs none of it
        end_soon_after_interruption,
    )
    from ecephys_dal.cli.program import run  # noqa: PLC0415

    end_soon_after_interruption()
    return run()
