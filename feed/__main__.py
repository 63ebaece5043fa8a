"""Run the feed: ``python -m feed``, the same as ``zeropit feed``."""

import sys

from bus.service import run

from .service import Feed

if __name__ == "__main__":
    sys.exit(run("feed", Feed))
