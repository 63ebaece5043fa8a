"""Batches and pairs that come again, and the ids of what is in them."""

import pytest

from bus import commands as c
from bus import events as e
from bus.codec import encode_command
from bus.errors import Code
from engine.exchange import Exchange, Limits
from engine.image import dump, restore
from tests.engine.naive import Naive
from tests.engine.tables import NOW_NS, Scene

UNTIL_NS = NOW_NS + 10**9
LIMITS = Limits(ids_per_account_max=12)


@pytest.fixture(params=["real", "naive"])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A market and three traders, on the real or the naive exchange."""
    return Scene(Exchange(LIMITS) if request.param == "real" else Naive(LIMITS))


def order(name: str, price_ticks: int = 5) -> c.PlaceOrder:
    """Return an order of cat's."""
    return c.PlaceOrder(name, "cat", UNTIL_NS, "BTC-USD", 1, 1, 1, False, price_ticks, 1, 0)


def place(name: str, price_ticks: int = 5) -> tuple[object, ...]:
    """Return the wire array of an order of cat's."""
    return encode_command(order(name, price_ticks))


def batch(name: str, *commands: tuple[object, ...], atomic: bool = False) -> c.SubmitBatch:
    """Return a batch of cat's."""
    return c.SubmitBatch(name, "cat", UNTIL_NS, atomic, commands)


def test_the_same_batch_again_is_told_its_outcomes_again(scene: Scene) -> None:
    sent = batch("batch", place("c1"), place("c2", 5_000))
    done = scene.venue.execute(sent, NOW_NS)[-1]
    assert isinstance(done, e.BatchDone)
    assert [outcome[0] for outcome in done.outcomes] == [0, Code.PRICE_OUT_OF_RANGE]
    repeated, again = scene.venue.execute(sent, NOW_NS + 1)
    assert isinstance(repeated, e.CommandRepeated) and repeated.code == 0
    assert isinstance(again, e.BatchDone)
    assert [outcome[:4] for outcome in again.outcomes] == [outcome[:4] for outcome in done.outcomes]


def test_a_batch_that_was_refused_is_told_its_refusal_again(scene: Scene) -> None:
    sent = batch("batch", place("c1"), place("c2", 5_000), atomic=True)
    for now_ns in (NOW_NS, NOW_NS + 1):
        (said,) = scene.venue.execute(sent, now_ns)
        assert isinstance(said, (e.CommandRejected, e.CommandRepeated)) and said.code == Code.BATCH_REFUSED


def test_a_command_of_a_batch_answers_a_resend_of_its_own(scene: Scene) -> None:
    scene.venue.execute(batch("batch", place("c1")), NOW_NS)
    (said,) = scene.venue.execute(order("c1"), NOW_NS)
    assert isinstance(said, e.CommandRepeated) and (said.code, said.left_lots) == (0, 1)


def test_ids_of_a_batch_count_with_its_own(scene: Scene) -> None:
    done = scene.venue.execute(batch("batch", *(place(f"c{n}") for n in range(13))), NOW_NS)[-1]
    assert isinstance(done, e.BatchDone)
    assert [outcome[0] for outcome in done.outcomes] == [0] * 11 + [Code.TOO_MANY_IDS] * 2


def test_ids_of_an_atomic_batch_and_of_a_pair_must_all_fit(scene: Scene) -> None:
    (said,) = scene.venue.execute(batch("batch", *(place(f"c{n}") for n in range(12)), atomic=True), NOW_NS)
    assert isinstance(said, e.CommandRejected) and said.code == Code.BATCH_REFUSED
    scene.venue.execute(batch("batch-2", *(place(f"c{n}") for n in range(9)), atomic=True), NOW_NS)
    pair = c.PlacePair("pair", "cat", UNTIL_NS, int(c.PairKind.OTO), place("d1"), place("d2"))
    (said,) = scene.venue.execute(pair, NOW_NS)
    assert isinstance(said, e.CommandRejected) and said.code == Code.TOO_MANY_IDS


def test_a_command_with_its_batchs_id_refuses_the_batch(scene: Scene) -> None:
    (said,) = scene.venue.execute(batch("c1", place("c1")), NOW_NS)
    assert isinstance(said, e.CommandRejected) and said.code == Code.INVALID_COMBINATION


def test_each_leg_of_a_pair_answers_a_resend_of_its_own(scene: Scene) -> None:
    legs = (order("c1"), order("c2", 4))
    pair = c.PlacePair("pair", "cat", UNTIL_NS, int(c.PairKind.OTO), *map(encode_command, legs))
    scene.venue.execute(pair, NOW_NS)
    for command in (pair, *legs):
        (said,) = scene.venue.execute(command, NOW_NS)
        assert isinstance(said, e.CommandRepeated) and (said.code, said.left_lots) == (0, 1)


def test_outcomes_are_forgotten_with_the_batchs_id_and_kept_by_an_image() -> None:
    exchange = Exchange(LIMITS)
    Scene(exchange)
    sent = batch("batch", place("c1", 5_000))
    exchange.execute(sent, NOW_NS)
    exchange = Exchange(LIMITS, restore(list(dump(exchange.state))))
    assert [type(event) for event in exchange.execute(sent, NOW_NS)] == [e.CommandRepeated, e.BatchDone]
    assert exchange.state.batch_outcomes
    later_ns = UNTIL_NS + 10**9
    while exchange.answer("cat", "batch") is not None:
        exchange.execute(c.CancelAll(f"x{later_ns}", "cat", later_ns, ""), later_ns)
        later_ns += 1
    assert not exchange.state.batch_outcomes
