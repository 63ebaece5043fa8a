"""``python -m gateway``: run a gateway until stopped."""

import sys

from bus.service import run

from .service import GatewayService

if __name__ == "__main__":
    sys.exit(run("gateway", GatewayService))
