"""A bare client of the wire, written from docs/reference/wire.md, that can also misbehave."""

import itertools
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import zmq

from bus.codec import encode_command, pack, unpack
from bus.commands import CancelOrder, Command, PlaceOrder
from bus.scram import ClientExchange
from tests.poll import until

ids = itertools.count(1)


def valid_until() -> int:
    """Return a time half a minute ahead."""
    return time.time_ns() + 30_000_000_000


def order(
    account: str = "demo-1", side: int = 1, price: int = 4_000_000, qty: int = 1_000, **other: Any
) -> PlaceOrder:
    """Return a limit order with a fresh id."""
    fields: dict[str, Any] = {
        "client_order_id": f"o-{next(ids)}",
        "account": account,
        "valid_until_ns": valid_until(),
        "market": "BTC-USD",
        "side": side,
        "order_type": 1,
        "time_in_force": 1,
        "post_only": False,
        "price_ticks": price,
        "qty_lots": qty,
        "budget_atoms": 0,
        **other,
    }
    return PlaceOrder(**fields)


def cancel_of(placed: PlaceOrder) -> CancelOrder:
    """Return the cancel of an order, by its id."""
    return CancelOrder(
        f"c-{next(ids)}", placed.account, valid_until(), placed.market, 0, placed.client_order_id
    )


class Client:
    """One connection to a gateway.

    Attributes
    ----------
    run, next_id, token
        What the next message carries; tests change them to misbehave.
    replies
        Replies by (run, request id), each ``[request_id, code, detail, result]``.
    private
        Private events as ``(account, account_seq, seq, event)``.
    """

    def __init__(self, endpoint: str, identity: bytes = b"") -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if identity:
            self.socket.setsockopt(zmq.IDENTITY, identity)
        self.socket.connect(endpoint)
        self.token = b""
        self.run = 0
        self.next_id = 1
        self.budget: tuple[int, ...] = ()
        self.replies: dict[tuple[int, int], tuple[Any, ...]] = {}
        self.order: list[int] = []
        self.repeated = 0
        self.private: list[tuple[str, int, int, tuple[Any, ...]]] = []
        self.heartbeats = 0
        self.settings: dict[str, Any] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self.context.destroy(linger=0)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.send(data)

    def send(self, requests: Sequence[tuple[int, Any]]) -> list[tuple[int, int]]:
        """Send requests ``(op, args)`` in one message; return the keys of their replies."""
        first = self.next_id
        self.next_id += len(requests)
        items = [(first + i, op, args) for i, (op, args) in enumerate(requests)]
        self.raw(pack((1, 7, self.token, self.run, items)))
        return [(self.run, item[0]) for item in items]

    def commands(self, *commands: Command) -> list[tuple[int, int]]:
        """Send commands in one message."""
        return self.send([(4, (encode_command(command),)) for command in commands])

    def receive(self) -> None:
        """Take in everything that has come."""
        while True:
            try:
                fields = unpack(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return
            if fields[1] == 8:
                self.budget = fields[4]
                for reply in fields[3]:
                    self.repeated += (fields[2], reply[0]) in self.replies and reply[0] != 0
                    self.replies[(fields[2], reply[0])] = reply
                    self.order.append(reply[0])
            elif fields[1] == 9 and not fields[2]:
                self.heartbeats += 1
            else:
                assert fields[1] == 9
                self.private.extend((fields[2], *event[:2], event[3]) for event in fields[3])

    def events(self) -> int:
        """Take in what has come; return how many private events there are."""
        self.receive()
        return len(self.private)

    def reply(self, key: tuple[int, int], timeout_s: float = 20.0) -> tuple[Any, ...]:
        """Wait for a reply and return it."""

        def came() -> tuple[Any, ...] | None:
            self.receive()
            return self.replies.get(key)

        return until(came, timeout_s, f"a reply to {key}") or ()

    def ask(self, op: int, *args: Any) -> tuple[Any, ...]:
        """Send one request and wait for its reply."""
        return self.reply(self.send([(op, args)])[0])

    def command(self, command: Command) -> tuple[Any, ...]:
        """Send one command and wait for its reply."""
        return self.reply(self.commands(command)[0])

    def log_on(self, key: str = "demo-1", secret: str = "") -> tuple[Any, ...]:
        """Log on; return the last reply. Keys are as in the seed unless a secret is given."""
        exchange = ClientExchange(key, secret or f"{key}-secret", f"nonce-{next(ids)}")
        first = self.ask(1, exchange.first())
        if first[1]:
            return first
        final = self.ask(2, exchange.final(first[3][0]))
        if final[1] == 0:
            exchange.check(final[3][0])
            self.token = final[3][1]
            self.settings = final[3][5]
        return final

    def ready(self, key: str = "demo-1") -> "Client":
        """Log on as soon as the gateway can, and until it takes commands."""
        until(lambda: self.log_on(key)[1] == 0, what=f"log-on of {key}")
        return self
