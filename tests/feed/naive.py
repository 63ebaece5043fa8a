"""Market data by looking through the list of all trades: slow and obviously right."""

from typing import NamedTuple

from bus.market_data import Candle, Ticker
from feed.bars import INTERVALS, MINUTE_NS


class Deal(NamedTuple):
    """A trade."""

    time_ns: int
    price: int
    lots: int


def candles_of(deals: list[Deal], name: str, now_ns: int, unit_atoms: int) -> list[Candle]:
    """Return all candles from the first trade to now, each made from the list of all trades."""
    interval = INTERVALS[name]
    rows: list[Candle] = []
    start_ns = interval.start_of(deals[0].time_ns) if deals else now_ns + 1
    close = 0
    while start_ns <= now_ns:
        end_ns = interval.next(start_ns)
        inside = [deal for deal in deals if start_ns <= deal.time_ns < end_ns]
        prices = [deal.price for deal in inside] or [close]
        close = prices[-1]
        atoms = sum(deal.lots * deal.price * unit_atoms for deal in inside)
        rows.append(
            Candle(
                start_ns,
                prices[0],
                max(prices),
                min(prices),
                close,
                str(sum(deal.lots for deal in inside)),
                str(atoms),
                len(inside),
                end_ns <= now_ns,
                True,
            )
        )
        start_ns = end_ns
    return rows


def ticker_of(deals: list[Deal], now_ns: int, unit_atoms: int) -> Ticker:
    """Return the ticker of the minutes of the last 24 hours; trade ids count from 1."""
    from_ns = (now_ns // MINUTE_NS - 1_439) * MINUTE_NS
    inside = [deal for deal in deals if deal.time_ns >= from_ns]
    last = deals[-1].price if deals else 0
    prices = [deal.price for deal in inside] or [last]
    return Ticker(
        prices[0],
        max(prices),
        min(prices),
        last,
        last - prices[0],
        str(sum(deal.lots for deal in inside)),
        str(sum(deal.price * deal.lots * unit_atoms for deal in inside)),
        len(inside),
        from_ns,
        now_ns,
        True,
        len(deals),
    )
