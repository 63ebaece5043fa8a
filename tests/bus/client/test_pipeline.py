"""Order and identity of commands over refusals, lost connections and unknown outcomes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.client.pending import Pending
from bus.client.session import State
from bus.errors import Code, FormError, OutcomeUnknown, Rejected, SessionError

from .peer import Exchange, Peer, new_session, place


def test_what_waits_goes_together() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    before = len(exchange.peer.messages)
    pendings = [place(exchange.session, f"o{i}") for i in range(40)]
    exchange.turn()
    assert [len(message) for message in exchange.peer.messages[before:]] == [16, 16, 8]
    assert all(pending.code == 0 for pending in pendings)


def test_the_window_bounds_what_is_under_way() -> None:
    exchange = Exchange(new_session(window=20, queue_max=50), Peer())
    exchange.turn()
    for i in range(50):
        place(exchange.session, f"o{i}")
    assert exchange.session.pipeline.is_full
    with pytest.raises(SessionError) as caught:
        place(exchange.session, "one more")
    assert caught.value.code is Code.BUSY
    messages = []
    while (message := exchange.session.next_message()) is not None:
        messages.append(message)
    assert len(exchange.session.pipeline.in_flight) == 20
    for message in messages:
        exchange.session.receive(exchange.peer.receive(message), exchange.now_ns)
    exchange.until_idle()
    assert exchange.peer.executed == [f"o{i}" for i in range(50)]


def test_the_gateways_window_applies_too() -> None:
    exchange = Exchange(new_session(window=100), Peer(in_flight_max=3))
    exchange.turn()
    for i in range(10):
        place(exchange.session, f"o{i}")
    assert exchange.session.next_message() is not None
    assert exchange.session.next_message() is None
    assert len(exchange.session.pipeline.in_flight) == 3


@pytest.mark.parametrize(
    "code", [Code.BUSY, Code.RATE_LIMITED, Code.ENGINE_UNAVAILABLE, Code.LINK_GAP, Code.OUTCOME_UNKNOWN]
)
def test_what_was_refused_for_now_goes_again_in_order(code: Code) -> None:
    peer = Peer()
    refusals = {"o3": 2, "o7": 1}

    def refuse(name: str) -> int:
        if refusals.get(name, 0):
            refusals[name] -= 1
            return int(code)
        return 0

    peer.refuse = refuse
    exchange = Exchange(new_session(), peer)
    pendings = [place(exchange.session, f"o{i}") for i in range(20)]
    exchange.until_idle()
    assert peer.executed == [f"o{i}" for i in range(20)]
    assert all(pending.code == 0 for pending in pendings)
    assert exchange.session.pipeline.resent > 0


def test_nothing_new_overtakes_what_was_refused() -> None:
    peer = Peer()
    busy = True
    peer.refuse = lambda _: int(Code.BUSY) if busy else 0
    exchange = Exchange(new_session(), peer)
    place(exchange.session, "first")
    exchange.turn()
    place(exchange.session, "second")
    for _ in range(10):
        exchange.turn(600)
    busy = False
    exchange.until_idle()
    assert peer.executed == ["first", "second"]


def test_a_definite_reject_is_final_and_breaks_nothing() -> None:
    peer = Peer()
    peer.refuse = lambda name: int(Code.INSUFFICIENT_FUNDS) if name == "b" else 0
    exchange = Exchange(new_session(), peer)
    pendings = [place(exchange.session, name) for name in "abc"]
    exchange.until_idle()
    assert [pending.code for pending in pendings] == [0, Code.INSUFFICIENT_FUNDS, 0]
    assert isinstance(pendings[1].error, Rejected)
    with pytest.raises(Rejected):
        pendings[1].value()
    assert pendings[1].answer.seq == 9


def test_a_lost_connection_resends_under_the_same_ids() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    pendings = [place(exchange.session, name) for name in "abcd"]
    message = exchange.session.next_message()
    assert message is not None
    exchange.peer.receive(message)  # executed, but the reply is lost
    exchange.session.lost(exchange.now_ns, "a test")
    place(exchange.session, "e")
    exchange.until_idle()
    assert exchange.peer.executed == ["a", "b", "c", "d", "e"]
    assert [pending.answer.repeated for pending in pendings] == [True] * 4


def test_expired_is_told_as_it_is_when_nothing_was_in_doubt() -> None:
    peer = Peer()
    peer.expire = True
    exchange = Exchange(new_session(), peer)
    pending = place(exchange.session, "a")
    exchange.until_idle()
    assert pending.code == Code.EXPIRED
    assert isinstance(pending.error, Rejected)


@pytest.mark.parametrize("forget", [False, True])
def test_a_resend_that_came_too_late_is_looked_up(forget: bool) -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    called: list[Pending] = []
    pending = place(exchange.session, "a")
    pending.callback = called.append
    message = exchange.session.next_message()
    assert message is not None
    exchange.peer.receive(message)
    exchange.session.lost(exchange.now_ns, "a test")
    exchange.peer.expire, exchange.peer.forget = True, forget
    for _ in range(20):
        exchange.turn(500)
        while (due := exchange.session.pipeline.take_callback()) is not None:
            assert due.callback is not None
            due.callback(due)
    assert exchange.peer.executed == ["a"]
    assert called == [pending]
    if forget:
        assert isinstance(pending.error, OutcomeUnknown)
        assert pending.error.outcome == "unknown"
    else:
        assert pending.code == 0
        assert pending.answer.order_id == 1
        assert pending.answer.repeated


def test_giving_up_tells_whether_it_may_have_happened() -> None:
    exchange = Exchange(new_session(), Peer())
    waiting = place(exchange.session, "never sent")
    exchange.session.give_up(waiting)
    assert waiting.code == Code.NOT_READY
    assert "not sent" in waiting.detail
    exchange.turn()
    sent = place(exchange.session, "sent")
    message = exchange.session.next_message()
    assert message is not None
    exchange.session.give_up(sent)
    assert isinstance(sent.error, OutcomeUnknown)
    exchange.session.receive(exchange.peer.receive(message), exchange.now_ns)
    assert sent.code == Code.OUTCOME_UNKNOWN
    exchange.session.give_up(sent)
    exchange.until_idle()
    assert exchange.peer.executed == ["sent"]


def test_what_was_given_up_is_not_sent_again() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    pendings = [place(exchange.session, name) for name in "abc"]
    assert exchange.session.next_message() is not None
    exchange.session.lost(exchange.now_ns, "a test")
    exchange.session.give_up(pendings[1])
    exchange.until_idle()
    assert exchange.peer.executed == ["a", "c"]
    assert isinstance(pendings[1].error, OutcomeUnknown)


def test_one_that_cannot_be_packed_harms_no_other() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    pendings = [place(exchange.session, name) for name in "abc"]
    pendings[1].args = ((1, "b", "alice", object()),)
    large = place(exchange.session, "large", size=5_000)
    last = place(exchange.session, "d")
    exchange.until_idle()
    assert exchange.peer.executed == ["a", "c", "d"]
    assert pendings[1].code == Code.WRONG_TYPE
    assert isinstance(pendings[1].error, FormError)
    assert large.code == Code.MESSAGE_TOO_LARGE
    assert last.code == 0


def test_large_ones_are_spread_over_messages() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    for i in range(30):
        place(exchange.session, f"o{i}", size=1_000)
    exchange.until_idle()
    assert exchange.peer.executed == [f"o{i}" for i in range(30)]


def test_callbacks_are_due_once() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    called: list[Pending] = []
    exchange.session.pipeline.request(4, ((1, "a", "alice", 1),), called.append)
    exchange.turn()
    due = exchange.session.pipeline.take_callback()
    assert due is not None
    assert due.id == "a"
    assert exchange.session.pipeline.take_callback() is None


def test_pending_says_what_it_is() -> None:
    exchange = Exchange(new_session(), Peer())
    pending = place(exchange.session, "a")
    assert "waiting" in repr(pending)
    assert not pending.done
    with pytest.raises(SessionError):
        pending.value()
    exchange.until_idle()
    assert "code 0" in repr(pending)
    assert exchange.session.pipeline.request(5, ("markets", ())).id == ""


@given(seed=st.integers(0, 2**32))
def test_whatever_happens_each_is_executed_once_and_in_order(seed: int) -> None:
    random = Random(seed)
    peer = Peer(in_flight_max=random.choice([1, 5, 64]))
    faults = [0] * 12 + [
        int(code)
        for code in (
            Code.BUSY,
            Code.RATE_LIMITED,
            Code.LINK_GAP,
            Code.ENGINE_UNAVAILABLE,
            Code.OUTCOME_UNKNOWN,
        )
    ]
    peer.refuse = lambda _: random.choice(faults)
    exchange = Exchange(new_session(), peer)
    session = exchange.session
    pendings: list[Pending] = []
    replies: list[bytes] = []
    messages: list[bytes] = []
    for _ in range(120):
        exchange.now_ns += random.randrange(200) * 1_000_000
        if session.wants_connection(exchange.now_ns):
            peer.connect()
            session.opened(exchange.now_ns)
        session.tick(exchange.now_ns)
        for _ in range(random.randrange(6)):
            pendings.append(place(session, f"o{len(pendings)}"))
        message = session.next_message()
        if message is not None:
            messages.append(message)
        while messages and random.random() < 0.7:
            replies.append(peer.receive(messages.pop(0)))
        while replies and random.random() < 0.7:
            session.receive(replies.pop(0), exchange.now_ns)
        if session.state is State.DOWN or random.random() < 0.03:
            session.lost(exchange.now_ns, "a test")
            messages.clear()
            replies.clear()
    for data in messages:
        replies.append(peer.receive(data))
    for data in replies:
        session.receive(data, exchange.now_ns)
    peer.refuse = lambda _: 0
    exchange.until_idle()
    assert peer.executed == [pending.id for pending in pendings]
    assert all(pending.code == 0 for pending in pendings)
    assert peer.skipped == 0
