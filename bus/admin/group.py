"""The group ``zeropit admin`` and what its commands share: a connected client, output, refusals.

Invariant: each command is calls of the client SDK alone: what the venue refuses here it refuses to every
client. A refusal is one line on standard error and exit code 1.
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import OutcomeUnknown, ZeropitError
from ..settings import load
from .access import Access, config_option, find_access, set_option
from .output import Output


class Repeatable(OutcomeUnknown):
    """An unknown outcome of what may safely be asked for again; the message says how."""


@click.group()
@click.option("--gateway", help="Endpoint of a gateway (default: the one of these settings).")
@click.option("--key", envvar="ZEROPIT_KEY", show_envvar=True, help="Key to log on with.")
@click.option(
    "--secret", envvar="ZEROPIT_SECRET", show_envvar=True,
    help="Its secret; better by environment or typed in: a command line can be read by others.",
)  # fmt: skip
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait.")
@config_option
@set_option
@click.pass_context
def admin(
    context: click.Context,
    gateway: str | None,
    key: str | None,
    secret: str | None,
    timeout_s: float,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Administer a venue: markets, assets, accounts, keys, funds, orders.

    Without --key and --secret, and only towards a demo venue of these settings on this machine, the public
    demo key is used.
    """
    settings = load(config, overrides)
    # Only a command that runs looks for a key, not one that is asked for its help; and it looks once.
    context.obj = functools.cache(lambda: find_access(settings, gateway, key, secret, timeout_s))


def leaf(group: click.Group, name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Add a command that gets a connected client and an output before its own parameters."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, **parameters: Any) -> None:
            find: Callable[[], Access] = click.get_current_context().obj
            try:
                with find().client() as client:
                    function(client, Output(as_json), **parameters)
            except Repeatable as error:
                _fail(error, as_json)
            except OutcomeUnknown as error:
                detail = f"{error.detail}; look at what it should have changed before you repeat it"
                _fail(OutcomeUnknown(error.code, detail), as_json)
            except ZeropitError as error:
                _fail(error, as_json)

        option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
        return group.command(name)(option(run))

    return decorate


def _fail(error: ZeropitError, as_json: bool) -> None:
    click.echo(json.dumps(error.as_json()) if as_json else f"error: {error}", err=True)
    sys.exit(1)
