"""Which gateway the operator's commands go to, and with which key.

Invariant: a key that everybody knows is used by default only towards a demo venue of this machine's own
settings, and that is said; towards anything else key and secret must be given.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from .. import runfile
from ..client import Client
from ..errors import Code, SessionError
from ..settings import Settings

DEMO_KEY = "operator"
DEMO_SECRET = "operator-secret"
"""The operator of the shipped seed, ``config/seed.toml`` (a test compares)."""

LOOPBACK = re.compile(r"tcp://(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:127\.\d+\.\d+\.\d+\]):\d+")


@dataclass(frozen=True, slots=True)
class Access:
    """A gateway and what to log on with.

    Attributes
    ----------
    scram_iterations
        Rounds of SCRAM for keys made here.
    """

    gateway: str
    key: str
    secret: str
    timeout_s: float
    scram_iterations: int

    def client(self) -> Client:
        """Return a client that is not connected yet."""
        return Client(self.gateway, self.key, self.secret, timeout_s=self.timeout_s)


def find_access(
    settings: Settings, gateway: str | None, key: str | None, secret: str | None, timeout_s: float
) -> Access:
    """Return where to go and with what, from what was given and what the settings say.

    Raises
    ------
    SessionError
        NOT_LOGGED_ON when key or secret is missing and the demo key may not stand in for them.
    """
    endpoint = gateway or _own_gateway(settings)
    if key is None and secret is None and gateway is None and is_demo(settings, endpoint):
        click.echo(f"using the public demo key {DEMO_KEY!r}", err=True)
        key, secret = DEMO_KEY, DEMO_SECRET
    elif key and secret is None and sys.stdin.isatty():
        secret = click.prompt(f"secret of {key}", hide_input=True, err=True)
    if not key or not secret:
        missing = " and ".join(
            name for name, value in (("--key", key), ("the secret (ZEROPIT_SECRET)", secret)) if not value
        )
        raise SessionError(Code.NOT_LOGGED_ON, f"expected {missing} for {endpoint}, was none")
    return Access(endpoint, key, secret, timeout_s, settings.gateway.scram_iterations)


def is_demo(settings: Settings, endpoint: str) -> bool:
    """Whether these settings start a demo venue, and the endpoint is on this machine."""
    return settings.seed.file == type(settings.seed)().file and _is_local(endpoint)


def _own_gateway(settings: Settings) -> str:
    """Return the gateway that runs under these settings, or else the one that they would start."""
    for running in runfile.read_all(settings.venue.run_dir):
        if running.component == "gateway" and "gateway" in running.endpoints:
            return running.endpoints["gateway"]
    return settings.endpoints.gateway


def _is_local(endpoint: str) -> bool:
    return endpoint.startswith("ipc://") or LOOPBACK.fullmatch(endpoint) is not None


config_option = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="section.key=value", help="Override a setting."
)
