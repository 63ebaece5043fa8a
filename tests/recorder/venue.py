"""A stretch of real stream for the tests: a seeded crowd trades on the real exchange."""

from collections.abc import Iterable
from random import Random

from bus import commands as c
from bus.codec import encode_events
from bus.events import Event
from bus.frames import EventsFrame, Head, decode_events_frame, encode_events_frame
from engine.exchange import Exchange
from engine.state import RULES_VERSION, Limits

START_NS = 1_700_000_000_123_456_789
VALID_NS = 10_000_000_000
VENUE_ID = bytes(range(16))
OTHER_VENUE_ID = bytes(16)
ENGINE = "engine"
TRADERS = ("ann", "bob", "cat")
MARKETS = ("BTC-USD", "ETH-USD")
FUNDS_ATOMS = 10**15


class Venue:
    """An exchange whose frames are kept, as a journal would.

    Attributes
    ----------
    frames
        Every frame so far, as bytes, with the seqs that each covers.
    events
        Every event so far with its seq and time.
    """

    def __init__(self, seed: int, venue_id: bytes = VENUE_ID) -> None:
        self.random = Random(seed)
        self.exchange = Exchange()
        self.venue_id = venue_id
        self.epoch = 1
        self.now_ns = START_NS
        self.frames: list[tuple[int, int, bytes]] = []
        self.events: list[tuple[int, int, Event]] = []
        self._ids = 0
        self._orders: list[tuple[str, str, int]] = []
        self.run([c.StartEngine(1, RULES_VERSION, Limits().as_wire())])
        self.run(self._setup())

    def run(self, commands: Iterable[c.Command]) -> EventsFrame:
        """Execute commands as one batch; return its frame."""
        first_seq = self.exchange.next_seq
        transactions = []
        for command in commands:
            seq = self.exchange.next_seq
            events = self.exchange.execute(command, self.now_ns)
            transactions.append((seq, 0, 0, 0, encode_events(events)))
            self.events += [(seq + offset, self.now_ns, event) for offset, event in enumerate(events)]
        last_seq = self.exchange.next_seq - 1
        head = Head(self.venue_id, ENGINE, self.epoch, first_seq, last_seq, self.now_ns)
        data = encode_events_frame(head, transactions)
        self.frames.append((first_seq, last_seq, data))
        return decode_events_frame(data)

    def trade(self, batches: int, commands_max: int = 8, pause_s_max: float = 40.0) -> list[EventsFrame]:
        """Let the crowd send some batches of commands, with pauses between them."""
        frames = []
        for _ in range(batches):
            self.now_ns += int(self.random.random() * pause_s_max * 1e9)
            frames.append(self.run([self._command() for _ in range(self.random.randint(1, commands_max))]))
        return frames

    def decoded(self) -> list[EventsFrame]:
        """Return every frame so far."""
        return [decode_events_frame(data) for _, _, data in self.frames]

    def _setup(self) -> list[c.Command]:
        commands: list[c.Command] = []
        for asset, decimals in (("BTC", 8), ("ETH", 8), ("USD", 6)):
            commands.append(c.CreateAsset(self._id(), c.OPERATOR, self._until(), asset, decimals))
        for market in MARKETS:
            base = market.partition("-")[0]
            numbers = (1, 2, 10_000, 10**6, 10**6, 1_000, 2_000)
            commands.append(
                c.CreateMarket(self._id(), c.OPERATOR, self._until(), market, base, "USD", *numbers)
            )
        for trader in TRADERS:
            commands.append(c.CreateAccount(self._id(), c.OPERATOR, self._until(), trader))
            for asset in ("BTC", "ETH", "USD"):
                to = (trader, asset, FUNDS_ATOMS)
                commands.append(c.Deposit(self._id(), c.OPERATOR, self._until(), *to))
        return commands

    def _id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def _until(self) -> int:
        return self.now_ns + VALID_NS

    def _command(self) -> c.Command:
        random = self.random
        trader, market = random.choice(TRADERS), random.choice(MARKETS)
        head = (self._id(), trader, self._until(), market)
        side, price, qty = random.choice((1, 2)), random.randint(990, 1010), random.randint(1, 50)
        kind = random.random()
        if kind < 0.55 or not self._orders:
            order_id = self.exchange.next_seq  # the one that this order gets, if the batch has one command
            self._orders.append((trader, market, order_id))
            return c.PlaceOrder(*head, side, 1, random.choice((1, 1, 1, 2, 3)), False, price, qty, 0)
        if kind < 0.62:
            return c.PlaceOrder(*head, 1, 2, 2, False, 0, 0, random.randint(1, 10**9))
        if kind < 0.66:
            return c.PlaceOrder(*head, side, 2, 2, False, 0, qty, 0)
        trader, market, order_id = random.choice(self._orders)
        mine = self.exchange.open_orders(trader)
        if mine:
            order_id, market = random.choice([(row[0], row[2]) for row in mine])
        head = (self._id(), trader, self._until(), market)
        if kind < 0.82:
            return c.CancelOrder(*head, order_id, "")
        if kind < 0.88:
            return c.ReduceOrder(*head, order_id, "", random.randint(0, 40))
        if kind < 0.96:
            return c.ReplaceOrder(*head, order_id, "", price, qty)
        if kind < 0.98:
            return c.Withdraw(self._id(), c.OPERATOR, self._until(), trader, "USD", random.randint(1, 10**6))
        return c.CancelAll(self._id(), trader, self._until(), "")
