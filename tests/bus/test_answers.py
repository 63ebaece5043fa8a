"""The answer read from a transaction's events is the one that the engine keeps under the command's id."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bus.answers import answer_of, wire_answer
from bus.codec import encode_events
from bus.commands import Continue, OpenLink, Prevention, StartEngine, SubmitBatch
from bus.errors import Code
from bus.events import (
    EVENT_NUMBERS,
    BatchDone,
    BatchStarted,
    CancelReason,
    CashedOut,
    CommandRejected,
    CommandRepeated,
    Event,
    ExposureChanged,
    GroupTripped,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRested,
    OrderTermsSet,
    PairPlaced,
    SelfTradePrevented,
    TradeExecuted,
    Waits,
)
from engine.exchange import Exchange
from tests.bus.lives import transactions
from tests.conftest import ALL
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


@given(st.integers(0, 2**32))
@settings(max_examples=400 if ALL else 20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_it_is_so_for_every_command_of_every_kind_of_market(seed: int) -> None:
    """Pairs, batches, cash outs, orders that wait, meet their own or trip a group; the answers of a batch's
    commands are kept under their own ids, and each is the outcome that the batch tells."""
    for exchange, (first_seq, command, events) in transactions(seed, 150):
        if command is None or isinstance(command, Continue | StartEngine | OpenLink):
            continue
        answer = wire_answer(first_seq, events)
        kept = exchange.answer(command[1], command[0])
        if kept is not None and (answer[6] or kept.seq == first_seq):
            assert answer[:6] == kept, command
        else:
            assert events[0][0] == EVENT_NUMBERS[CommandRejected] and answer[0], command
        if isinstance(command, SubmitBatch) and not answer[0] and not answer[6]:
            for inner, outcome in zip(command.commands, answer[7], strict=True):
                own = exchange.answer(command.account, str(inner[1]))
                if own is not None and own.seq >= first_seq and outcome[0] != Code.DUPLICATE_ID:
                    assert (own.code, *own[2:]) == tuple(outcome)


def test_a_repeated_answer_says_so() -> None:
    events = encode_events([CommandRepeated("ann", "a", 0, 7, 7, 3, 2, "")])
    assert wire_answer(99, events) == (0, 7, 7, 3, 2, "", True)


def test_a_refusal_names_its_own_seq() -> None:
    events = encode_events([CommandRejected("ann", "a", Code.EXPIRED, "why")])
    assert wire_answer(99, events) == (Code.EXPIRED, 99, 0, 0, 0, "why", False)


def accepted(order_id: int, qty_lots: int, budget_atoms: int = 0) -> OrderAccepted:
    """Return that an order of ann came in."""
    return OrderAccepted(
        "ann", 1, "M", order_id, f"id{order_id}", 1, 1, 1, False, 10, qty_lots, budget_atoms, 50, 0, 0
    )


def terms(order_id: int, waits: Waits) -> OrderTermsSet:
    """Return its terms."""
    return OrderTermsSet("ann", 2, "M", order_id, 0, 0, 1, 12, 0, 0, 0, "", False, waits)


def trade(taker_id: int, lots: int, left_lots: int) -> TradeExecuted:
    """Return that it traded as the taker."""
    return TradeExecuted(
        "M", 1, 10, lots, 1, "bob", 1, 3, 0, 0, "ann", 3, taker_id, left_lots, 0, 0, 5, 0, 0, 0
    )  # fmt: skip


def cancelled(order_id: int, left_lots: int, filled_lots: int, reason: CancelReason) -> OrderCancelled:
    """Return that an order was cancelled."""
    return OrderCancelled("ann", 4, "M", order_id, "", 1, 10, left_lots, reason, 0, 6, 0, filled_lots)


def rested(order_id: int, left_lots: int) -> OrderRested:
    """Return that an order went to rest."""
    return OrderRested("ann", 5, "M", order_id, 1, 10, left_lots, 7, left_lots)


def prevented(order_id: int, lots: int, left_lots: int) -> SelfTradePrevented:
    """Return that it did not meet order 2 of its own account."""
    mode = Prevention.DECREMENT if lots else Prevention.CANCEL_MAKER
    return SelfTradePrevented("M", "ann", 2, "ann", 4, order_id, 1, mode, lots, left_lots, 0)


def filled_and_left(*events: Event) -> tuple[int, int]:
    """Return what the answer says of order 9."""
    answer = answer_of(9, encode_events(events))
    assert (answer.code, answer.seq, answer.order_id, answer.detail) == (0, 9, 9, "")
    return answer.filled_lots, answer.left_lots


def test_an_order_that_waits_has_all_of_it_left() -> None:
    assert filled_and_left(accepted(9, 7), terms(9, Waits.TRIGGER)) == (0, 7)
    assert filled_and_left(accepted(9, 0, 500), terms(9, Waits.TRIGGER)) == (0, 0)


def test_the_events_of_other_orders_do_not_count() -> None:
    """A maker cancelled on the way or at the end, a group that trips, a debt that is paid."""
    maker = cancelled(2, 5, 1, CancelReason.SELF_TRADE)
    assert filled_and_left(accepted(9, 7), trade(9, 2, 5), prevented(9, 0, 0), maker, rested(9, 5)) == (2, 5)
    assert filled_and_left(accepted(9, 7), prevented(9, 0, 0), maker, trade(9, 7, 0)) == (7, 0)
    tripped = GroupTripped("bob", 3, "g", 2)
    assert filled_and_left(accepted(9, 2), trade(9, 2, 0), tripped) == (2, 0)
    assert filled_and_left(accepted(9, 0, 500), maker, trade(9, 2, 0), trade(9, 1, 0), tripped) == (3, 0)
    paid = ExposureChanged("bob", 3, "M", 5, 0)
    assert filled_and_left(accepted(9, 7), trade(9, 2, 5), rested(9, 5), paid) == (2, 5)
    assert filled_and_left(accepted(9, 7), cancelled(9, 5, 2, CancelReason.IOC), paid) == (2, 0)


def test_what_a_prevention_takes_off_is_not_filled() -> None:
    """DECREMENT lowers the total of the taker."""
    maker = cancelled(2, 3, 0, CancelReason.SELF_TRADE)
    assert filled_and_left(accepted(9, 7), prevented(9, 3, 4), maker, rested(9, 4)) == (0, 4)
    assert filled_and_left(accepted(9, 7), prevented(9, 3, 4), maker, trade(9, 4, 0)) == (4, 0)
    assert filled_and_left(
        accepted(9, 7), trade(9, 2, 5), prevented(9, 5, 0), cancelled(9, 0, 2, CancelReason.SELF_TRADE)
    ) == (2, 0)
    dust = OrderReduced("ann", 6, "M", 9, 1, 10, 6, 3, 0, 0, 0)
    assert filled_and_left(accepted(9, 7), trade(9, 50, 3), dust, rested(9, 3)) == (3, 3)


def test_a_pair_is_answered_for_its_first_order() -> None:
    """Also when the first goes on to trade."""
    pair = PairPlaced("ann", 3, "M", "p", 2, 9, 10, 1, 0)
    both = (accepted(9, 7), accepted(10, 3), terms(10, Waits.PAIR), pair)
    assert filled_and_left(*both) == (0, 7)
    assert filled_and_left(*both, trade(9, 2, 5), rested(9, 5)) == (2, 5)
    assert filled_and_left(*both, trade(9, 7, 0)) == (7, 0)


def test_a_batch_is_answered_with_its_outcomes() -> None:
    """Also when it came again."""
    outcomes = ((0, 9, 0, 7, ""), (307, 0, 0, 0, "expected an open order, was none"))
    started, done = BatchStarted("ann", "b", False, 2), BatchDone("ann", "b", outcomes)
    events = encode_events([started, accepted(9, 7), CommandRejected("ann", "x", 307, "why"), done])
    assert wire_answer(8, events) == (0, 8, 0, 0, 0, "", False, outcomes)
    assert answer_of(8, events) == (0, 8, 0, 0, 0, "")
    again = encode_events([CommandRepeated("ann", "b", 0, 8, 0, 0, 0, ""), done])
    assert wire_answer(99, again) == (0, 8, 0, 0, 0, "", True, outcomes)


def test_a_cash_out_names_no_order() -> None:
    events = encode_events(
        [accepted(9, 7), trade(9, 7, 0), CashedOut("ann", 9, "M", "id9", 10**6, (5, -5), (1, 1))]
    )
    assert wire_answer(9, events) == (0, 9, 0, 0, 0, "", False)
