"""Trades at hand are dense, bounded and found by number."""

import pytest

from bus.errors import StreamError
from bus.market_data import Trade
from feed.trades import Trades


def trade(trade_id: int) -> Trade:
    """Return a trade of that number."""
    return Trade(trade_id, 100, 1, 1, 10 * trade_id, trade_id)


def ids(trades: list[Trade]) -> list[int]:
    """Return the numbers of trades."""
    return [found.trade_id for found in trades]


def test_the_newest_are_at_hand_and_found_by_number() -> None:
    trades = Trades(5)
    assert trades.after(-1, 3) == [] and trades.after(0, 3) == [] and trades.oldest_trade_id == 0
    for number in range(1, 9):
        assert trades.add(trade(number))
    assert trades.oldest_trade_id == 4
    assert ids(trades.after(-1, 2)) == [7, 8]
    assert ids(trades.after(-1, 99)) == [4, 5, 6, 7, 8]
    assert ids(trades.after(5, 2)) == [6, 7]
    assert ids(trades.after(0, 2)) == [4, 5], "what is gone is left out; oldest_trade_id tells"
    assert trades.after(8, 2) == [] and trades.after(99, 2) == []


def test_each_is_told_once() -> None:
    trades = Trades(5)
    trades.add(trade(1))
    trades.add(trade(2))
    assert trades.told_trade_id == 0
    assert ids(trades.take_new()) == [1, 2]
    assert trades.told_trade_id == 2
    assert trades.take_new() == []


def test_history_is_continued_and_a_hole_stops() -> None:
    trades = Trades(5, 3, [trade(2), trade(3)])
    assert not trades.add(trade(3))
    assert trades.add(trade(4))
    assert ids(trades.after(-1, 9)) == [2, 3, 4]
    with pytest.raises(StreamError, match="expected trade_id 5, was 6"):
        trades.add(trade(6))
    with pytest.raises(StreamError, match="expected past trades up to 4, was up to 3"):
        Trades(5, 4, [trade(3)])
