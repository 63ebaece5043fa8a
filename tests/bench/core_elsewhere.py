"""Operations on a small market or account while many orders rest in another market.

Invariant: each operation finds the same small market and account whatever is elsewhere, does all of its work
in the one transaction that is timed, and is checked to have done it.
"""

import time
from collections.abc import Callable

from bus.codec import check_command, encode_command, pack, unpack
from bus.commands import (
    OPERATOR,
    CancelAll,
    CancelMarket,
    CancelWhere,
    Command,
    Continue,
    CreateAccount,
    CreateMarket,
    CreateOutcomeMarket,
    Deposit,
    MarketModel,
    MarketState,
    OrderType,
    PlaceAdvanced,
    PlaceOrder,
    SetMarketState,
    SettleMarket,
    TimeInForce,
)
from bus.events import EVENT_NUMBERS, CommandRejected, OrderCancelled, PositionSettled

from .core_crowd import Crowd, Shape

_SMALL = "SMALL"
_ONE = "small"
_ORDERS = 10
_LIMIT, _GTC = int(OrderType.LIMIT), int(TimeInForce.GTC)
_REJECTED, _CANCELLED, _SETTLED = (
    EVENT_NUMBERS[CommandRejected], EVENT_NUMBERS[OrderCancelled], EVENT_NUMBERS[PositionSettled],
)  # fmt: skip


class Elsewhere:
    """A crowd of orders in one market, every tenth good for a day, and a small market beside it."""

    def __init__(self, orders: int) -> None:
        self.crowd = Crowd(Shape(orders, 1, 50), advanced_every=10)
        self._outcomes = 0
        self.do(CreateMarket(*self.head(OPERATOR), _SMALL, "BASE", "QUOTE", 1, 0, 1, 10_000, 10**6, 0, 0))
        self.do(CreateAccount(*self.head(OPERATOR), _ONE))
        self.do(Deposit(*self.head(OPERATOR), _ONE, "QUOTE", 1_000_000))

    def head(self, account: str) -> tuple[str, str, int]:
        """Return the first fields of a new command."""
        return self.crowd.head(account)

    def do(self, command: Command) -> tuple[int, list[int]]:
        """Execute a command as it comes in the engine; return its nanoseconds and its events' types."""
        fields = check_command(unpack(pack(encode_command(command))))
        execute, now_ns = self.crowd.exchange.execute_array, self.crowd.now_ns
        began = time.perf_counter_ns()
        events = execute(fields, now_ns)
        taken_ns = time.perf_counter_ns() - began
        if events[0][0] == _REJECTED:
            raise AssertionError(f"expected {command} to be carried out, was {events[0]}")
        return taken_ns, [event[0] for event in events]

    def place(self, account: str, market: str, side: int, price: int) -> None:
        """Place a limit order."""
        self.do(PlaceOrder(*self.head(account), market, side, _LIMIT, _GTC, False, price, 1, 0))

    def cancelling(self, command: Command) -> int:
        """Return what a command takes that cancels all orders of the small market."""
        taken_ns, kinds = self.do(command)
        _expect(kinds.count(_CANCELLED), _ORDERS)
        return taken_ns

    def outcome_market(self) -> str:
        """Return a new binary market in which some accounts have traded."""
        self._outcomes += 1
        name = f"RACE{self._outcomes}"
        model = int(MarketModel.BINARY)
        self.do(
            CreateOutcomeMarket(*self.head(OPERATOR), name, model, "QUOTE", (), 10_000, 10**6, 0, 1, "", 0, 0)
        )
        for number in range(_ORDERS):
            self.place(f"account-{number}", name, 1 + number % 2, 5_000)
        self.do(SetMarketState(*self.head(OPERATOR), name, int(MarketState.CLOSING)))
        return name


def _expect(was: int, expected: int) -> None:
    if was != expected:
        raise AssertionError(f"expected {expected} orders or accounts, was {was}")


def cancel_all(world: Elsewhere) -> int:
    """Cancel all orders of an account that has a few in the small market alone."""
    for number in range(_ORDERS):
        world.place(_ONE, _SMALL, 1, 100 + number)
    return world.cancelling(CancelAll(*world.head(_ONE), ""))


def _some(world: Elsewhere, low: int) -> None:
    for number in range(_ORDERS):
        world.place(f"account-{number}", _SMALL, 1, low + number)


def cancel_range(world: Elsewhere) -> int:
    """Cancel what lies in a price range of the small market, whoever it is of."""
    _some(world, 100)
    return world.cancelling(CancelWhere(*world.head(OPERATOR), "", _SMALL, 0, 100, 200))


def cancel_market(world: Elsewhere) -> int:
    """Cancel all of the small market."""
    _some(world, 300)
    return world.cancelling(CancelMarket(*world.head(OPERATOR), _SMALL))


def expiry(world: Elsewhere) -> int:
    """Let orders of the small market end by time."""
    ends_ns = world.crowd.now_ns + 1_000_000
    for number in range(_ORDERS):
        world.do(
            PlaceAdvanced(
                *world.head(f"account-{number}"), _SMALL, 1, _LIMIT, int(TimeInForce.GTT), False, 400, 1, 0,
                expires_ns=ends_ns,
            )
        )  # fmt: skip
    world.crowd.now_ns = max(world.crowd.now_ns, ends_ns)
    return world.cancelling(Continue())


def settle(world: Elsewhere) -> int:
    """Settle a small binary market."""
    name = world.outcome_market()
    taken_ns, kinds = world.do(SettleMarket(*world.head(OPERATOR), name, ("YES",)))
    _expect(kinds.count(_SETTLED), _ORDERS)
    return taken_ns


OPERATIONS: dict[str, Callable[[Elsewhere], int]] = {
    "cancel_all": cancel_all,
    "cancel_range": cancel_range,
    "cancel_market": cancel_market,
    "expiry": expiry,
    "settle": settle,
}
"""What is timed, in nanoseconds, by name."""
