"""``zeropit admin market`` and ``zeropit admin asset``.

Invariant: sizes are decimal strings, exact or refused.
"""

from typing import Any

import click

from ..client import Client
from ..commands import MarketState, MatchingRule
from .group import admin, leaf
from .output import Output

STATES = ("open", "halted", "pre_open", "suspended", "cancel_only", "closing")


@admin.group()
def market() -> None:
    """Markets: list, create, bring to a state, set their rules, cancel their orders."""


@admin.group()
def asset() -> None:
    """Assets: list, create."""


@leaf(market, "list")
def market_list(client: Client, out: Output) -> None:
    """List all markets."""
    columns = (
        "market", "state", "base", "quote", "tick_size>", "lot_size>", "price_max>", "qty_max>",
        "maker_fee_ppm>", "taker_fee_ppm>", "last_price>", "model", "matching", "band_ppm>",
    )  # fmt: skip
    rows = []
    for found in client.markets().values():
        units, spec = found.units, found.units.market
        rows.append(
            (
                found.market, found.state, found.base, found.quote,
                found.tick_size, found.lot_size, units.price(spec.price_ticks_max),
                units.qty(spec.qty_lots_max), spec.maker_fee_ppm, spec.taker_fee_ppm, found.last_price,
                found.model, found.matching, found.band_ppm,
            )
        )  # fmt: skip
    out.rows(columns, rows)


@leaf(market, "create")
@click.argument("name", metavar="MARKET")
@click.option("--base", required=True, help="Asset that is traded.")
@click.option("--quote", required=True, help="Asset that prices are in.")
@click.option("--tick-size", required=True, help="Step of prices, decimal.")
@click.option("--lot-size", required=True, help="Step of quantities, decimal.")
@click.option("--price-max", required=True, help="Highest price, decimal.")
@click.option("--qty-max", required=True, help="Largest quantity of an order, decimal.")
@click.option("--maker-fee-ppm", default=0, show_default=True, help="Parts per million.")
@click.option("--taker-fee-ppm", default=0, show_default=True, help="Parts per million.")
def market_create(client: Client, out: Output, name: str, **sizes: Any) -> None:
    """Create a market. Sizes and fees can not be changed later."""
    client.create_market(name, sizes.pop("base"), sizes.pop("quote"), **sizes)
    out.done(f"market {name} created, open", {"market": name, "state": "open"})


@leaf(market, "halt")
@click.argument("name", metavar="MARKET")
def market_halt(client: Client, out: Output, name: str) -> None:
    """Halt a market: only cancels are taken."""
    client.halt(name)
    out.done(f"market {name} halted", {"market": name, "state": "halted"})


@leaf(market, "open")
@click.argument("name", metavar="MARKET")
def market_open(client: Client, out: Output, name: str) -> None:
    """Open a halted market again."""
    client.open(name)
    out.done(f"market {name} open", {"market": name, "state": "open"})


@leaf(market, "state")
@click.argument("name", metavar="MARKET")
@click.argument("state", type=click.Choice(STATES))
def market_state(client: Client, out: Output, name: str, state: str) -> None:
    """Bring a market to a state; closing it cancels its orders, and cannot be undone."""
    client.set_market_state(name, MarketState[state.upper()])
    out.done(f"market {name} {state.replace('_', ' ')}", {"market": name, "state": state})


@leaf(market, "rules")
@click.argument("name", metavar="MARKET")
@click.option("--matching", type=click.Choice([rule.name.lower() for rule in MatchingRule]))
@click.option("--first-share-ppm", type=int, help="Of a pro-rata taker, what the oldest order gets first.")
@click.option("--band-ppm", type=int, help="Largest distance of a limit price from the last one; 0: any.")
def market_rules(client: Client, out: Output, name: str, **given: Any) -> None:
    """Set how a market matches and its price band; what is not named stays as it is."""
    markets = client.markets()
    now = markets.get(name) or next((m for m in markets.values() if m.outcome_market == name), None)
    facts: dict[str, Any] = {"matching": "price_time", "first_share_ppm": 0, "band_ppm": 0}
    if now is not None:
        facts = {word: getattr(now, word) for word in facts}
    facts |= {word: value for word, value in given.items() if value is not None}
    client.set_market_rules(name, **facts)
    out.done(f"rules of {name} set", {"market": name, **facts})


@leaf(market, "fee-tier")
@click.argument("name", metavar="MARKET")
@click.argument("tier", type=click.IntRange(1, 9))
@click.option("--maker-fee-ppm", type=int, required=True, help="Parts per million; below 0: a rebate.")
@click.option("--taker-fee-ppm", type=int, required=True, help="Parts per million.")
def market_fee_tier(client: Client, out: Output, name: str, tier: int, **fees: int) -> None:
    """Set the fees of a tier of accounts in a spot market."""
    client.set_fee_tier(name, tier, **fees)
    out.done(f"fees of tier {tier} in {name} set", {"market": name, "tier": tier, **fees})


@leaf(market, "cancel-orders")
@click.argument("name", metavar="MARKET")
def market_cancel_orders(client: Client, out: Output, name: str) -> None:
    """Cancel every order of a market, whoever owns it (in steps when there are many)."""
    client.cancel_market(name)
    out.done(f"orders of {name} are being cancelled", {"market": name, "cancelling": True})


@leaf(asset, "list")
def asset_list(client: Client, out: Output) -> None:
    """List all assets."""
    out.rows(("asset", "decimals>"), [(row[1], row[2]) for row in client.query("assets")])


@leaf(asset, "create")
@click.argument("name", metavar="ASSET")
@click.option("--decimals", type=click.IntRange(0, 18), required=True, help="Of its smallest unit.")
def asset_create(client: Client, out: Output, name: str, decimals: int) -> None:
    """Create an asset."""
    client.create_asset(name, decimals)
    out.done(f"asset {name} created with {decimals} decimals", {"asset": name, "decimals": decimals})
