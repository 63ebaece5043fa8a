"""The answer read from a transaction's events is the one that the engine keeps under the command's id."""

from hypothesis import given
from hypothesis import strategies as st

from bus.answers import answer_of, wire_answer
from bus.codec import encode_events
from bus.errors import Code
from bus.events import CommandRejected, CommandRepeated
from engine.exchange import Exchange
from tests.engine.sequences import LIMITS, Maker, Sequence, setup_commands


@given(st.integers(0, 2**32))
def test_it_is_the_answer_that_the_engine_keeps(seed: int) -> None:
    exchange = Exchange(LIMITS)
    for now_ns, command in setup_commands():
        exchange.execute(command, now_ns)
    sequence = Sequence()
    for step in Maker(seed).steps(150):
        command = sequence.next_command(step)
        first_seq = exchange.next_seq
        events = exchange.execute(command, sequence.now_ns)
        sequence.saw(events)
        answer = answer_of(first_seq, encode_events(events))
        kept = exchange.answer(command[1], command[0]) if len(command) > 3 else None
        if isinstance(events[0], CommandRepeated) or (kept is not None and kept.seq == first_seq):
            assert answer == kept
        else:
            assert isinstance(events[0], CommandRejected) == bool(answer.code)


def test_a_repeated_answer_says_so() -> None:
    events = encode_events([CommandRepeated("ann", "a", 0, 7, 7, 3, 2, "")])
    assert wire_answer(99, events) == (0, 7, 7, 3, 2, "", True)


def test_a_refusal_names_its_own_seq() -> None:
    events = encode_events([CommandRejected("ann", "a", Code.EXPIRED, "why")])
    assert wire_answer(99, events) == (Code.EXPIRED, 99, 0, 0, 0, "why", False)
