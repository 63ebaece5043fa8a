"""An exchange with any number of orders, markets and accounts, and commands that keep it as it is.

Invariant: whatever the sizes, a command does the same work: as many orders come to a level that is there,
make one, trade and go; only what it is done among is larger. What is executed is checked, and as many orders
rest at the end as at the beginning.

A fifth of the orders stand alone on levels of their own, the others about ten to a level: so a million orders
stand on some 280,000 levels, and making and removing levels costs what it costs among so many.
"""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from bus.codec import check_command, encode_command, pack, unpack
from bus.commands import (
    OPERATOR,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateMarket,
    Deposit,
    OrderType,
    PlaceAdvanced,
    PlaceOrder,
    Side,
    TimeInForce,
)
from bus.events import EVENT_NUMBERS, CommandRejected
from engine.exchange import Exchange

START_NS = 1_700_000_000_000_000_000
VALID_NS = 100_000_000
PACE_NS = 3_333
DAY_NS = 86_400_000_000_000
CHUNK = 1_000
TURN = 20
"""Commands of which one is a maker at the best price and the next its taker; the others place and cancel."""
_MID_TICKS = 50_000_000
_REJECTED = EVENT_NUMBERS[CommandRejected]
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
_LIMIT, _GTC, _IOC = int(OrderType.LIMIT), int(TimeInForce.GTC), int(TimeInForce.IOC)
_ALONE_PERCENT = 20
_PER_LEVEL = 10
_LOTS = 10


class Shape(NamedTuple):
    """How large an exchange is."""

    orders: int
    markets: int
    accounts: int


class Placed(NamedTuple):
    """An order that rests: its id, owner, market, and the lonely place that it takes there (0: none)."""

    client_order_id: str
    account: str
    market: int
    alone_at: int


class Crowd:
    """An exchange of a shape.

    Parameters
    ----------
    shape
        How many orders, markets and accounts.
    advanced_every
        Of the orders, every so many carries terms: it is good for a day (0: none).
    """

    def __init__(self, shape: Shape, advanced_every: int = 0) -> None:
        self.exchange = Exchange()
        self.now_ns = START_NS
        self.cpu_ns = 0
        """CPU time of what was executed last."""
        self._random = Random(1)
        self._advanced_every = advanced_every
        self._shape = shape
        self._markets = [f"M{number}" for number in range(shape.markets)]
        self._accounts = [f"account-{number}" for number in range(shape.accounts)]
        self._count = 0
        self._open: list[Placed] = []
        self._taken: list[set[int]] = [set() for _ in self._markets]
        orders = max(1, shape.orders // shape.markets)
        self._levels = max(1, orders * (100 - _ALONE_PERCENT) // 100 // _PER_LEVEL // 2)
        self._alone = max(8, orders * _ALONE_PERCENT // 100 * 2)
        for start in range(0, shape.accounts, CHUNK):
            self.run(list(self._founding(start)))
        for start in range(0, shape.orders, CHUNK):
            self.run([self._place() for _ in range(min(CHUNK, shape.orders - start))])

    def _founding(self, start: int) -> Iterator[Command]:
        """Yield what creates the markets, before the first accounts, and the next accounts with funds."""
        if not start:
            for asset in ("BASE", "QUOTE"):
                yield CreateAsset(*self.head(OPERATOR), asset, 0)
            for market in self._markets:
                yield CreateMarket(
                    *self.head(OPERATOR), market, "BASE", "QUOTE", 1, 0, 1, 100_000_000, 10**9, 0, 1_000
                )
        for account in self._accounts[start : start + CHUNK]:
            yield CreateAccount(*self.head(OPERATOR), account)
            for asset in ("BASE", "QUOTE"):
                yield Deposit(*self.head(OPERATOR), account, asset, 10**13)

    def head(self, account: str) -> tuple[str, str, int]:
        """Return the first fields of a new command, which comes a moment after the last one."""
        self._count += 1
        self.now_ns += PACE_NS
        return f"6fd1c0aa-{self._count:x}", account, self.now_ns + VALID_NS

    def turns(self, commands: int) -> list[Command]:
        """Return the next commands of the mix: places, cancels, and a maker with its taker every `TURN`."""
        found: list[Command] = []
        for _ in range(commands // TURN):
            for _ in range((TURN - 2) // 2):
                found += (self._place(), self._cancel())
            found += self._meet()
        return found

    def _place(self) -> Command:
        """Return an order that will rest, on a level of its own or among others."""
        random = self._random
        number = random.randrange(len(self._markets)) if len(self._markets) > 1 else 0
        account, side = random.choice(self._accounts), random.choice((_BUY, _SELL))
        away = alone_at = 0
        if random.randrange(100) < _ALONE_PERCENT:
            while not alone_at or alone_at in self._taken[number]:
                away = 2 * random.randrange(self._alone) + 1
                alone_at = away if side == _BUY else -away
            self._taken[number].add(alone_at)
        else:
            away = 2 * (random.randrange(self._levels) + 1)
        price = _MID_TICKS - away if side == _BUY else _MID_TICKS + away
        head = self.head(account)
        self._open.append(Placed(head[0], account, number, alone_at))
        market, every = self._markets[number], self._advanced_every
        if every and not self._count % every:
            return PlaceAdvanced(
                *head, market, side, _LIMIT, int(TimeInForce.GTT), False, price, _LOTS, 0,
                expires_ns=self.now_ns + DAY_NS,
            )  # fmt: skip
        return PlaceOrder(*head, market, side, _LIMIT, _GTC, False, price, _LOTS, 0)

    def _cancel(self) -> Command:
        """Return the cancel of any order."""
        at = self._random.randrange(len(self._open))
        placed, last = self._open[at], self._open.pop()
        if at < len(self._open):
            self._open[at] = last
        self._taken[placed.market].discard(placed.alone_at)
        return CancelOrder(
            *self.head(placed.account), self._markets[placed.market], 0, placed.client_order_id
        )

    def _meet(self) -> tuple[Command, Command]:
        """Return an order at a price that is better than all others, and one that takes it."""
        random = self._random
        market = random.choice(self._markets)
        maker, taker = self.head(random.choice(self._accounts)), self.head(random.choice(self._accounts))
        return (
            PlaceOrder(*maker, market, _BUY, _LIMIT, _GTC, False, _MID_TICKS, _LOTS, 0),
            PlaceOrder(*taker, market, _SELL, _LIMIT, _IOC, False, _MID_TICKS, _LOTS, 0),
        )

    def run(self, commands: Sequence[Command]) -> None:
        """Execute commands as they come in the engine; `cpu_ns` is what it took. None may be refused."""
        arrays = [check_command(fields) for fields in unpack(pack([encode_command(c) for c in commands]))]
        execute, now_ns = self.exchange.execute_array, self.now_ns
        refused = []
        began = time.process_time_ns()
        for fields in arrays:
            events = execute(fields, now_ns)
            if events[0][0] == _REJECTED:
                refused.append((fields, events[0]))
        self.cpu_ns = time.process_time_ns() - began
        if refused:
            raise AssertionError(f"expected no refusal, was {refused[0]}")

    def check(self) -> None:
        """Raise unless as many orders rest as should; a small exchange checks itself as well."""
        resting = len(self.exchange.state.orders)
        if resting != self._shape.orders:
            raise AssertionError(f"expected {self._shape.orders} resting orders, was {resting}")
        if resting <= 10_000 and self._shape.accounts <= 10_000:
            self.exchange._check()
