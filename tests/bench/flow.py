"""The order flow of every bench: 55 % passive, 35 % cancels, 10 % marketable, around a steady book.

Invariant: the same seed gives the same commands, and each comes with the outcome that an exchange of its
own gave it: one session's commands are executed in order, so a venue must give the same ones.

Passive orders are GTC limit orders beside the other side's best price, cancels take a random open order,
marketable orders are IOC limit or market orders. Sizes are chosen so that what cancels and trades take away
is what passive orders bring: 55 × 5 units in, 35 × 5 + 10 × 10 out; what chance adds, marketable orders take.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from bus.answers import answer_of
from bus.codec import encode_events
from bus.commands import CancelOrder, Command, OrderType, PlaceOrder, Side, TimeInForce
from bus.events import Event, OrderAccepted, OrderCancelled, TradeExecuted
from engine.exchange import Exchange
from engine.seed import Seed, seed_commands

MARKET = "BTC-USD"
PASSIVE, CANCEL, MARKETABLE = "passive", "cancel", "marketable"
SHARES = {PASSIVE: 55, CANCEL: 35, MARKETABLE: 10}
KEY_ID, SECRET = "bench", "bench-secret"

_SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000_000_000_000
_BUY, _SELL = int(Side.BUY), int(Side.SELL)


class Step(NamedTuple):
    """A command and what must become of it: code, filled and left lots, number of events and trades."""

    kind: str
    command: PlaceOrder | CancelOrder
    code: int
    filled_lots: int
    left_lots: int
    events: int
    trades: int


class Ground(NamedTuple):
    """What a flow trades on.

    ``prices``: those that there are, the lowest first. Orders rest on both sides of the one at index ``mid``,
    ``depth`` prices away from it on average, in ``books[i]`` beyond ``gaps[i]`` more; marketable limit orders
    go ``sweep`` prices beyond it, where there is a gap only into that: there they cross with other books.
    """

    found: Callable[[int], Exchange]
    books: tuple[str, ...]
    prices: Sequence[int]
    mid: int
    depth: int
    sweep: int
    gaps: tuple[int, ...]
    unit_lots: int


def account_names(accounts: int) -> list[str]:
    """Return the names of the accounts that trade."""
    return [f"trader-{number:02d}" for number in range(accounts)]


def seed_of(accounts: int) -> Seed:
    """Return a venue's seed: one market, funded accounts, and a broker's key for all of them."""
    names = account_names(accounts)
    return Seed.model_validate(
        {
            "assets": [{"asset": "BTC", "decimals": 8}, {"asset": "USD", "decimals": 10}],
            "markets": [
                {
                    "market": MARKET, "base": "BTC", "quote": "USD", "tick_size": "0.01",
                    "lot_size": "0.00000001", "price_max": "1000000", "qty_max": "500",
                    "maker_fee_ppm": 0, "taker_fee_ppm": 1000,
                }
            ],
            "accounts": [
                {"account": name, "deposits": {"BTC": "1000", "USD": "10000000"}} for name in names
            ],
            "keys": [
                {"key_id": KEY_ID, "secret": SECRET, "roles": ["reader", "trader", "broker"],
                 "accounts": names}
            ],
        }
    )  # fmt: skip


def write_seed(seed: Seed, path: Path) -> None:
    """Write a seed as the TOML file that a venue's first start reads."""
    lines: list[str] = []
    for table, rows in seed.model_dump().items():
        for row in rows:
            lines.append(f"[[{table}]]")
            lines += [f"{key} = {_toml(value)}" for key, value in row.items()]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'


def founded(accounts: int, now_ns: int = START_NS) -> Exchange:
    """Return an exchange with the seed carried out."""
    exchange = Exchange()
    for command in seed_commands(seed_of(accounts), now_ns + _SECOND_NS, 4_096, lambda: bytes(16)):
        exchange.execute(command, now_ns)
    return exchange


SPOT = Ground(founded, (MARKET,), range(100_000_001), 6_500_000, 40, 5_000, (0,), 100_000)
"""A spot market with a taker fee."""


class Flow:
    """Makes steps, one after the other, against an exchange of its own.

    Parameters
    ----------
    ground
        What it trades on.
    seed
        Of the random numbers.
    accounts
        Accounts that trade.
    pace_ns, valid_ns
        Time from one command to the next, and how long each is valid.
    """

    def __init__(
        self, seed: int = 1, accounts: int = 50, pace_ns: int = 1_000, valid_ns: int = _SECOND_NS // 10,
        ground: Ground = SPOT,
    ) -> None:  # fmt: skip
        self.exchange = ground.found(accounts)
        self._ground = ground
        self.now_ns = START_NS
        self._names = account_names(accounts)
        self._random = Random(seed)
        self._pace_ns = pace_ns
        self._valid_ns = valid_ns
        self._prefix = f"{self._random.getrandbits(48):012x}-"
        self._count = 0
        self._target = 0
        # Open orders: where each stands in a list from which any can be taken at once.
        self._open: list[tuple[int, str, str, str]] = []
        self._places: dict[int, int] = {}

    @property
    def open_orders(self) -> int:
        """Orders that rest now."""
        return len(self._open)

    def fill(self, orders: int) -> list[Step]:
        """Return passive orders that bring the book to a size, which the mix then keeps."""
        self._target = len(self._open) + orders
        return [self._step(PASSIVE) for _ in range(orders)]

    def steps(self, count: int) -> list[Step]:
        """Return the next steps of the mix."""
        kinds = self._random.choices(list(SHARES), list(SHARES.values()), k=count)
        return [self._step(kind if self._open else PASSIVE) for kind in kinds]

    def _step(self, kind: str) -> Step:
        self._count += 1
        self.now_ns += self._pace_ns
        head = f"{self._prefix}{self._count:x}"
        command: PlaceOrder | CancelOrder
        if kind == CANCEL:
            _, client_order_id, account, book = self._random.choice(self._open)
            until_ns = self.now_ns + self._valid_ns
            command = CancelOrder(head, account, until_ns, book, 0, client_order_id)
        else:
            command = self._order(kind, head)
        seq = self.exchange.next_seq
        events = self.exchange.execute(command, self.now_ns)
        answer = answer_of(seq, encode_events(events))
        trades = self._note(command, events, answer.order_id, answer.left_lots)
        return Step(kind, command, answer.code, answer.filled_lots, answer.left_lots, len(events), trades)

    def _order(self, kind: str, client_order_id: str) -> PlaceOrder:
        random, ground = self._random, self._ground
        side = random.choice((_BUY, _SELL))
        number = random.randrange(len(ground.books)) if len(ground.books) > 1 else 0
        gap = ground.gaps[number]
        order_type, tif, units = OrderType.LIMIT, TimeInForce.GTC, random.randint(1, 9)
        away = 1 + gap + min(int(random.expovariate(1 / ground.depth)), 20 * ground.depth)
        if kind == MARKETABLE:
            tif, units = TimeInForce.IOC, max(1, random.randint(1, 19) + self._drift())
            away = -(gap - 1 if gap else ground.sweep)
        at = ground.mid + (away if side == _SELL else -away)
        price = ground.prices[min(max(at, 0), len(ground.prices) - 1)]
        if kind == MARKETABLE and random.random() < 0.4:
            order_type, price = OrderType.MARKET, 0
        return PlaceOrder(
            client_order_id, random.choice(self._names), self.now_ns + self._valid_ns, ground.books[number],
            side, int(order_type), int(tif), False, price, units * ground.unit_lots, 0,
        )  # fmt: skip

    def _drift(self) -> int:
        """Return by how many twentieths the book is larger than it should be: chance alone would grow it."""
        return (len(self._open) - self._target) * 20 // self._target if self._target else 0

    def _note(self, command: Command, events: list[Event], order_id: int, left_lots: int) -> int:
        """Keep the list of open orders; return the number of trades."""
        trades = 0
        for event in events:
            if isinstance(event, TradeExecuted):
                trades += 1
                if not event.maker_left_lots and event.maker_order_id:
                    self._forget(event.maker_order_id)
            elif isinstance(event, OrderCancelled) and event.order_id in self._places:
                self._forget(event.order_id)
        if left_lots and isinstance(command, PlaceOrder) and isinstance(events[0], OrderAccepted):
            self._places[order_id] = len(self._open)
            self._open.append((order_id, command.client_order_id, command.account, command.market))
        return trades

    def _forget(self, order_id: int) -> None:
        place = self._places.pop(order_id)
        last = self._open.pop()
        if last[0] != order_id:
            self._open[place] = last
            self._places[last[0]] = place
