"""Public market data on the wire: the rows, the frame of a topic, and the checksum of a book.

Invariant: a row's field order is its wire order, fields are only ever added at the end, and readers ignore
trailing fields that they do not know. Everything is an integer; sums that may need more than 63 bits
(``volume_lots``, ``volume_atoms``) travel as text of decimal digits.

``docs/reference/market-data.md`` is the same for writers of other clients.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple
from zlib import crc32

from .codec import pack
from .commands import INT_MAX
from .errors import Code
from .frames import WIRE_VERSION, Kind, open_frame, refuse

CHECKSUM_LEVELS = 10
"""Levels of each side that a checksum covers."""

AUCTION = 3
"""A trade's kind beside those of `bus.events.TradeKind`: made by an uncross, without a taker."""

Level = tuple[int, int]
"""``(price_ticks, level_lots)``."""


class Trade(NamedTuple):
    """A trade; ``taker_side`` is 1 (buy, lay), 2 (sell, back) or 0 (there is no taker: an auction).

    ``kind`` is a `bus.events.TradeKind` or `AUCTION`.
    """

    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: int
    seq: int
    time_ns: int
    kind: int = 0


class Ticker(NamedTuple):
    """The 24 hours that end with the present minute; ``change_ticks`` is signed."""

    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    change_ticks: int
    volume_lots: str
    volume_atoms: str
    trades: int
    from_ns: int
    to_ns: int
    complete: bool
    last_trade_id: int


class Candle(NamedTuple):
    """An interval's prices and volume; ``closed``: final, ``complete``: made of all its trades."""

    start_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: str
    volume_atoms: str
    trades: int
    closed: bool
    complete: bool


class Best(NamedTuple):
    """Best bid and ask; zeros for an empty side."""

    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    market_seq: int


class Auction(NamedTuple):
    """What an uncross would do now, or (``done``) what the last one did: ``lots`` at ``price_ticks``.

    Both are 0 for nothing. ``imbalance_lots`` would be left at that price: positive of buyers, negative of
    sellers.
    """

    price_ticks: int
    lots: int
    imbalance_lots: int
    done: bool


class Offer(NamedTuple):
    """The best that a book offers beyond its own orders; ``kind`` as of a trade: implied or cross.

    ``side`` is the side of the orders that it stands for: who lays is served by what backs.
    """

    kind: int
    side: int
    price_ticks: int
    lots: int


class MarketRow(NamedTuple):
    """A book as the public sees it; the tick size is ``tick_mantissa * 10**-tick_decimals``.

    ``model`` is a `bus.commands.MarketModel`, ``state`` a `bus.commands.MarketState`. The book of a binary
    market or of a runner names its ``outcome_market`` and its number ``runner`` there. ``bet_delay_ns``
    counts once the market is ``in_play``.
    """

    market: str
    base: str
    quote: str
    base_decimals: int
    quote_decimals: int
    tick_mantissa: int
    tick_decimals: int
    lot_atoms: int
    unit_atoms: int
    price_ticks_max: int
    qty_lots_max: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    state: int
    market_seq: int
    last_trade_id: int
    last_price_ticks: int
    model: int = 1
    outcome_market: str = ""
    runner: int = 0
    in_play: bool = False
    bet_delay_ns: int = 0


class TopicFrame(NamedTuple):
    """A message of a topic: the numbers that its body covers, and the engine's seq and time of it.

    With ``body`` None it is a heartbeat: ``first_number`` is the next number, ``last_number`` the one
    before it.
    """

    topic: str
    feed_instance: int
    venue_id: bytes
    engine: str
    epoch: int
    first_number: int
    last_number: int
    seq: int
    now_ns: int
    body: Any


def encode_topic_frame(frame: TopicFrame) -> bytes:
    """Return the bytes of a topic's frame."""
    return pack((WIRE_VERSION, Kind.TOPIC.value, *frame))


def decode_topic_frame(data: bytes | memoryview) -> TopicFrame:
    """Return the topic's frame in ``data``; trailing fields are ignored.

    Raises
    ------
    FormError
        MALFORMED, UNSUPPORTED_VERSION, UNSUPPORTED_TYPE, MISSING_FIELD or WRONG_TYPE.
    """
    fields = open_frame(data, Kind.TOPIC, 12)
    frame = TopicFrame(*fields[2:12])
    numbers = (frame.feed_instance, *frame[4:9])
    if not all(type(number) is int and 0 <= number <= INT_MAX for number in numbers):
        refuse(Code.WRONG_TYPE, "instance, epoch, numbers, seq and time as integers from 0", numbers)
    if type(frame.topic) is not str or type(frame.venue_id) is not bytes or type(frame.engine) is not str:
        refuse(Code.WRONG_TYPE, "topic and engine as text, venue_id as bytes", frame[:4])
    return frame


def checksum(bids: Iterable[Sequence[int]], asks: Iterable[Sequence[int]]) -> int:
    """Return the CRC-32 of the ten best levels of each side, given best first.

    Parameters
    ----------
    bids, asks
        ``(price_ticks, level_lots)`` rows; what lies beyond the tenth is not looked at.
    """
    return crc32(f"{_levels_text(bids)}|{_levels_text(asks)}".encode("ascii"))


def _levels_text(levels: Iterable[Sequence[int]]) -> str:
    return ",".join([f"{level[0]}:{level[1]}" for level in islice(levels, CHECKSUM_LEVELS)])
