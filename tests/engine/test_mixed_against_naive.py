"""The real exchange against the naive one over spot, binary and odds markets at once.

Each sequence is compared event by event; books, balances, open orders and answers every few commands in the
long sequences and after each command in those that hypothesis draws.
"""

from collections import Counter
from functools import cache

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import ALL
from tests.engine.versus import Sent, again, run, shortest

SEQUENCES = 100
COMMANDS = 1_000
A_TEST = 10
RARE = (
    "AuctionDone traded",
    "AuctionIndicated",
    "BatchDone all done",
    "BatchDone some refused",
    "BestOffered CROSS",
    "BestOffered CROSS none",
    "BestOffered IMPLIED",
    "CashedOut",
    "CommandRejected ACCOUNT_BUSY",
    "CommandRejected GROUP_TRIPPED",
    "CommandRejected MARKET_BUSY",
    "CommandRejected SHORTFALL",
    "CommandRejected TOO_MANY_IDS",
    "ExposureChanged shortfall",
    "GroupTripped",
    "MarketSettled 0 winners",
    "MarketSettled 1 winners",
    "MarketSettled 2 winners",
    "OrderCancelled CANCEL_AFTER",
    "OrderCancelled DUST",
    "OrderCancelled EXPIRED",
    "OrderCancelled FILLS_LIMIT",
    "OrderCancelled FUNDS",
    "OrderCancelled GROUP_TRIPPED",
    "OrderCancelled LAPSED",
    "OrderCancelled MIN_QTY",
    "OrderCancelled RUNNER_REMOVED",
    "OrderTriggered BET_DELAY",
    "OrderTriggered PAIR",
    "OrderTriggered TRIGGER",
    "PositionSettled commission",
    "RunnerAdded",
    "SelfTradePrevented CANCEL_BOTH",
    "SelfTradePrevented CANCEL_MAKER",
    "SelfTradePrevented CANCEL_TAKER",
    "SelfTradePrevented DECREMENT",
    "TradeExecuted CROSS",
    "TradeExecuted DIRECT rebate",
    "TradeExecuted IMPLIED",
    "TradesVoided",
    "job goes on: cancel",
    "job goes on: change",
    "job goes on: uncross",
    "level shared out pro rata",
    "triggered orders left over",
)
"""Rules that must have occurred, so that a comparison means something."""


@cache
def occurred(first: int) -> Counter[str]:
    """Run ten sequences; return which rules occurred, or fail with the fewest commands that differ."""
    seen: Counter[str] = Counter()
    for seed in range(first, first + A_TEST):
        versus, sent, difference = run(seed, COMMANDS, every=25)
        if difference:
            fail(seed, sent, difference)
        seen += versus.seen
    return seen


def fail(seed: int, sent: Sent, difference: str) -> None:
    """Fail with the fewest commands that still differ."""
    fewest = shortest(sent, lambda fewer: bool(again(seed, fewer)))
    lines = [f"seed {seed}: {difference}", *map(repr, fewest), again(seed, fewest)]
    pytest.fail("\n".join(lines))


@pytest.mark.parametrize("first", range(0, SEQUENCES, A_TEST))
def test_a_hundred_thousand_commands_give_the_same(first: int) -> None:
    """Ten sequences of a thousand commands, ten times: both exchanges say the same throughout."""
    assert occurred(first)


def test_what_is_rare_occurs() -> None:
    """The sequences above meet each rule that chance alone would hardly meet."""
    seen: Counter[str] = Counter()
    for first in range(0, SEQUENCES, A_TEST):
        seen += occurred(first)
    assert [rule for rule in RARE if not seen[rule]] == []


@given(st.integers(10_000, 2**40))
@settings(max_examples=1_000 if ALL else 40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_state_is_the_same_after_every_command(seed: int) -> None:
    """Short sequences of any seed, all state compared after each command."""
    _, sent, difference = run(seed, 80, every=1)
    if difference:
        fail(seed, sent, difference)
