"""``zeropit replay FILE``: play a recorded market on a running venue.

Invariant: the venue is left with what the recording left: no key of this run stays behind.
"""

import secrets
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..admin.access import config_option, find_access, set_option
from ..client import Client, Market
from ..errors import Code, Rejected
from ..settings import load
from .capture import LOT_DECIMALS, TICK_DECIMALS, Capture, load_capture, read_files
from .flow import ACCOUNTS, HINDSIGHT, flow_of
from .player import Player
from .setting_up import open_accounts, open_broker

KEY_ID_BYTES = 4
ADMIN_S_MAX = 15.0


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--market", default="BTC-USD", show_default=True, help="Where to trade.")
@click.option("--gateway", help="Endpoint of a gateway (default: the one of these settings).")
@click.option("--key", envvar="ZEROPIT_KEY", show_envvar=True, help="An administrator's key.")
@click.option("--secret", envvar="ZEROPIT_SECRET", show_envvar=True, help="Its secret.")
@click.option("--accounts", default=ACCOUNTS, show_default=True, type=click.IntRange(1, 100))
@click.option("--base", default="1000", show_default=True, help="Base asset given to each new account.")
@click.option("--quote", default="15000000", show_default=True, help="Quote asset given to each new account.")
@click.option(
    "--first", default=0, metavar="N", type=click.IntRange(0), help="Play only the first N commands."
)
@config_option
@set_option
def replay(
    file: Path,
    market: str,
    gateway: str | None,
    key: str | None,
    secret: str | None,
    accounts: int,
    base: str,
    quote: str,
    first: int,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Play a recorded market FILE: the wheel ob-analytics, or the folder of its three files.

    Orders and cancels go through one pipelined client session as fast as the venue takes them, spread over
    accounts that are made for it (replay-00, replay-01, …). What still rests in the end is cancelled.
    """
    capture = load_capture(read_files(file))
    steps = flow_of(capture, accounts).steps[: first or None]
    access = find_access(load(config, overrides), gateway, key, secret, ADMIN_S_MAX)
    broker, broker_secret = f"replay-{secrets.token_hex(KEY_ID_BYTES)}", secrets.token_hex(16)
    with access.client() as admin:
        deposits = _deposits(admin.markets(), market, base, quote)
        names = open_accounts(admin, "replay", accounts, deposits)
        open_broker(admin, broker, broker_secret, names)
        try:
            with Client(access.gateway, broker, broker_secret) as client:
                player = Player(client, market, names, prefix=f"{broker[-2 * KEY_ID_BYTES :]}-")
                with _bar() as bar:
                    task = bar.add_task("replay", total=len(steps))
                    try:
                        player.play(steps, lambda done: bar.update(task, completed=done))
                    finally:
                        for name in names:
                            client.cancel_all(market, account=name)
        finally:
            admin.revoke_key(broker)
    _report(capture, player)


def _deposits(markets: dict[str, Market], market: str, base: str, quote: str) -> tuple[tuple[str, str], ...]:
    """Return what each account is given on a market, after a look whether it suits a recording."""
    found = markets.get(market)
    if found is None:
        names = ", ".join(markets) or "none at all"
        raise Rejected(Code.UNKNOWN_MARKET, f"expected a market of this venue ({names}), was {market}")
    sizes = (f"0.{1:0{TICK_DECIMALS}}", f"0.{1:0{LOT_DECIMALS}}")
    if (found.tick_size, found.lot_size) != sizes:
        raise Rejected(
            Code.INVALID_MARKET,
            f"expected a market with ticks of {sizes[0]} and lots of {sizes[1]}, was {market} with "
            f"{found.tick_size} and {found.lot_size}",
        )
    return (found.base, base), (found.quote, quote)


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
