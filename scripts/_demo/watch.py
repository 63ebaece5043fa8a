"""A client that only watches: private streams of some accounts and public market data, in its own process.

Invariant: it tells what it received, a checksum over every event in order, and takes nothing from anyone
else; whether that is all there was is for the reconciliation to say.

It is told what to do by JSON lines on standard input and answers each with one line:

- first ``{gateway, feed_stream, feed_query, key, secret, accounts, market}``: follows, then ``"watching"``;
- ``{"book": market_seq}``: once its book is that far, ``[market_seq, bids, asks, checksum mismatches]``;
- ``{"until": {account: account_seq}, "trade_id": n}``: once it is that far (or waited long enough), answers
  ``{"accounts": {account: [account_seq, checksum, gaps]}, "trades": [[trade_id, price, qty, side], …]}`` and
  ends.
"""

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bus.client import Client, MarketData, Missed
from bus.client.reports import Image, Report, Reports
from bus.events import EVENT_NUMBERS
from bus.market_data import Trade

from .parts import BOOK_LEVELS, Book
from .told import private_mark

PUMP_S = 0.02
END_S_MAX = 60.0


class Watched:
    """One account's stream, added up."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports
        self.account_seq = self.mark = 0

    def drain(self) -> None:
        """Take what has come."""
        while (item := self.reports.next()) is not None:
            if isinstance(item, Report):
                number = EVENT_NUMBERS[type(item.event)] if item.event is not None else 0
                self.mark = private_mark(self.mark, item.account_seq, item.seq, number)
            elif isinstance(item, Image):
                self.account_seq = item.account_seq
            self.account_seq = item.account_seq


class Watching:
    """The whole of what is watched."""

    def __init__(self, client: Client, data: MarketData, accounts: Sequence[str], market: str) -> None:
        self._client = client
        self._data = data
        self.accounts = {name: Watched(client.follow(name)) for name in accounts}
        self.depth = data.depth(market, BOOK_LEVELS)
        self._trades = data.trades(market)
        self.trades: list[Sequence[int]] = []
        data.ready(self.depth)
        data.ready(self._trades)
        self.wait(lambda: all(one.account_seq > 0 for one in self.accounts.values()))

    @property
    def last_trade_id(self) -> int:
        """The last trade received."""
        return self.trades[-1][0] if self.trades else 0

    def turn(self) -> None:
        """Take in what has come."""
        self._client.pump(PUMP_S)
        self._data.pump()
        for one in self.accounts.values():
            one.drain()
        while (item := self._trades.next()) is not None:
            if isinstance(item, Trade):
                self.trades.append(item[:4])
            else:
                assert isinstance(item, Missed)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Go on until a condition holds, or for long enough."""
        deadline_s = time.monotonic() + END_S_MAX
        while not condition() and time.monotonic() < deadline_s:
            self.turn()

    def book(self, market_seq: int) -> list[Any]:
        """Return the book once it is so far."""
        depth = self.depth
        self.wait(lambda: depth.ready and depth.market_seq >= market_seq)
        return [depth.market_seq, depth.bids(BOOK_LEVELS), depth.asks(BOOK_LEVELS), depth.mismatches]

    def told(self, until: dict[str, int], trade_id: int) -> dict[str, Any]:
        """Return what was received once it is so far."""
        self.wait(
            lambda: (
                self.last_trade_id >= trade_id
                and all(self.accounts[name].account_seq >= last for name, last in until.items())
            )
        )
        accounts = {
            name: [one.account_seq, one.mark, one.reports.gaps] for name, one in self.accounts.items()
        }
        return {"accounts": accounts, "trades": self.trades}


class Watcher:
    """The watching process, seen from the demo."""

    def __init__(self, **told: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts._demo.watch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask(told)

    def book(self, market_seq: int) -> tuple[Book, int]:
        """Return its book once that is so far, and how often a checksum did not fit."""
        reached, bids, asks, mismatches = self._ask({"book": market_seq})
        levels = {(side, row[0]): row[1] for side, rows in ((1, bids), (2, asks)) for row in rows}
        return Book(reached, levels), mismatches

    def finish(self, until: dict[str, int], trade_id: int) -> dict[str, Any]:
        """Let it watch up to each account's last ``account_seq`` and a trade, end, and tell."""
        told: dict[str, Any] = self._ask({"until": until, "trade_id": trade_id})
        self.process.wait(END_S_MAX)
        return told

    def kill(self) -> None:
        """End it, if it has not."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, what: object) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"expected the watching client to answer, was exit {self.process.wait()}")
        return json.loads(line)


def main() -> int:
    """Watch until told to end."""
    first = json.loads(sys.stdin.readline())
    heard: deque[dict[str, Any]] = deque()
    threading.Thread(target=lambda: heard.extend(json.loads(line) for line in sys.stdin), daemon=True).start()
    with (
        Client(first["gateway"], first["key"], first["secret"], account=first["accounts"][0]) as client,
        MarketData(first["feed_stream"], first["feed_query"]) as data,
    ):
        watching = Watching(client, data, first["accounts"], first["market"])
        _answer("watching")
        while True:
            watching.turn()
            if not heard:
                continue
            asked = heard.popleft()
            if "book" in asked:
                _answer(watching.book(asked["book"]))
            else:
                _answer(watching.told(asked["until"], asked["trade_id"]))
                return 0


def _answer(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main())
