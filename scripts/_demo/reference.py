"""The same steps in one process: the exchange alone, without sockets, disk or other processes.

Invariant: it is set up as the venue of the demo is, so every outcome must be the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bus.commands import (
    OPERATOR,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateMarket,
    Deposit,
    OrderType,
    PlaceOrder,
    TimeInForce,
)
from bus.errors import Code
from bus.events import CommandRejected, Event, OrderAccepted, OrderCancelled, TradeExecuted
from bus.replay.capture import LOT_DECIMALS, TICK_DECIMALS
from bus.replay.flow import OurTrade, Step
from bus.units import atoms_from
from engine.exchange import Exchange

MARKET, BASE, QUOTE = "BTC-USD", "BTC", "USD"
BASE_DECIMALS, QUOTE_DECIMALS = LOT_DECIMALS, LOT_DECIMALS + TICK_DECIMALS
TICK_SIZE, LOT_SIZE, PRICE_MAX, QTY_MAX = "0.01", "0.00000001", "1000000", "900"
MAKER_FEE_PPM, TAKER_FEE_PPM = 0, 1_000
DEPOSITS = ((BASE, "1000"), (QUOTE, "15000000"))
"""What each account gets; the sum over all accounts of an asset has to stay below 2^63 atoms."""

UNTIL_NS = 10**9


class Decided(NamedTuple):
    """What became of a step."""

    code: int
    filled_lots: int
    left_lots: int


class Reference(NamedTuple):
    """Outcomes in the order of the steps, and all trades by the recording's order numbers."""

    outcomes: list[Decided]
    trades: list[OurTrade]


def decide(steps: Sequence[Step], accounts: Sequence[str]) -> Reference:
    """Execute the steps on a fresh exchange."""
    exchange = Exchange()
    for command in founding(accounts):
        exchange.execute(command, 1)
    outcomes, trades = [], []
    numbers: dict[int, int] = {}
    for step in steps:
        events = exchange.execute(command_of(step, accounts[step.account]), 1)
        if isinstance(events[0], OrderAccepted):
            numbers[events[0].order_id] = step.order_id
        outcomes.append(_decided(events, exchange))
        trades += [by_recorded_number(event, numbers) for event in events if isinstance(event, TradeExecuted)]
    exchange._check()
    return Reference(outcomes, trades)


def founding(accounts: Sequence[str]) -> list[Command]:
    """Return the commands that make the market and the accounts."""
    head = (OPERATOR, UNTIL_NS)
    price_ticks_max = atoms_from(PRICE_MAX, TICK_DECIMALS)
    qty_lots_max = atoms_from(QTY_MAX, LOT_DECIMALS)
    sizes = (1, TICK_DECIMALS, 1, price_ticks_max, qty_lots_max, MAKER_FEE_PPM, TAKER_FEE_PPM)
    commands: list[Command] = [
        CreateAsset("base", *head, BASE, BASE_DECIMALS),
        CreateAsset("quote", *head, QUOTE, QUOTE_DECIMALS),
        CreateMarket("market", *head, MARKET, BASE, QUOTE, *sizes),
    ]
    decimals = {BASE: BASE_DECIMALS, QUOTE: QUOTE_DECIMALS}
    for name in accounts:
        commands.append(CreateAccount(f"a-{name}", *head, name))
        for asset, amount in DEPOSITS:
            atoms = atoms_from(amount, decimals[asset])
            commands.append(Deposit(f"{asset}-{name}", *head, name, asset, atoms))
    return commands


def by_recorded_number(trade: TradeExecuted, numbers: dict[int, int]) -> OurTrade:
    """Return a trade of ours with the recording's order numbers; ``numbers``: those by our order id."""
    maker, taker = numbers[trade.maker_order_id], numbers[trade.taker_order_id]
    buyer, seller = (taker, maker) if trade.taker_side == 1 else (maker, taker)
    return OurTrade(buyer, seller, trade.price_ticks, trade.qty_lots)


def command_of(step: Step, account: str) -> Command:
    """Return a step as a command, with the ids that a player without a prefix gives."""
    order = str(step.order_id)
    if step.cancel:
        return CancelOrder(f"{order}x", account, UNTIL_NS, MARKET, 0, order)
    head = (order, account, UNTIL_NS, MARKET, step.side)
    if step.market:
        return PlaceOrder(*head, int(OrderType.MARKET), int(TimeInForce.IOC), False, 0, step.qty_lots, 0)
    limit = (int(OrderType.LIMIT), int(TimeInForce.GTC), step.post_only)
    return PlaceOrder(*head, *limit, step.price_ticks, step.qty_lots, 0)


def _decided(events: Sequence[Event], exchange: Exchange) -> Decided:
    first = events[0]
    if isinstance(first, CommandRejected):
        return Decided(first.code, 0, 0)
    assert isinstance(first, OrderAccepted | OrderCancelled), first
    answer = exchange.answer(
        first.account, first.client_order_id + ("x" if isinstance(first, OrderCancelled) else "")
    )
    assert answer is not None and answer.code == Code.OK
    return Decided(answer.code, answer.filled_lots, answer.left_lots)
