"""A client whose venue answers from a table: what its calls put on the wire, without sockets."""

from collections.abc import Callable
from typing import Any, TypeVar

from bus.client import Client
from bus.client.pending import Pending
from bus.client.pipeline import COMMAND, QUERY
from bus.client.turns import Steps
from bus.codec import decode_command, encode_event, pack, unpack
from bus.commands import Command, MarketModel
from bus.events import AssetCreated, MarketCreated, OutcomeMarketCreated

T = TypeVar("T")

SPOT = MarketCreated("BTC-USD", "BTC", "USD", 1, 2, 1_000, 1_000, 10**8, 10**8, 0, 0)
RAIN = MarketCreated(
    "rain", "USD", "USD", 1, 4, 10**10, 10**6, 9_999, 10**6, 0, 0, MarketModel.BINARY, "rain", 0
)
ANNA = MarketCreated(
    "race:anna", "USD", "USD", 1, 2, 10**8, 10**6, 10**5, 10**6, 0, 0, MarketModel.ODDS, "race", 0
)
RACE = OutcomeMarketCreated("race", MarketModel.ODDS, "USD", ("anna", "bella", "cleo"), 10**8, 10**6, 20_000, 1, "", 0, 0)  # fmt: skip  # noqa: E501

ANSWERS: dict[str, Any] = {
    "assets": [encode_event(AssetCreated("BTC", 8)), encode_event(AssetCreated("USD", 10))],
    "markets": [(encode_event(market), 1, 5, 0, 0) for market in (SPOT, RAIN, ANNA)],
    "outcome_markets": [
        (encode_event(RACE), 1, True, 5 * 10**9, ("cleo",), ("anna", "bella", "cleo")),
        (
            encode_event(OutcomeMarketCreated("rain", 2, "USD", (), 10**10, 10**6, 0, 1, "", 0, 0)),
            7, False, 0, (), ("YES", "NO"),
        ),
    ],
    "answer": (0, 12, 12, 0, 5, ""),
    "limits": (3, (True, 2, 5, "desk"), (("", 0, 0, 7, 0), ("BTC-USD", 1, 2, 3, 4))),
}  # fmt: skip
"""By query."""


class Told(Client):
    """A client that is answered at once.

    Attributes
    ----------
    commands
        What it sent, decoded (and so checked) as the gateway does.
    answer
        Makes the answer to a command; accepted and resting by default.
    """

    def __init__(self) -> None:
        super().__init__("inproc://nobody", "key", "secret", account="ann")
        self.commands: list[Command] = []
        self.answers: dict[str, Any] = dict(ANSWERS)
        self.answer: Callable[[Command], tuple[Any, ...]] = lambda _: (0, 9, 9, 0, 5, "", False)

    def post(
        self, op: int, args: tuple[Any, ...], callback: Callable[[Pending], object] | None = None
    ) -> Pending:
        """Answer a request."""
        pending = Pending(1, op, args, callback)
        sent = unpack(pack(args))
        if op == COMMAND:
            self.commands.append(decode_command(sent[0]))
            pending.result = self.answer(self.commands[-1])
            pending.code = pending.result[0]
        else:
            assert op == QUERY
            found = self.answers[sent[0]]
            pending.code, pending.result = 0, (1, 2, found(*sent[1]) if callable(found) else found)
        return pending

    def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call."""
        try:
            while True:
                next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def sent(self) -> Command:
        """Return the one command that was sent since the last look."""
        (command,) = self.commands
        self.commands.clear()
        return command
