"""All public state of the venue, kept from the events of the engine's stream.

Invariant: every event that concerns a book reaches that book once, in order; an outcome market's events reach
all its books. No I/O, no clock: time is that of the events.

`Markets.apply` runs for every event of the venue, so it works on the raw arrays.
"""

from collections.abc import Sequence
from typing import Any

from bus.codec import decode_event
from bus.commands import MarketState, Side
from bus.errors import Code, Rejected, StreamError
from bus.events import (
    EVENT_CLASSES,
    EVENT_NUMBERS,
    AssetCreated,
    AuctionDone,
    AuctionIndicated,
    AuctionTraded,
    BestOffered,
    Event,
    InPlayTurned,
    MarketCreated,
    MarketStateChanged,
    RunnerRemoved,
    TradeExecuted,
)
from bus.frames import EventsFrame
from bus.market_data import AUCTION, Auction, Offer, Trade

from .bars import SECOND_NS
from .market import Bounds, Market


class Markets:
    """Every book by its name.

    Attributes
    ----------
    by_outcome_market
        The books of each outcome market.
    seq, now_ns
        The last seq taken in and the time that is known to be reached.
    touched
        Markets that something happened to, for whoever tells it; it empties this.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.assets: dict[str, int] = {}
        self.by_name: dict[str, Market] = {}
        self.by_outcome_market: dict[str, list[Market]] = {}
        self.touched: dict[str, Market] = {}
        self.seq = 0
        self.now_ns = 0

    def market(self, name: str) -> Market:
        """Return a market.

        Raises
        ------
        Rejected
            UNKNOWN_MARKET.
        """
        found = self.by_name.get(name)
        if found is None:
            raise Rejected(Code.UNKNOWN_MARKET, f"expected a market that exists, was {name!r:.60}")
        return found

    def add(self, market: Market) -> None:
        """Begin with a market as it is."""
        self.by_name[market.name] = self.touched[market.name] = market
        if market.terms.outcome_market:
            self.by_outcome_market.setdefault(market.terms.outcome_market, []).append(market)

    def apply(self, frame: EventsFrame, after_seq: int) -> None:
        """Take in a frame's events above ``after_seq``; O(events).

        Raises
        ------
        StreamError
            STREAM_UNREPAIRABLE when an event names an unknown market or leaves a hole in its numbers.
        """
        head = frame.head
        now_ns = head.now_ns
        check_seq = head.first_seq <= after_seq
        for transaction in frame.transactions:
            seq = transaction[0]
            for event in transaction[4]:
                at = _BOOK_EVENTS.get(event[0])
                if check_seq and seq <= after_seq:
                    pass
                elif at is not None:
                    self._book_event(event, at, seq, now_ns)
                elif event[0] == _AUCTION_TRADE:
                    self._auction_trade(event, seq, now_ns)
                elif event[0] in _OTHER_EVENTS:
                    self._other_event(decode_event(event), seq)
                seq += 1
        self.seq = head.last_seq
        self.pass_time(now_ns)

    def pass_time(self, now_ns: int) -> None:
        """Note that everything before ``now_ns`` was taken in; closes candles once a second, O(markets)."""
        before_ns, self.now_ns = self.now_ns, max(self.now_ns, now_ns)
        if before_ns // SECOND_NS == self.now_ns // SECOND_NS:
            return
        for name, market in self.by_name.items():
            market.roll(self.now_ns)
            self.touched[name] = market

    def _book_event(self, event: Sequence[Any], at: "_At", seq: int, now_ns: int) -> None:
        market_at, side_at, price_at, market_seq_at, level_at = at
        market_seq = event[market_seq_at]
        if side_at < 0:
            market = self._known(event[market_at])
            taker_side = event[_TAKER_SIDE]
            kind = event[_KIND] if len(event) > _KIND else 0
            market.trade(
                Trade(event[_TRADE_ID], event[price_at], event[_TRADE_LOTS], taker_side, seq, now_ns, kind)
            )
            side = _OTHER_SIDE[taker_side]
        elif market_seq:
            market = self._known(event[market_at])
            side = event[side_at]
        else:
            return
        if market_seq:
            market.depth.change(side, event[price_at], event[level_at], market_seq)
        self.touched[event[market_at]] = market

    def _auction_trade(self, raw: Sequence[Any], seq: int, now_ns: int) -> None:
        event = AuctionTraded(*raw[1 : len(AuctionTraded._fields) + 1])
        market = self._known(event.market)
        market.trade(Trade(event.trade_id, event.price_ticks, event.qty_lots, 0, seq, now_ns, AUCTION))
        market.depth.change_both(
            event.buy_price_ticks, event.buy_level_lots, event.sell_price_ticks, event.sell_level_lots,
            event.market_seq,
        )  # fmt: skip
        self.touched[event.market] = market

    def _known(self, name: str) -> Market:
        market = self.by_name.get(name)
        if market is None:
            raise StreamError(
                Code.STREAM_UNREPAIRABLE, f"expected events of markets that were created, was {name!r:.60}"
            )
        return market

    def _other_event(self, event: Event | None, seq: int) -> None:
        if isinstance(event, AssetCreated):
            self.assets[event.asset] = event.decimals
        elif isinstance(event, MarketCreated):
            if event.market not in self.by_name:
                decimals = (self.assets[event.base], self.assets[event.quote])
                market = Market(event, decimals, self.bounds)
                others = self.by_outcome_market.get(event.outcome_market)
                if others:  # a runner added is as the others are, but for removed ones
                    market.state = min(other.state for other in others)
                    market.in_play, market.bet_delay_ns = others[0].in_play, others[0].bet_delay_ns
                self.add(market)
        elif isinstance(event, MarketStateChanged):
            for market in self._books_of(event.market, seq):
                if market.state != MarketState.VOIDED or event.state >= MarketState.SETTLED:
                    market.state = event.state
                    market.told = False
                if event.state == MarketState.PRE_OPEN:
                    market.indicate(Auction(0, 0, 0, False))
        elif isinstance(event, RunnerRemoved):
            for market in self._books_of(f"{event.market}:{event.runner}", seq):
                market.state = int(MarketState.VOIDED)  # its book alone, until all are settled
                market.told = False
        elif isinstance(event, InPlayTurned):
            for market in self._books_of(event.market, seq):
                market.in_play, market.bet_delay_ns = True, event.bet_delay_ns
                market.told = False
        elif isinstance(event, (AuctionIndicated, AuctionDone)):
            for market in self._books_of(event.market, seq):
                done = isinstance(event, AuctionDone)
                imbalance = 0 if isinstance(event, AuctionDone) else event.imbalance_lots
                market.indicate(Auction(event.price_ticks, event.lots, imbalance, done))
        elif isinstance(event, BestOffered):
            for market in self._books_of(event.market, seq):
                market.offer(Offer(*event[1:]))

    def _books_of(self, name: str, seq: int) -> list[Market]:
        """Return the books of a market, or the book itself, that do not know of ``seq`` yet, as touched."""
        books = self.by_outcome_market.get(name) or [self._known(name)]
        found = [market for market in books if seq > market.state_seq]
        for market in found:
            self.touched[market.name] = market
        return found


_At = tuple[int, int, int, int, int]


def _places() -> dict[int, _At]:
    """Return where each event that changes a book has market, side, price, market_seq and level_lots.

    The side of a trade's level is not in it (-1): it is the maker's, the other one than the taker's.
    """
    places: dict[int, _At] = {}
    for number, cls in EVENT_CLASSES.items():
        at = {field: index for index, field in enumerate(cls._fields, start=1)}
        if "level_lots" in at:
            price = at.get("old_price_ticks", at["price_ticks"])
            places[number] = (at["market"], at.get("side", -1), price, at["market_seq"], at["level_lots"])
    return places


_BOOK_EVENTS = _places()
_AUCTION_TRADE = EVENT_NUMBERS[AuctionTraded]
_OTHER_EVENTS = frozenset(
    EVENT_NUMBERS[cls]
    for cls in (
        AssetCreated, MarketCreated, MarketStateChanged, InPlayTurned, RunnerRemoved, AuctionIndicated,
        AuctionDone, BestOffered,
    )
)  # fmt: skip
_OTHER_SIDE = {int(Side.BUY): int(Side.SELL), int(Side.SELL): int(Side.BUY)}
_TRADE_ID, _TRADE_LOTS, _TAKER_SIDE, _KIND = (
    TradeExecuted._fields.index(field) + 1 for field in ("trade_id", "qty_lots", "taker_side", "kind")
)
