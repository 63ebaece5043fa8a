"""Plays steps through one pipelined client session and keeps what came of each.

Invariant: steps are handed over in order, at most ``window`` are unanswered, and each has exactly one
outcome in the end; a venue that answers nothing for ``stall_s_max`` is a typed error, never an endless wait.
"""

import time
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..client import Client, Pending
from ..commands import CancelOrder, OrderType, PlaceOrder, TimeInForce
from ..errors import Code, SessionError
from .flow import Step

CHUNK_STEPS = 128
WINDOW = 2_048
STALL_S_MAX = 90.0
VALID_FOR_S = 55.0
PUMP_S = 0.05

Watch = Callable[[int], object]


class Outcome(NamedTuple):
    """What the venue answered to a step; ``seq`` 0 when it never reached the engine."""

    code: int
    seq: int
    order_id: int
    filled_lots: int
    left_lots: int


class Player:
    """One run over steps.

    Parameters
    ----------
    client
        A connected client whose key may act for the accounts.
    market
        Where to trade.
    accounts
        Names by the number in `Step.account`.
    prefix
        In front of every id, so that two runs on one venue do not meet.
    times
        How often each command is handed over, under the same id: more than once must change nothing.
    until_ns
        ``valid_until_ns`` of all commands; 0: `VALID_FOR_S` from handing over. Commands of another player
        with the same prefix and ``until_ns`` are resends.
    window
        Most commands without an answer.

    Attributes
    ----------
    outcomes
        By the number of the step; None while there is none.
    latencies_ns
        From handing over to the answer, by the number of the step.
    contradictions
        Steps whose copies were answered differently.
    seconds
        How long playing took.
    """

    def __init__(
        self,
        client: Client,
        market: str,
        accounts: Sequence[str],
        *,
        prefix: str = "",
        times: int = 1,
        until_ns: int = 0,
        window: int = WINDOW,
        stall_s_max: float = STALL_S_MAX,
    ) -> None:
        self.outcomes: list[Outcome | None] = []
        self.latencies_ns = array("q")
        self.contradictions: list[int] = []
        self._client = client
        self._pipeline = client.session.pipeline
        self._market = market
        self._accounts = accounts
        self._prefix = prefix
        self._times = times
        self._until_ns = until_ns
        self._window = window
        self._stall_ns_max = int(stall_s_max * 1e9)
        self._handed_ns = array("q")
        self._first_number = 0
        self._answered = 0
        self.seconds = 0.0

    @property
    def answered(self) -> int:
        """Commands answered so far, copies included."""
        return self._answered

    def play(self, steps: Sequence[Step], watch: Watch | None = None) -> None:
        """Hand over the steps and wait until all are answered.

        Parameters
        ----------
        watch
            Called with the number of steps answered after every chunk; what it raises ends the play.

        Raises
        ------
        SessionError
            OUTCOME_UNKNOWN when nothing was answered for ``stall_s_max``; what ended the session.
        """
        done, begun_ns = len(self.outcomes), time.monotonic_ns()
        self.outcomes += [None] * len(steps)
        self.latencies_ns.extend([0] * len(steps))
        self._handed_ns.extend([0] * len(steps))
        for start in range(0, len(steps), CHUNK_STEPS):
            chunk = steps[start : start + CHUNK_STEPS]
            self._wait(self._window - len(chunk) * self._times, watch)
            for offset, step in enumerate(chunk, done + start):
                self._hand_over(offset, step)
            self._client.pump(0.0)
        self._wait(0, watch)
        self.seconds += (time.monotonic_ns() - begun_ns) / 1e9

    def _hand_over(self, number: int, step: Step) -> None:
        command = self._command(step)
        self._handed_ns[number] = time.monotonic_ns()
        for _ in range(self._times):
            pending = self._client.send(command, self._take)
            if not self._first_number:
                self._first_number = pending.number

    def _command(self, step: Step) -> PlaceOrder | CancelOrder:
        account, until_ns = (
            self._accounts[step.account],
            self._until_ns or self._client.valid_until_ns(VALID_FOR_S),
        )
        order = f"{self._prefix}{step.order_id}"
        if step.cancel:
            return CancelOrder(f"{order}x", account, until_ns, self._market, 0, order)
        head = (order, account, until_ns, self._market, step.side)
        if step.market:
            return PlaceOrder(*head, int(OrderType.MARKET), int(TimeInForce.IOC), False, 0, step.qty_lots, 0)
        kind = (int(OrderType.LIMIT), int(TimeInForce.GTC), step.post_only)
        return PlaceOrder(*head, *kind, step.price_ticks, step.qty_lots, 0)

    def _take(self, pending: Pending) -> None:
        number = (pending.number - self._first_number) // self._times
        answer = pending.answer
        outcome = Outcome(*answer[:5])
        earlier = self.outcomes[number]
        self._answered += 1
        if earlier is None:
            self.outcomes[number] = outcome
            self.latencies_ns[number] = time.monotonic_ns() - self._handed_ns[number]
        elif earlier != outcome:
            self.contradictions.append(number)

    def _wait(self, unanswered_max: int, watch: Watch | None) -> None:
        """Take in answers until at most so many are missing."""
        pipeline, progress = self._pipeline, (self._answered, time.monotonic_ns())
        while pipeline.unresolved > max(unanswered_max, 0):
            self._client.pump(PUMP_S)
            now_ns = time.monotonic_ns()
            if self._answered != progress[0]:
                progress = (self._answered, now_ns)
            elif now_ns - progress[1] > self._stall_ns_max:
                stall_s = self._stall_ns_max / 1e9
                raise SessionError(
                    Code.OUTCOME_UNKNOWN, f"expected an answer within {stall_s:.0f} s, was none"
                )
            if watch is not None:
                watch(self._answered // self._times)
        if watch is not None:
            watch(self._answered // self._times)
        if self._client.session.error is not None:
            raise self._client.session.error
