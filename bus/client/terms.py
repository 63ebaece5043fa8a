"""What a client asks for, in words and decimal strings, and the commands that it becomes.

Invariant: a name or number that does not mean exactly one thing is refused here, and nothing is sent. Only
an order that has terms of its own becomes a PlaceAdvanced; all others are the plain, fastest command.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ..commands import INT_MAX, OrderType, Prevention, Side, TimeInForce, Trigger
from ..errors import Code, FormError
from ..units import MarketUnits
from .rows import side_name

SideName = Literal["buy", "sell", "lay", "back"] | Side
TimeInForceName = Literal["gtc", "ioc", "fok", "gtt", "day"] | TimeInForce
PreventionName = Literal["none", "cancel_maker", "cancel_taker", "cancel_both", "decrement"] | Prevention
Time = datetime | int
"""A point in time: a datetime with a time zone, or UTC nanoseconds."""

PLACE, CANCEL, REDUCE, REPLACE, PLACE_ADVANCED = 1, 2, 4, 5, 6

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_SIDES: dict[object, int] = {"buy": 1, "sell": 2, "lay": 1, "back": 2, 1: 1, 2: 2}
_SIDE_NAMES = ("buy", "sell", "lay", "back")
_TIMES: dict[object, int] = {member.name.lower(): int(member) for member in TimeInForce}
_TIMES |= {int(member): int(member) for member in TimeInForce}
PREVENTIONS: dict[object, int] = {member.name.lower(): int(member) for member in Prevention}
PREVENTIONS |= {int(member): int(member) for member in Prevention}


class NewOrder(NamedTuple):
    """An order to be placed: alone, as part of a pair, or in a batch.

    Attributes
    ----------
    price, qty, budget
        A limit order has a ``price``, a market order none; a market order that buys may have a ``budget`` in
        quote units instead of a ``qty``.
    display
        Show at most this quantity at a time (an iceberg).
    min_qty
        Trade at least this much at once, or nothing.
    stop, take_profit, trail
        Wait for the last trade price: to reach a price against the order (``stop``) or in its favour, or
        to come back by a distance from its best (``trail``). At most one of them.
    expires
        Cancel it then (GTT).
    prevention
        What happens where it would meet an order of the same account or prevention group.
    group
        The order group that it counts for.
    persists
        Keep it when the market turns in-play.
    """

    market: str
    side: SideName
    price: str | None = None
    qty: str | None = None
    budget: str | None = None
    time_in_force: TimeInForceName | None = None
    post_only: bool = False
    display: str | None = None
    min_qty: str | None = None
    stop: str | None = None
    take_profit: str | None = None
    trail: str | None = None
    expires: Time | None = None
    prevention: PreventionName | None = None
    group: str = ""
    persists: bool = False
    client_order_id: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a price."""
        return self.stop is not None or self.take_profit is not None or self.trail is not None


class Cancel(NamedTuple):
    """The cancel of an order, in a batch."""

    market: str
    order_id: int = 0
    client_order_id: str = ""


class Reduce(NamedTuple):
    """A lower total quantity of an order, in a batch."""

    market: str
    qty: str
    order_id: int = 0
    client_order_id: str = ""


class Replace(NamedTuple):
    """A new price and total quantity of an order, in a batch."""

    market: str
    price: str
    qty: str
    order_id: int = 0
    client_order_id: str = ""


def placing(
    order: NewOrder, units: MarketUnits, client_order_id: str, account: str, valid_until_ns: int
) -> tuple[Any, ...]:
    """Return the wire array of the command that places an order.

    Raises
    ------
    FormError
        A number that is not a whole number of ticks, lots or atoms, a name that is none, or the other
        markets' name of a side.
    """
    limit, side = order.price is not None, side_number(order.side)
    if order.side in _SIDE_NAMES and order.side != side_name(side, units):  # a buy of odds would be a lay
        words = f"{side_name(Side.BUY, units)} or {side_name(Side.SELL, units)}"
        raise FormError(Code.OUT_OF_RANGE, f"expected {words} in {order.market}, was {order.side}")
    plain = (
        client_order_id,
        account,
        valid_until_ns,
        order.market,
        side,
        int(OrderType.LIMIT if limit else OrderType.MARKET),
        _time_in_force(order),
        order.post_only,
        units.price_ticks(order.price) if order.price is not None else 0,
        units.qty_lots(order.qty) if order.qty is not None else 0,
        units.budget_atoms(order.budget) if order.budget is not None else 0,
    )
    terms = _terms(order, units)
    return (PLACE_ADVANCED, *plain, *terms) if any(terms) or plain[6] > TimeInForce.FOK else (PLACE, *plain)


def _terms(order: NewOrder, units: MarketUnits) -> tuple[Any, ...]:
    trigger, trigger_ticks, trail_ticks = _trigger(order, units)
    prevention = order.prevention
    return (
        units.qty_lots(order.display) if order.display is not None else 0,
        units.qty_lots(order.min_qty) if order.min_qty is not None else 0,
        trigger,
        trigger_ticks,
        trail_ticks,
        nanoseconds(order.expires, "expires") if order.expires is not None else 0,
        number_of(prevention, PREVENTIONS, "a prevention") if prevention is not None else 0,
        order.group,
        order.persists,
    )


def _trigger(order: NewOrder, units: MarketUnits) -> tuple[int, int, int]:
    """Return kind, price and distance of what an order waits for."""
    given = [
        (trigger, text)
        for trigger, text in (
            (Trigger.STOP, order.stop),
            (Trigger.TAKE_PROFIT, order.take_profit),
            (Trigger.TRAILING, order.trail),
        )
        if text is not None
    ]
    if not given:
        return 0, 0, 0
    if len(given) > 1:
        names = " and ".join(trigger.name for trigger, _ in given)
        raise FormError(Code.OUT_OF_RANGE, f"expected one of stop, take_profit and trail, was {names}")
    trigger, text = given[0]
    ticks = units.price_ticks(text)
    return (int(trigger), 0, ticks) if trigger is Trigger.TRAILING else (int(trigger), ticks, 0)


def _time_in_force(order: NewOrder) -> int:
    if order.time_in_force is not None:
        return number_of(order.time_in_force, _TIMES, "a time in force")
    if order.expires is not None:
        return int(TimeInForce.GTT)
    return int(TimeInForce.GTC if order.price is not None else TimeInForce.IOC)


def side_number(side: object) -> int:
    """Return the wire number of a side."""
    return number_of(side, _SIDES, "a side")


def number_of(value: object, numbers: Mapping[object, int], what: str) -> int:
    """Return the number that a name stands for.

    Raises
    ------
    FormError
        OUT_OF_RANGE when it stands for none.
    """
    number = numbers.get(value) if isinstance(value, str | int) and value is not True else None
    if number is None:
        names = ", ".join(repr(name) for name in numbers if isinstance(name, str))
        raise FormError(Code.OUT_OF_RANGE, f"expected {what} ({names}), was {value!r:.40}")
    return number


def nanoseconds(time: Time, name: str) -> int:
    """Return a point in time as UTC nanoseconds.

    Raises
    ------
    FormError
        WRONG_TYPE for a datetime without a time zone or anything else; OUT_OF_RANGE before 1970.
    """
    if type(time) is int:
        value = time
    elif isinstance(time, datetime) and time.tzinfo is not None:
        past = time - _EPOCH
        value = (past.days * 86_400 + past.seconds) * 1_000_000_000 + past.microseconds * 1_000
    else:
        expected = f"expected {name} as a datetime with a time zone or UTC nanoseconds"
        raise FormError(Code.WRONG_TYPE, f"{expected}, was {time!r:.60}")
    if not 0 <= value <= INT_MAX:
        raise FormError(Code.OUT_OF_RANGE, f"expected {name} after 1970, was {time!r:.60}")
    return value
