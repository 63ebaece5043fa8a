"""``zeropit admin outcome``: binary and odds markets from their creation to their settlement.

Invariant: what cannot be undone (settling, voiding, removing a runner) names what it is about in full.
"""

from datetime import datetime
from typing import Any

import click

from ..client import Client
from ..errors import Code, FormError
from .group import admin, leaf
from .output import Output


@admin.group()
def outcome() -> None:
    """Outcome markets (binary, odds): list, create, turn in-play, settle, void."""


@leaf(outcome, "list")
def outcome_list(client: Client, out: Output) -> None:
    """List all outcome markets; removed runners are left out."""
    columns = (
        "market", "model", "state", "asset", "outcomes", "in_play", "bet_delay_ms>", "commission_ppm>",
        "house",
    )  # fmt: skip
    rows = [
        (
            m.market, m.model, m.state, m.asset, [name for name in m.outcomes if name not in m.removed],
            m.in_play, m.bet_delay_ns // 1_000_000, m.commission_ppm, m.house,
        )
        for m in client.outcome_markets().values()
    ]  # fmt: skip
    out.rows(columns, rows)


@leaf(outcome, "create")
@click.argument("name", metavar="MARKET")
@click.argument("runners", metavar="[RUNNER]...", nargs=-1)
@click.option("--asset", required=True, help="What stakes and payouts are in.")
@click.option("--lot-size", required=True, help="Payout of one contract, or step of stakes; decimal.")
@click.option("--qty-max", required=True, help="Largest quantity of an order, decimal.")
@click.option("--commission-ppm", default=0, show_default=True, help="Of net winnings, at settlement.")
@click.option(
    "--removal-rule", type=click.Choice(["cancel_lays", "reduce_odds"]), default="cancel_lays",
    show_default=True, help="What becomes of open lays when a runner is removed.",
)  # fmt: skip
@click.option("--house", default="", help="Account that takes the other side of cross matches.")
@click.option("--match-loss-max", default="0", show_default=True, help="What it may lose in one match.")
@click.option("--house-loss-max", default="0", show_default=True, help="What it may lose in the market.")
def outcome_create(
    client: Client, out: Output, name: str, runners: tuple[str, ...], asset: str, **terms: Any
) -> None:
    """Create an odds market on RUNNERs, or without any a binary market."""
    client.create_outcome_market(name, asset, runners=runners, **terms)
    model = "odds" if runners else "binary"
    out.done(f"{model} market {name} created, open", {"market": name, "model": model, "state": "open"})


@leaf(outcome, "in-play")
@click.argument("name", metavar="MARKET")
@click.option("--bet-delay", "bet_delay_s", default=0.0, show_default=True, help="Seconds; at most 60.")
def outcome_in_play(client: Client, out: Output, name: str, bet_delay_s: float) -> None:
    """Turn a market in-play: orders that do not persist are cancelled, new ones wait for the delay."""
    client.turn_in_play(name, bet_delay_s=bet_delay_s)
    out.done(f"market {name} in-play", {"market": name, "in_play": True})


@leaf(outcome, "add-runner")
@click.argument("name", metavar="MARKET")
@click.argument("runner", metavar="RUNNER")
def outcome_add_runner(client: Client, out: Output, name: str, runner: str) -> None:
    """Add a runner to an odds market that is halted or suspended."""
    client.add_runner(name, runner)
    out.done(f"runner {runner} added to {name}", {"market": name, "runner": runner})


@leaf(outcome, "remove-runner")
@click.argument("name", metavar="MARKET")
@click.argument("runner", metavar="RUNNER")
@click.option("--reduction-ppm", type=int, required=True, help="By which winnings on others shrink; 0: not.")
def outcome_remove_runner(client: Client, out: Output, name: str, runner: str, reduction_ppm: int) -> None:
    """Remove a runner: bets on it are void, winnings on the others reduced; cannot be undone."""
    client.remove_runner(name, runner, reduction_ppm=reduction_ppm)
    facts: dict[str, Any] = {"market": name, "runner": runner, "reduction_ppm": reduction_ppm}
    out.done(f"runner {runner} removed from {name}", facts)


@leaf(outcome, "settle")
@click.argument("name", metavar="MARKET")
@click.argument("winners", metavar="WINNER...", nargs=-1, required=True)
def outcome_settle(client: Client, out: Output, name: str, winners: tuple[str, ...]) -> None:
    """Settle a closed market: one WINNER (YES or NO of a binary one), or several in a dead heat."""
    client.settle(name, *winners)
    out.done(f"market {name} is being settled: {' '.join(winners)}", {"market": name, "winners": winners})


@leaf(outcome, "void")
@click.argument("name", metavar="MARKET")
def outcome_void(client: Client, out: Output, name: str) -> None:
    """Void a closed market: every trade is undone."""
    client.void_market(name)
    out.done(f"market {name} is being voided", {"market": name, "voiding": True})


@leaf(outcome, "void-trades")
@click.argument("name", metavar="MARKET")
@click.option("--start", required=True, help="ISO 8601 with a time zone, or UTC nanoseconds.")
@click.option("--end", required=True, help="Trades before this time; as --start.")
def outcome_void_trades(client: Client, out: Output, name: str, start: str, end: str) -> None:
    """Void the trades of a market from a time to before another."""
    client.void_trades(name, _time(start), _time(end))
    out.done(f"trades of {name} are being voided", {"market": name, "start": start, "end": end})


def _time(text: str) -> datetime | int:
    """Return a time as it was given: nanoseconds, or ISO 8601."""
    if text.isdecimal():
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        expected = "expected a time in ISO 8601 or UTC nanoseconds"
        raise FormError(Code.WRONG_TYPE, f"{expected}, was {text!r:.60}") from None
