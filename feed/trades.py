"""A market's newest trades.

Invariant: trade ids are dense (`Trades.add` refuses one that leaves a hole); of those at hand none is
missing; at most ``kept_max`` are at hand. No I/O.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice

from bus.errors import Code, StreamError
from bus.market_data import Trade


class Trades:
    """The newest trades of one market and those not yet told.

    Parameters
    ----------
    kept_max
        Trades at hand.
    last_trade_id
        The last one before those that follow.
    past
        The newest trades up to ``last_trade_id``, without a hole, oldest first (from history).

    Attributes
    ----------
    last_trade_id, told_trade_id
        The last one taken in; the last one that `take_new` has returned.
    """

    __slots__ = ("_kept", "_new", "last_trade_id", "told_trade_id")

    def __init__(self, kept_max: int, last_trade_id: int = 0, past: Iterable[Trade] = ()) -> None:
        self._kept: deque[Trade] = deque(past, maxlen=kept_max)
        self._new: deque[Trade] = deque(maxlen=kept_max)
        self.last_trade_id = self.told_trade_id = last_trade_id
        if self._kept and self._kept[-1].trade_id != last_trade_id:
            raise StreamError(
                Code.STREAM_UNREPAIRABLE,
                f"expected past trades up to {last_trade_id}, was up to {self._kept[-1].trade_id}",
            )

    @property
    def oldest_trade_id(self) -> int:
        """The oldest trade at hand; 0 for none."""
        return self._kept[0].trade_id if self._kept else 0

    @property
    def pending(self) -> bool:
        """Whether `take_new` would return something."""
        return bool(self._new)

    def add(self, trade: Trade) -> bool:
        """Take in a trade; O(1). False when it was taken in before.

        Raises
        ------
        StreamError
            STREAM_UNREPAIRABLE when its id leaves a hole.
        """
        if trade.trade_id != self.last_trade_id + 1:
            if trade.trade_id <= self.last_trade_id:
                return False
            raise StreamError(
                Code.STREAM_UNREPAIRABLE, f"expected trade_id {self.last_trade_id + 1}, was {trade.trade_id}"
            )
        self.last_trade_id = trade.trade_id
        self._kept.append(trade)
        self._new.append(trade)
        return True

    def take_new(self) -> list[Trade]:
        """Return the trades since the last call (the newest, where they are more than are kept)."""
        new = list(self._new)
        self._new.clear()
        self.told_trade_id = self.last_trade_id
        return new

    def after(self, trade_id: int, limit: int) -> list[Trade]:
        """Return at most ``limit`` trades above ``trade_id``, oldest first; -1: the newest.

        O(trades from there to the newest).
        """
        count = limit if trade_id < 0 else max(0, self.last_trade_id - trade_id)
        newest = list(islice(reversed(self._kept), min(count, len(self._kept))))
        newest.reverse()
        return newest if trade_id < 0 else newest[:limit]
