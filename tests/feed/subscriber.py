"""A subscriber as the reference describes one: the plainest code that follows the rules."""

from bus.market_data import TopicFrame, checksum


class Book:
    """A book kept from a snapshot and diffs, by the rules of docs/reference/market-data.md."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.number: int | None = None

    def snapshot(
        self, result: tuple[int, list[tuple[int, int]], list[tuple[int, int]], int, int, int]
    ) -> None:
        """Begin with the answer to a depth query."""
        self.number, bids, asks, crc, *_ = result
        self.bids, self.asks = dict(bids), dict(asks)
        assert self.checksum() == crc

    def take(self, frame: TopicFrame) -> bool:
        """Take in a depth message; False when a hole shows that a new snapshot is needed."""
        assert self.number is not None
        if frame.first_number > self.number + 1:
            return False
        if frame.body is None or frame.last_number <= self.number:
            return True
        bids, asks, crc = frame.body
        for levels, rows in ((self.bids, bids), (self.asks, asks)):
            for price, lots in rows:
                if lots:
                    levels[price] = lots
                else:
                    levels.pop(price, None)
        self.number = frame.last_number
        return bool(self.checksum() == crc)

    def checksum(self) -> int:
        """Return the checksum of what is here."""
        bids = sorted(self.bids.items(), reverse=True)
        return checksum(bids, sorted(self.asks.items()))
