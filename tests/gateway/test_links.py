"""Lost pipes: what was executed is accepted, what can never be is refused, and nothing overtakes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.commands import CancelAll, PlaceOrder
from bus.errors import Code
from gateway.links import LinkState
from tests.gateway.test_desk import answers, cancel, ids, order
from tests.gateway.venue import LIMITS, S_NS, Peer, Venue, logged_on


def test_a_lost_pipe_is_answered_link_gap_only_after_the_next_link_is_seen_open() -> None:
    venue = Venue()
    ann = logged_on(venue)
    lost = ann.commands(order(), order())
    venue.doors.pipes[0].clear()
    (third,) = ann.commands(order())
    venue.execute()
    venue.publish()
    assert ann.codes() == {third: Code.LINK_GAP}, "seen refused in the stream; of the others nothing is known"
    assert venue.desk.flow.in_flight == 2
    (meanwhile,) = ann.commands(order())
    assert ann.codes() == {meanwhile: Code.OUT_OF_ORDER}
    venue.turn()
    venue.settle()
    assert ann.codes() == dict.fromkeys(lost, Code.LINK_GAP)
    assert venue.desk.flow.in_flight == 0
    assert venue.exchange.open_orders("ann") == []
    ann.run += 1
    assert answers(venue, ann, order())[0][1] == 0


def test_other_sessions_are_busy_while_a_link_opens() -> None:
    venue = Venue()
    ann, bob = logged_on(venue), logged_on(venue, "other")
    ann.commands(order())
    venue.doors.pipes[0].clear()
    venue.restart_engine()
    venue.publish()
    (refused,) = bob.commands(order("bob"))
    assert bob.codes() == {refused: Code.BUSY}
    venue.turn()
    venue.settle()
    bob.run += 1
    assert answers(venue, bob, order("bob"))[0][1] == 0


def test_a_new_epoch_tells_executed_from_lost() -> None:
    venue = Venue()
    ann = logged_on(venue)
    done = ann.commands(order())
    venue.execute()
    lost = ann.commands(order())
    venue.doors.pipes[0].clear()
    venue.restart_engine()
    venue.turn()
    venue.settle()
    assert ann.codes() == {done[0]: 0, lost[0]: Code.LINK_GAP}
    assert len(venue.exchange.open_orders("ann")) == 1


def test_what_arrives_after_its_link_was_given_up_is_never_executed() -> None:
    venue = Venue()
    ann = logged_on(venue)
    sent = ann.commands(order(), order())
    venue.restart_engine()
    venue.publish()
    venue.turn()
    assert venue.doors.old_pipes
    venue.settle()
    assert ann.codes() == dict.fromkeys(sent, Code.LINK_GAP)
    venue.arrive_late()
    venue.settle()
    assert venue.exchange.open_orders("ann") == []
    assert ann.codes() == {}


def test_what_arrives_late_but_before_the_next_link_is_executed_and_accepted() -> None:
    venue = Venue()
    ann = logged_on(venue)
    sent = ann.commands(order())
    venue.restart_engine()
    venue.publish()
    venue.arrive_late()
    venue.turn()
    venue.settle()
    assert ann.codes() == {sent[0]: 0}
    assert len(venue.exchange.open_orders("ann")) == 1


def test_a_link_that_does_not_open_in_time_is_followed_by_the_next() -> None:
    venue = Venue()
    ann = logged_on(venue)
    sent = ann.commands(order())
    venue.restart_engine()
    venue.publish()
    venue.turn()
    lane = venue.desk.flow.lanes[0]
    for expected in (2, 3, 4):
        assert (lane.link, lane.state) == (expected, LinkState.OPENING)
        venue.doors.pipes[0].clear()
        venue.turn(LIMITS.link_timeout_ns)
    venue.settle()
    assert ann.codes() == {sent[0]: Code.LINK_GAP}
    assert lane.state is LinkState.OPEN


def test_link_opened_late_settles_what_was_before_it_though_a_later_link_is_wanted() -> None:
    venue = Venue()
    ann = logged_on(venue)
    sent = ann.commands(order())
    venue.doors.pipes[0].clear()
    venue.restart_engine()
    venue.publish()
    venue.turn()
    venue.execute()
    venue.turn(LIMITS.link_timeout_ns)
    lane = venue.desk.flow.lanes[0]
    assert lane.link == 3
    venue.publish()
    assert ann.codes() == {sent[0]: Code.LINK_GAP}
    assert not lane.takes, "the third link is the one that counts"
    venue.settle()
    assert lane.state is LinkState.OPEN


def test_another_gateway_changes_nothing_here() -> None:
    venue = Venue()
    ann = logged_on(venue)
    (sent,) = ann.commands(order())
    venue.desk.flow.link_opened(78, 0, 9)
    venue.desk.flow.link_opened(77, 5, 9)
    venue.settle()
    assert ann.codes() == {sent: 0}


class Storm:
    """Random traffic of two sessions while pipes are lost, delayed, and the engine starts anew."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.venue = Venue(LIMITS._replace(session_in_flight_max=12, commands_per_frame_max=4))
        self.peers = [logged_on(self.venue), logged_on(self.venue, "other")]
        self.placed: dict[tuple[bytes, int], PlaceOrder | CancelAll] = {}
        self.outcome: dict[tuple[bytes, int], int] = {}
        self.order: list[tuple[bytes, int]] = []

    def step(self) -> None:
        """Let one random thing happen."""
        venue, random = self.venue, self.random
        what = random.random()
        if what < 0.5:
            self._send(random.choice(self.peers))
        elif what < 0.65:
            venue.execute(random.randint(1, 3), random.choice(((1, 0), (0, 1), (0,), (1,))))
        elif what < 0.8:
            venue.publish()
        elif what < 0.86:
            pipe = venue.doors.pipes[random.randrange(2)]
            if pipe:
                del pipe[random.randrange(len(pipe))]
        elif what < 0.9:
            venue.arrive_late()
        elif what < 0.93:
            venue.restart_engine()
        elif what < 0.95:
            venue.turn(LIMITS.link_timeout_ns)
        else:
            venue.turn()
        self._collect()

    def _send(self, peer: Peer) -> None:
        account = "ann" if peer is self.peers[0] else "bob"
        orders: list[PlaceOrder | CancelAll] = [order(account) for _ in range(self.random.randint(1, 5))]
        if self.random.random() < 0.1:
            stop = CancelAll(f"c-{next(ids)}", account, self.venue.now_ns + S_NS, "")
            orders.insert(self.random.randint(0, len(orders)), stop)
        for request_id, placed in zip(peer.commands(*orders), orders, strict=True):
            self.placed[(peer.peer, request_id)] = placed
            self.order.append((peer.peer, request_id))

    def _collect(self) -> None:
        for peer in self.peers:
            for request_id, code in peer.codes().items():
                key = (peer.peer, request_id)
                assert key not in self.outcome, f"expected one reply to {key}, was another"
                self.outcome[key] = code
                if code in (Code.BUSY, Code.LINK_GAP, Code.OUT_OF_ORDER, Code.ENGINE_UNAVAILABLE):
                    peer.run += self.random.random() < 0.5 and peer.run == self._session_run(peer)

    def _session_run(self, peer: Peer) -> int:
        session = self.venue.desk.sessions.at(peer.peer)
        assert session is not None
        return session.run

    def check(self) -> None:
        """Let everything settle; what was accepted is in the book, in order, and nothing else is."""
        self.venue.settle()
        for wait_ns in (LIMITS.link_timeout_ns, LIMITS.request_timeout_ns, 1):
            self.venue.turn(wait_ns)
            self.venue.settle()
        self._collect()
        assert set(self.outcome) == set(self.placed)
        assert self.venue.desk.flow.in_flight == 0
        for peer, account in zip(self.peers, ("ann", "bob"), strict=True):
            self._check_book(peer, account)

    def _check_book(self, peer: Peer, account: str) -> None:
        """The session's accepted commands, carried out in the order of sending, give its book."""
        accepted: list[str] = []
        unknown: set[str] = set()
        for key in self.order:
            if key[0] != peer.peer:
                continue
            command, code = self.placed[key], self.outcome[key]
            if code == Code.OUTCOME_UNKNOWN:
                if isinstance(command, CancelAll):
                    return
                unknown.add(command.client_order_id)
            elif code == 0 and isinstance(command, CancelAll):
                accepted.clear()
            elif code == 0 and isinstance(command, PlaceOrder):
                accepted.append(command.client_order_id)
        # By order id, and so in the order of their execution: this compares order too.
        rested = [row[1] for row in self.venue.exchange.open_orders(account)]
        assert [name for name in rested if name not in unknown] == accepted


@given(st.integers(0, 2**32))
def test_no_order_is_lost_doubled_or_overtaken_whatever_happens_to_pipes(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(120):
        storm.step()
    storm.check()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_cancel_never_overtakes_its_lost_order(arrives: bool) -> None:
    venue = Venue()
    ann = logged_on(venue)
    placed = order()
    first = ann.commands(placed)
    if not arrives:
        venue.doors.pipes[0].clear()
    second = ann.commands(cancel(placed))
    venue.settle()
    codes = ann.codes()
    assert (codes[first[0]], codes[second[0]]) == ((0, 0) if arrives else (Code.LINK_GAP, Code.LINK_GAP))
