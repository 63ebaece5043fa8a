"""``zeropit replay FILE``: play a recorded market on a running venue.

Invariant: the venue is left with what the recording left: no key of this run stays behind.
"""

import secrets
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..client import Client
from ..errors import Code, Rejected
from ..settings import load
from .capture import Capture, load_capture, read_files
from .flow import ACCOUNTS, HINDSIGHT, flow_of
from .player import Player
from .setting_up import open_accounts, open_broker

KEY_ID_BYTES = 4


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--market", default="BTC-USD", show_default=True, help="Where to trade.")
@click.option("--gateway", default="", help="Endpoint; default: endpoints.gateway of the settings.")
@click.option("--key", default="operator", show_default=True, help="An administrator's key.")
@click.option("--secret", envvar="ZEROPIT_SECRET", default="operator-secret", help="Its secret.")
@click.option("--accounts", default=ACCOUNTS, show_default=True, type=click.IntRange(1, 100))
@click.option("--base", default="1000", show_default=True, help="Base asset given to each new account.")
@click.option("--quote", default="15000000", show_default=True, help="Quote asset given to each new account.")
@click.option("--rows", default=0, help="Play only the first rows; 0: all.")
def replay(
    file: Path,
    market: str,
    gateway: str,
    key: str,
    secret: str,
    accounts: int,
    base: str,
    quote: str,
    rows: int,
) -> None:
    """Play a recorded market FILE (the ob-analytics wheel, or the folder of its three files).

    Orders and cancels go through one pipelined client session as fast as the venue takes them, spread over
    accounts that are made for it.
    """
    capture = load_capture(read_files(file))
    steps = flow_of(capture, accounts).steps[: rows or None]
    endpoint = gateway or load().endpoints.gateway
    broker, broker_secret = f"replay-{secrets.token_hex(KEY_ID_BYTES)}", secrets.token_hex(16)
    with Client(endpoint, key, secret) as admin:
        known = admin.markets()
        if market not in known:
            raise Rejected(
                Code.UNKNOWN_MARKET, f"expected one of {', '.join(known) or 'no market'}, was {market}"
            )
        deposits = ((known[market].base, base), (known[market].quote, quote))
        names = open_accounts(admin, "replay", accounts, deposits)
        open_broker(admin, broker, broker_secret, names)
        try:
            with Client(endpoint, broker, broker_secret) as client, _bar() as bar:
                player = Player(client, market, names, prefix=f"{broker[-8:]}-")
                task = bar.add_task("replay", total=len(steps))
                player.play(steps, lambda done: bar.update(task, completed=done))
        finally:
            admin.revoke_key(broker)
    _report(capture, player)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _report(capture: Capture, player: Player) -> None:
    """Print what the venue answered, one line a code, and how fast."""
    outcomes = Counter(outcome.code for outcome in player.outcomes if outcome is not None)
    console = Console(highlight=False)
    for code, count in outcomes.most_common():
        console.print(f"{count:>9,}  {Code(code).name}")
    rate = len(player.outcomes) / max(player.seconds, 1e-9)
    console.print(f"{len(player.outcomes):,} commands in {player.seconds:.1f} s: {rate:,.0f} a second")
    console.print(f"The venue of the recording had {len(capture.trades)} trades. {HINDSIGHT}")
