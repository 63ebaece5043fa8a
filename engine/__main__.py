"""Run the engine: ``python -m engine``, the same as ``zeropit engine``."""

import sys

from bus.service import run

from .service import EngineService


def main(argv: list[str] | None = None) -> int:
    """Run the engine until it is told to stop; return the exit code."""
    return run("engine", EngineService, argv)


if __name__ == "__main__":
    sys.exit(main())
