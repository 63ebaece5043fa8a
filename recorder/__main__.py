"""``python -m recorder``: run the recorder until stopped."""

import sys

from bus.service import run

from .service import Recorder

if __name__ == "__main__":
    sys.exit(run("recorder", Recorder))
