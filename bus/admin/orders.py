"""``zeropit admin order``.

Invariant: exactly one name of an order is given; only who may trade for its account cancels it.
"""

from collections.abc import Callable
from typing import Any

import click

from ..client import Client, Order
from ..errors import Code, FormError, Rejected
from .group import admin, leaf
from .output import Output, Value


@admin.group()
def order() -> None:
    """Orders: show, cancel one, cancel those that match."""


def _order_options(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option("--account", "of_account", help="Whose (default: the key's first).")(function)
    function = click.option("--client-order-id", default="", help="Its id by who placed it.")(function)
    function = click.option("--order-id", default=0, help="Its id by the venue.")(function)
    return click.argument("in_market", metavar="MARKET")(function)


@leaf(order, "show")
@_order_options
def order_show(
    client: Client, out: Output, in_market: str, order_id: int, client_order_id: str, of_account: str | None
) -> None:
    """Show an order; of one that is done, the answer that its command had, while that is kept."""
    _check_named(order_id, client_order_id)
    try:
        o = client.order(in_market, order_id=order_id, client_order_id=client_order_id, account=of_account)
    except Rejected as error:
        if error.code is not Code.UNKNOWN_ORDER or not client_order_id:
            raise
        units, kept = client.units[in_market], client.answer_of(client_order_id, account=of_account)
        facts: dict[str, Value] = {
            "order_id": kept.order_id, "client_order_id": client_order_id, "market": in_market,
            "answer": Code(kept.code).name, "filled": units.qty(kept.filled_lots), "seq": kept.seq,
        }  # fmt: skip
        out.done(
            f"not open; its command was answered {facts['answer']} at seq {kept.seq}"
            f" and had then traded {facts['filled']}", facts,
        )  # fmt: skip
        return
    columns = (
        "order_id>",
        "client_order_id",
        "account",
        "market",
        "side",
        "price>",
        "qty>",
        "filled>",
        "left>",
        "waits",
        "trigger_price>",
    )
    out.rows(columns, [(*o[:9], o.waits, o.trigger_price)])


@leaf(order, "cancel")
@_order_options
def order_cancel(
    client: Client, out: Output, in_market: str, order_id: int, client_order_id: str, of_account: str | None
) -> None:
    """Cancel an order; needs a key that may trade for its account."""
    _check_named(order_id, client_order_id)
    done: Order = client.cancel(
        in_market, order_id=order_id, client_order_id=client_order_id, account=of_account
    )
    facts: dict[str, Value] = {
        "order_id": done.order_id,
        "market": done.market,
        "status": str(done.status),
        "filled": done.filled,
    }
    out.done(f"order {done.order_id} {done.status}, {done.filled} of it had traded", facts)


@leaf(order, "cancel-where")
@click.option("--account", "of_account", default="", help="Of this account alone.")
@click.option("--market", "in_market", default="", help="Of this book alone.")
@click.option("--side", type=click.Choice(["buy", "sell", "lay", "back"]), help="Of this side alone.")
@click.option("--price-low", help="From this price on; needs --market.")
@click.option("--price-high", help="Up to this price; needs --market.")
def order_cancel_where(client: Client, out: Output, of_account: str, in_market: str, **given: Any) -> None:
    """Cancel every order that matches all that is given, whoever owns it (in steps when there are many)."""
    if not (of_account or in_market):
        raise FormError(Code.MISSING_FIELD, "expected --account or --market, was neither")
    client.cancel_where(account=of_account, market=in_market, **given)
    facts: dict[str, Value] = {"account": of_account, "market": in_market, **given, "cancelling": True}
    out.done("orders that match are being cancelled", facts)


def _check_named(order_id: int, client_order_id: str) -> None:
    if (order_id > 0) == bool(client_order_id):
        raise FormError(Code.MISSING_FIELD, "expected --order-id or --client-order-id, was both or neither")
