"""What the client hands out: orders, balances and markets, with integers inside and strings for people."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from ..commands import MarketModel, MarketState, Prevention
from ..errors import ZeropitError, error_for
from ..events import Waits
from ..units import MarketUnits, format_units
from .pending import CommandAnswer


class OrderRow(NamedTuple):
    """An open order in integers, as the engine keeps it (fields of the wire's order row)."""

    order_id: int
    client_order_id: str
    account: str
    market: str
    side: int
    order_type: int
    time_in_force: int
    post_only: bool
    price_ticks: int
    qty_lots: int
    filled_lots: int
    left_lots: int
    held_atoms: int
    accepted_ns: int
    display_lots: int = 0
    trigger: int = 0
    trigger_ticks: int = 0
    expires_ns: int = 0
    waits: int = 0
    group: str = ""

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return the order in a wire row; trailing fields are ignored."""
        return cls(*row[: len(cls._fields)])


class Status(StrEnum):
    """Where an order stands after a command."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


class Order(NamedTuple):
    """An order as a command left it.

    ``filled`` and ``left`` (still resting) are base quantities as decimal strings. ``repeated``: the
    command had been executed before; this is the answer that it had then.
    """

    order_id: int
    client_order_id: str
    market: str
    status: Status
    filled: str
    left: str
    filled_lots: int
    left_lots: int
    seq: int
    repeated: bool

    @classmethod
    def of(
        cls, answer: CommandAnswer, client_order_id: str, units: MarketUnits, qty_lots: int | None = None
    ) -> Self:
        """Return the order that an accepted command's answer speaks of.

        ``qty_lots``: from how many filled lots on it counts as filled when nothing is left; None (a budget):
        from the first.
        """
        if answer.left_lots:
            status = Status.OPEN
        elif answer.filled_lots and (qty_lots is None or answer.filled_lots >= qty_lots):
            status = Status.FILLED
        else:
            status = Status.CANCELLED
        return cls(
            answer.order_id,
            client_order_id,
            units.market.market,
            status,
            units.qty(answer.filled_lots),
            units.qty(answer.left_lots),
            answer.filled_lots,
            answer.left_lots,
            answer.seq,
            answer.repeated,
        )


class Pair(NamedTuple):
    """Two orders that were placed together."""

    command_id: str
    first: Order
    second: Order


class Outcome(NamedTuple):
    """What became of one command of a batch; ``code`` 0: accepted, else see ``error``.

    ``id`` is its ``client_order_id`` or ``command_id``; quantities as in `Order`.
    """

    code: int
    id: str
    order_id: int
    filled: str
    left: str
    filled_lots: int
    left_lots: int
    detail: str

    @property
    def error(self) -> ZeropitError | None:
        """Why it was refused, or None."""
        return error_for(self.code, self.detail) if self.code else None

    @classmethod
    def of(cls, row: Sequence[Any], command_id: str, units: MarketUnits) -> Self:
        """Return the outcome in a row of the batch's answer."""
        code, order_id, filled_lots, left_lots, detail = row[:5]
        filled, left = units.qty(filled_lots), units.qty(left_lots)
        return cls(code, command_id, order_id, filled, left, filled_lots, left_lots, detail)


class OpenOrder(NamedTuple):
    """An open order; ``row`` has its integers. ``trigger_price``: where its trigger is or was, or ""."""

    order_id: int
    client_order_id: str
    account: str
    market: str
    side: str
    price: str
    qty: str
    filled: str
    left: str
    row: OrderRow
    trigger_price: str = ""

    @property
    def waits(self) -> str:
        """What it waits for before it goes to the book: "trigger", "pair", "bet_delay", or "": nothing."""
        return Waits(self.row.waits).name.lower() if self.row.waits else ""

    @classmethod
    def of(cls, row: OrderRow, units: MarketUnits) -> Self:
        """Return the order of a row with its numbers as decimal strings."""
        return cls(
            row.order_id,
            row.client_order_id,
            row.account,
            row.market,
            side_name(row.side, units),
            units.price(row.price_ticks),
            units.qty(row.qty_lots),
            units.qty(row.filled_lots),
            units.qty(row.left_lots),
            row,
            units.price(row.trigger_ticks) if row.trigger else "",
        )


class Balance(NamedTuple):
    """An account's balance in one asset, as decimal strings and in atoms."""

    asset: str
    available: str
    held: str
    available_atoms: int
    held_atoms: int


class Market(NamedTuple):
    """A market as of the last look; ``units`` converts its numbers and holds what it was created with."""

    market: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    is_open: bool
    market_seq: int
    last_trade_id: int
    last_price: str | None
    units: MarketUnits
    state: str
    model: str
    outcome_market: str
    matching: str
    first_share_ppm: int
    band_ppm: int


def side_name(side: int, units: MarketUnits) -> str:
    """Return what a side is called in a market."""
    names = ("lay", "back") if units.market.model == MarketModel.ODDS else ("buy", "sell")
    return names[side - 1]


class OutcomeMarket(NamedTuple):
    """A binary or odds market. ``outcomes`` are YES and NO, or its runners, removed ones too."""

    market: str
    model: str
    asset: str
    state: str
    in_play: bool
    bet_delay_ns: int
    outcomes: tuple[str, ...]
    removed: tuple[str, ...]
    commission_ppm: int
    house: str
    asset_decimals: int

    @classmethod
    def of(cls, row: Sequence[Any], asset_decimals: int) -> Self:
        """Return the market in a row of the query ``outcome_markets``."""
        created, state, in_play, bet_delay_ns, removed, outcomes = row[:6]
        _, market, model, asset, _, _, _, commission_ppm, _, house = created[:10]
        return cls(
            market,
            MarketModel(model).name.lower(),
            asset,
            MarketState(state).name.lower(),
            in_play,
            bet_delay_ns,
            tuple(outcomes),
            tuple(removed),
            commission_ppm,
            house,
            asset_decimals,
        )


class Position(NamedTuple):
    """An account's position in an outcome market, in the asset; ``*_atoms`` in atoms.

    ``results``: what is won or lost by the outcome that comes true, of what is matched. ``worst``: that with
    every open order matched where it hurts. ``held`` is what the account holds for it, ``shortfall`` what it
    does not have but would need.
    """

    market: str
    held: str
    shortfall: str
    results: dict[str, str]
    worst: dict[str, str]
    held_atoms: int
    shortfall_atoms: int
    results_atoms: dict[str, int]
    worst_atoms: dict[str, int]

    @classmethod
    def of(cls, row: Sequence[Any], market: OutcomeMarket) -> Self:
        """Return the position in a row of the query ``positions``; removed outcomes are left out."""
        name, held, shortfall, results, worst = row[:5]
        decimals = market.asset_decimals
        live = [
            (outcome, results[at], worst[at])
            for at, outcome in enumerate(market.outcomes)
            if outcome not in market.removed and at < len(results)
        ]
        return cls(
            name,
            format_units(held, decimals),
            format_units(shortfall, decimals),
            {outcome: format_units(result, decimals) for outcome, result, _ in live},
            {outcome: format_units(result, decimals) for outcome, _, result in live},
            held,
            shortfall,
            {outcome: result for outcome, result, _ in live},
            {outcome: result for outcome, _, result in live},
        )


class MarketLimits(NamedTuple):
    """An account's limits in one market ("": in all others); 0 is no limit."""

    market: str
    order_lots_max: int
    order_atoms_max: int
    open_orders_max: int
    position_max: int


class AccountRules(NamedTuple):
    """What the operator has set for an account."""

    unfunded: bool
    fee_tier: int
    prevention: str
    prevention_group: str
    limits: dict[str, MarketLimits]

    @classmethod
    def of(cls, result: Sequence[Any]) -> Self:
        """Return the rules in the result of the query ``limits``."""
        unfunded, fee_tier, prevention, group = result[1][:4]
        limits = {row[0]: MarketLimits(*row[:5]) for row in result[2]}
        return cls(unfunded, fee_tier, Prevention(prevention).name.lower(), group, limits)
