"""What is due by time comes in order, once, and what is not meant any more takes no room."""

import random

from engine.timers import CANCEL_AFTER, EXPIRY, Due, Timers


def test_what_is_due_first_comes_first_then_by_kind_then_by_key() -> None:
    timers = Timers()
    timers.set(20, EXPIRY, 1)
    timers.set(10, CANCEL_AFTER, "bob")
    timers.set(10, CANCEL_AFTER, "ann")
    timers.set(10, EXPIRY, 7)
    timers.set(10, EXPIRY, 3)
    assert _all(timers) == [(10, 1, 3), (10, 1, 7), (10, 2, "ann"), (10, 2, "bob"), (20, 1, 1)]


def test_what_is_set_again_is_due_at_the_new_time_alone() -> None:
    timers = Timers()
    timers.set(10, CANCEL_AFTER, "ann")
    timers.set(30, CANCEL_AFTER, "ann")
    timers.set(20, EXPIRY, 1)
    timers.set(5, EXPIRY, 1)
    assert timers.first_due_ns() == 5
    assert _all(timers) == [(5, 1, 1), (30, 2, "ann")]


def test_what_is_cleared_is_not_due() -> None:
    timers = Timers()
    timers.set(10, EXPIRY, 1)
    timers.set(20, EXPIRY, 2)
    timers.clear(EXPIRY, 1)
    timers.clear(EXPIRY, 3)
    assert not timers.is_set(EXPIRY, 1) and timers.is_set(EXPIRY, 2)
    assert timers.first() == (20, 1, 2)


def test_a_timer_that_is_set_anew_for_ever_takes_no_more_room() -> None:
    timers = Timers()
    for second in range(10_000):
        timers.set(second, CANCEL_AFTER, "ann")
    assert len(timers._heap) <= 66
    assert timers.rows() == [(9_999, 2, "ann")]


def test_any_sequence_gives_what_a_plain_dictionary_would() -> None:
    draw, timers = random.Random(1), Timers()
    plain: dict[int, int] = {}
    for _ in range(3_000):
        key, due_ns = draw.randrange(40), draw.randrange(1_000)
        if draw.random() < 0.6:
            timers.set(due_ns, EXPIRY, key)
            plain[key] = due_ns
        elif draw.random() < 0.5:
            timers.clear(EXPIRY, key)
            plain.pop(key, None)
        elif plain:
            first = min((due, order_id) for order_id, due in plain.items())
            assert timers.first() == (first[0], EXPIRY, first[1])
            timers.pop()
            del plain[first[1]]
        timers.check()
    assert timers.rows() == sorted((due, EXPIRY, order_id) for order_id, due in plain.items())


def _all(timers: Timers) -> list[Due]:
    found = []
    while (due := timers.first()) is not None:
        found.append(due)
        timers.pop()
    return found
