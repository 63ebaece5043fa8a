"""Cancel on disconnect: what a session that asked for it placed does not outlive it."""

from collections.abc import Callable

import pytest

from bus.commands import CancelAll, CancelMatching, RevokeKey
from bus.errors import Code
from gateway.disconnects import RETRY_NS
from tests.gateway.test_desk import answers, cancel, ids, order
from tests.gateway.venue import LIMITS, S_NS, START_NS, Peer, Venue, logged_on


def bound(venue: Venue, key: str = "trader", name: str = "") -> Peer:
    """Return a connection that logged on with cancel on disconnect."""
    peer = Peer(venue, name or key)
    assert peer.log_on(key, cancel_on_disconnect=True)[1] == 0
    return peer


def open_lots(venue: Venue, *accounts: str) -> list[int]:
    """Return the lots that accounts have open."""
    return [row[6] for account in accounts for row in venue.exchange.open_orders(account)]


def log_off(venue: Venue, peer: Peer) -> None:
    peer.send((3, ()))


def fall_silent(venue: Venue, peer: Peer) -> None:
    venue.turn(LIMITS.idle_ns_max + 1)


def log_on_again(venue: Venue, peer: Peer) -> None:
    peer.token = b""
    assert peer.log_on("broker")[1] == 0


def vanish(venue: Venue, peer: Peer) -> None:
    venue.doors.gone.add(peer.peer)
    venue.turn(LIMITS.heartbeat_ns + 1)


def lose_the_key(venue: Venue, peer: Peer) -> None:
    answers(venue, logged_on(venue, "admin"), RevokeKey("r", "operator", START_NS + S_NS, "broker"))


@pytest.mark.parametrize("leave", [log_off, fall_silent, log_on_again, vanish, lose_the_key])
def test_a_session_s_orders_end_with_it(leave: Callable[[Venue, Peer], None]) -> None:
    """However it ends; those of accounts that it placed nothing for stay."""
    venue = Venue()
    broker, other = bound(venue, "broker"), logged_on(venue, "trader")
    answers(venue, other, order("ann", qty=5))
    answers(venue, broker, order("bob", qty=6), order("cat", qty=7), order("bob", qty=8))
    leave(venue, broker)
    venue.turn()
    venue.settle()
    assert open_lots(venue, "ann", "bob", "cat") == [5]
    assert venue.meters.disconnects.by == {"OK": 2}
    assert len(venue.desk.disconnects) == 0 and venue.desk.flow.in_flight == 0


def test_a_session_that_did_not_ask_leaves_its_orders() -> None:
    venue = Venue()
    ann = logged_on(venue)
    answers(venue, ann, order(qty=5))
    log_off(venue, ann)
    venue.turn()
    venue.settle()
    assert open_lots(venue, "ann") == [5]


def test_the_cancel_comes_behind_what_is_in_flight() -> None:
    """By the control lane, which would overtake it: so not before it was seen."""
    venue = Venue()
    ann = bound(venue)
    ann.commands(order(qty=5))
    log_off(venue, ann)
    venue.turn()
    assert [len(pipe) for pipe in venue.doors.pipes] == [1, 0]
    venue.execute()
    venue.publish()
    assert open_lots(venue, "ann") == [5]
    venue.turn()
    assert [len(pipe) for pipe in venue.doors.pipes] == [0, 1]
    venue.settle()
    assert open_lots(venue, "ann") == []


def test_a_cancel_that_is_lost_is_sent_again() -> None:
    """Refused for want of a connection, then lost with its pipe."""
    venue = Venue()
    ann = bound(venue)
    answers(venue, ann, order(qty=5))
    log_off(venue, ann)
    venue.doors.connected = False
    venue.turn()
    assert len(venue.desk.disconnects) == 1
    venue.doors.connected = True
    venue.turn()
    venue.settle()
    venue.turn(RETRY_NS)
    venue.doors.pipes[1].clear()
    venue.turn(LIMITS.request_timeout_ns + 1)
    assert open_lots(venue, "ann") == [5]
    venue.settle()
    venue.turn(RETRY_NS)
    venue.settle()
    assert open_lots(venue, "ann") == []
    assert venue.meters.disconnects.by == {"OK": 1} and len(venue.desk.disconnects) == 0


def test_a_session_that_had_nothing_to_leave_sends_nothing() -> None:
    """A cancel is no order; a refused order was none either, but costs only a cancel of nothing."""
    venue = Venue()
    ann = bound(venue)
    other = logged_on(venue, "trader", "second")
    placed = order(qty=5)
    answers(venue, other, placed)
    answers(venue, ann, cancel(placed))
    log_off(venue, ann)
    venue.turn()
    assert len(venue.desk.disconnects) == 0 and not venue.doors.pipes[1]


def test_a_narrow_mass_cancel_of_its_own_does_not_overtake_a_session_s_orders() -> None:
    """As a whole one does not; sent first, nothing overtakes it."""
    venue = Venue()
    ann = logged_on(venue)
    narrow = CancelMatching(f"c-{next(ids)}", "ann", START_NS + S_NS, "", 0, 0, 0)
    ann.commands(order(), narrow)
    assert [len(pipe) for pipe in venue.doors.pipes] == [1, 0]
    venue.settle()
    ann.codes()
    _, after = ann.commands(narrow._replace(command_id=f"c-{next(ids)}"), order())
    assert [len(pipe) for pipe in venue.doors.pipes] == [0, 1]
    assert ann.codes() == {after: Code.BUSY}


def test_the_option_is_a_boolean() -> None:
    venue = Venue()
    peer = Peer(venue, "x")
    assert peer.request(2, "c=,r=,p=", 1)[1] == Code.WRONG_TYPE
    assert peer.request(2, "c=,r=,p=", True, True)[1] == Code.UNSUPPORTED_FIELD
    assert peer.request(1, "n,,n=a,r=b", True)[1] == Code.UNSUPPORTED_FIELD


def test_a_mass_cancel_by_hand_while_the_session_ends_does_no_harm() -> None:
    venue = Venue()
    ann, operator = bound(venue), logged_on(venue, "trader", "second")
    answers(venue, ann, *(order(qty=1) for _ in range(20)))
    operator.commands(CancelAll(f"c-{next(ids)}", "ann", START_NS + S_NS, ""))
    log_off(venue, ann)
    venue.turn()
    venue.settle()
    assert open_lots(venue, "ann") == [] and venue.meters.disconnects.by == {"OK": 1}
