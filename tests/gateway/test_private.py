"""Private streams: dense, once, resumed, and never the other side of a trade."""

from itertools import count
from random import Random
from typing import Any

import pytest

from bus.codec import decode_event, unpack
from bus.commands import CancelAll
from bus.errors import Code
from bus.events import EVENT_CLASSES, AuctionTraded, SelfTradePrevented, TradeExecuted
from gateway.private import (
    EVENTS_PER_MESSAGE_MAX,
    WAITING,
    PrivateStreams,
    for_buyer,
    for_maker,
    for_seller,
    for_taker,
)
from gateway.sessions import Session
from tests.gateway.test_desk import answers, order
from tests.gateway.venue import LIMITS, S_NS, START_NS, Peer, Venue, logged_on


def follow(venue: Venue, peer: Peer, account: str = "ann", after: int = -1) -> tuple[Any, ...]:
    """Subscribe; return the reply, leaving private events for `Peer.private`."""
    (request_id,) = peer.send((6, (account, after)))
    venue.settle()
    messages = venue.doors.out.get(peer.peer, [])
    replies = peer.replies()
    venue.doors.out[peer.peer] = [data for data in messages if data[2] == 9]
    return replies[request_id]


def test_an_image_then_every_event_after_it() -> None:
    venue = Venue()
    ann, bob = logged_on(venue), logged_on(venue, "other")
    answers(venue, ann, order(qty=10))
    account_seq, (seq, balances, orders) = follow(venue, ann)[3]
    assert seq == venue.exchange.next_seq - 1
    assert {row[0]: row[1:] for row in balances}["USD"] == (10**11 - 1000, 1000)
    assert [row[1] for row in orders] == [row[1] for row in venue.exchange.open_orders("ann")]
    bob.commands(order("bob", side=2, qty=4))
    venue.settle()
    ((account, number, event_seq, event),) = ann.private()
    assert (account, number) == ("ann", account_seq + 1)
    trade = decode_event(event)
    assert isinstance(trade, TradeExecuted) and event_seq == seq + 2
    assert trade.maker_account == "ann" and trade.maker_left_lots == 6
    assert trade.taker_account == "" and trade.taker_order_id == trade.taker_account_seq == 0
    assert trade.taker_left_lots == trade.taker_fee_atoms == trade.refund_atoms == 0


def test_the_taker_sees_its_own_side_alone() -> None:
    venue = Venue()
    ann, bob = logged_on(venue), logged_on(venue, "other")
    follow(venue, bob, "bob")
    answers(venue, ann, order(side=2, price=90, qty=10))
    bob.commands(order("bob", price=100, qty=4))
    venue.settle()
    kinds = [row[3][0] for row in bob.private()]
    assert kinds == [20, 21]
    bob.commands(order("bob", price=100, qty=1))
    venue.settle()
    trade = decode_event(bob.private()[1][3])
    assert isinstance(trade, TradeExecuted)
    assert trade.taker_account == "bob" and trade.refund_atoms == 10
    assert trade.maker_account == "" and trade.maker_order_id == trade.maker_account_seq == 0
    assert trade.maker_left_lots == trade.maker_fee_atoms == 0


def test_a_trade_with_oneself_comes_twice_each_with_its_own_side() -> None:
    venue = Venue()
    ann = logged_on(venue)
    newest = follow(venue, ann)[3][0]
    answers(venue, ann, order(qty=3))
    ann.private()
    ann.commands(order(side=2, qty=3))
    venue.settle()
    events = ann.private()
    assert [row[1] for row in events] == [newest + 2, newest + 3, newest + 4]
    maker, taker = decode_event(events[1][3]), decode_event(events[2][3])
    assert isinstance(maker, TradeExecuted) and isinstance(taker, TradeExecuted)
    assert (maker.maker_account, maker.taker_account) == ("ann", "")
    assert (taker.maker_account, taker.taker_account) == ("", "ann")
    assert events[1][2] == events[2][2], "one event of the stream"


def test_blanking_leaves_every_other_field_as_it_is() -> None:
    raw = (21, *range(1, 21))
    assert for_maker(raw) == (21, *range(1, 11), "", 0, 0, 0, 0, 0, 17, 18, 19, 20)
    assert for_taker(raw) == (21, 1, 2, 3, 4, 5, "", 0, 0, 0, 0, *range(11, 19), 0, 20)
    assert len(raw) == len(TradeExecuted._fields) + 1


def test_each_side_of_an_auction_trade_sees_its_own() -> None:
    raw = (33, *range(1, 22))
    assert for_buyer(raw) == (33, *range(1, 13), "", 0, 0, 0, 0, 0, 0, 0, 21)
    assert for_seller(raw) == (33, 1, 2, 3, 4, "", 0, 0, 0, 0, 0, 0, 0, *range(13, 22))
    assert len(raw) == len(AuctionTraded._fields) + 1


def test_every_event_with_an_account_seq_reaches_its_account() -> None:
    """Made up, one of each kind: dense, in their order, the other side blanked."""
    streams, seqs, expected = PrivateStreams(2, 1_000), count(1), []
    streams.follow(Session(1, b"peer", b"token", "key", 1, ("ann",)), "ann", WAITING)
    for number, cls in EVENT_CLASSES.items():
        places = [index for index, name in enumerate(cls._fields) if name.endswith("account_seq")]
        raw: list[Any] = [number, *([0] * len(cls._fields))]
        for place in places:
            raw[place] = "other"
        own = places and (5 if cls is SelfTradePrevented else places[-1] + 1)
        if own:
            raw[own - 1], raw[own] = "ann", next(seqs)
            expected.append(number)
        streams.take(7, 8, [tuple(raw)])
    ((ring, _),) = streams.due() or [(streams._rings["ann"], [])]
    kept = [unpack(data) for data in ring.events]
    assert [row[0] for row in kept] == list(range(1, len(expected) + 1))
    assert [row[3][0] for row in kept] == expected
    assert not [row for row in kept if "other" in row[3]]


def test_events_that_come_while_the_image_is_on_its_way_are_kept_and_follow_it() -> None:
    venue = Venue()
    ann = logged_on(venue)
    (asked,) = ann.send((6, ("ann", -1)))
    before = ann.commands(order(), order())
    venue.execute()
    venue.publish()
    assert ann.private() == []
    venue.answer_queries()
    after = ann.commands(order())
    venue.settle()
    messages = ann.messages()
    replies = {reply[0]: reply for message in messages if message[1] == 8 for reply in message[3]}
    events = [event for message in messages if message[1] == 9 for event in message[3]]
    account_seq, (_, _, orders) = replies[asked][3]
    assert before and len(orders) == 2
    assert [event[0] for event in events] == [account_seq + 1]
    assert replies[after[0]][1] == 0


def test_an_image_newer_than_the_stream_seen_repeats_nothing() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.commands(order(), order())
    (asked,) = ann.send((6, ("ann", -1)))
    venue.execute()
    venue.answer_queries()
    image = ann.replies()[asked][3]
    assert len(image[1][2]) == 2
    venue.publish()
    assert ann.private() == []
    ann.commands(order())
    venue.settle()
    assert [row[1] for row in ann.private()] == [image[0] + 1]


def test_resume_brings_exactly_what_was_missed() -> None:
    venue = Venue()
    ann = logged_on(venue)
    newest = follow(venue, ann)[3][0]
    answers(venue, ann, order())
    venue.doors.gone.add(ann.peer)
    other = logged_on(venue, name="trader-2")
    answers(venue, other, *(order() for _ in range(5)))
    again = logged_on(venue, name="trader-3")
    reply = follow(venue, again, after=newest + 1)
    assert reply[3] == (newest + 6, None)
    assert [row[1] for row in again.private()] == list(range(newest + 2, newest + 7))
    answers(venue, other, order())
    assert [row[1] for row in again.private()] == [newest + 7]


@pytest.mark.parametrize("after", [0, 10**6])
def test_resume_from_what_is_not_at_hand_is_refused(after: int) -> None:
    venue = Venue()
    ann = logged_on(venue)
    assert follow(venue, ann, after=after)[1] == Code.RESUME_TOO_OLD
    follow(venue, ann)
    assert follow(venue, ann, after=after)[1] == Code.RESUME_TOO_OLD


def test_an_image_is_also_a_place_to_resume_from() -> None:
    venue = Venue()
    ann, other = logged_on(venue), logged_on(venue, name="trader-2")
    newest = follow(venue, ann)[3][0]
    assert follow(venue, other, after=newest)[3] == (newest, None)


def test_resume_beyond_the_ring_is_refused() -> None:
    venue = Venue(LIMITS._replace(private_events_max=4))
    ann, other = logged_on(venue), logged_on(venue, name="trader-2")
    newest = follow(venue, ann)[3][0]
    answers(venue, ann, *(order() for _ in range(5)))
    assert follow(venue, other, after=newest)[1] == Code.RESUME_TOO_OLD
    assert follow(venue, other, after=newest + 1)[1] == 0


def test_rings_are_bounded_and_the_longest_unfollowed_gives_way() -> None:
    venue = Venue(LIMITS._replace(private_accounts_max=2))
    broker = logged_on(venue, "broker")
    for account in ("ann", "bob"):
        follow(venue, broker, account)
    assert follow(venue, broker, "cat")[1] == Code.BUSY
    assert broker.request(7, "ann")[1] == 0
    assert follow(venue, broker, "cat")[1] == 0
    assert len(venue.desk.private) == 2


def test_only_followed_accounts_are_kept() -> None:
    venue = Venue()
    ann = logged_on(venue)
    answers(venue, ann, order())
    assert len(venue.desk.private) == 0


@pytest.mark.parametrize(("key", "account", "code"), [("trader", "bob", 202), ("admin", "bob", 0)])
def test_only_accounts_of_the_key_can_be_followed(key: str, account: str, code: int) -> None:
    venue = Venue()
    assert follow(venue, logged_on(venue, key), account)[1] == code


def test_unknown_accounts_cannot_be_followed() -> None:
    venue = Venue()
    assert follow(venue, logged_on(venue, "admin"), "nobody")[1] == Code.UNKNOWN_ACCOUNT


def test_unsubscribed_means_no_more_events() -> None:
    venue = Venue()
    ann = logged_on(venue)
    follow(venue, ann)
    assert ann.request(7, "ann")[1] == 0
    answers(venue, ann, order())
    assert ann.private() == []


def test_who_does_not_read_for_a_while_gets_everything_later() -> None:
    venue = Venue()
    ann, watcher = logged_on(venue), logged_on(venue, name="watcher")
    newest = follow(venue, watcher)[3][0]
    venue.doors.full.add(watcher.peer)
    for _ in range(4):
        answers(venue, ann, order())
    assert watcher.private() == []
    venue.doors.full.clear()
    venue.turn()
    assert [row[1] for row in watcher.private()] == [newest + i for i in range(1, 5)]


def test_who_does_not_read_beyond_the_ring_is_ended() -> None:
    venue = Venue(LIMITS._replace(private_events_max=3))
    ann, watcher = logged_on(venue), logged_on(venue, name="watcher")
    follow(venue, watcher)
    venue.doors.full.add(watcher.peer)
    for _ in range(5):
        answers(venue, ann, order())
    assert venue.meters.ended.by == {"slow": 1}


def test_a_long_resume_comes_in_bounded_messages() -> None:
    venue = Venue()
    ann, other = logged_on(venue), logged_on(venue, name="trader-2")
    newest = follow(venue, ann)[3][0]
    for _ in range(12):
        answers(venue, other, *(order(qty=1) for _ in range(100)))
    (request_id,) = other.send((6, ("ann", newest)))
    sizes = [len(message[3]) for message in other.messages() if message[1] == 9]
    assert request_id and sum(sizes) == 1_200 and max(sizes) == EVENTS_PER_MESSAGE_MAX


def test_events_dropped_while_the_image_was_fetched_make_it_fetched_again() -> None:
    venue = Venue(LIMITS._replace(private_events_max=3))
    ann = logged_on(venue)
    (asked,) = ann.send((6, ("ann", -1)))

    def traffic() -> None:
        ann.commands(*(order() for _ in range(6)))
        venue.execute()
        venue.publish()

    venue.answer_queries(meanwhile=traffic)
    venue.settle()
    reply = ann.replies()[asked]
    assert reply[1] == 0 and len(reply[3][1][2]) == 6


def test_private_streams_are_dense_and_whole_under_random_traffic() -> None:
    random = Random(5)
    venue = Venue()
    broker, watcher = logged_on(venue, "broker"), logged_on(venue, "broker", "watcher")
    first = {account: follow(venue, watcher, account)[3][0] for account in ("ann", "bob", "cat")}
    for _ in range(60):
        account = random.choice(("ann", "bob", "cat"))
        side, price, qty = random.randint(1, 2), random.randint(95, 105), random.randint(1, 9)
        broker.commands(order(account, side, price, qty))
        if random.random() < 0.1:
            broker.commands(CancelAll(f"c-{random.random()}", account, START_NS + S_NS, ""))
        venue.settle()
    seen: dict[str, list[int]] = {}
    for account, number, _, event in watcher.private():
        seen.setdefault(account, []).append(number)
        assert account in event
        assert not ({"ann", "bob", "cat"} - {account}) & set(map(str, event))
    for account, numbers in seen.items():
        newest = venue.exchange.state.accounts[account].seq
        assert numbers == list(range(first[account] + 1, newest + 1))
