"""A state that went through its image answers as the one that never did."""

from random import Random

import pytest

from bus.commands import Continue
from bus.errors import Code, JournalError
from engine.exchange import Exchange, Limits
from engine.image import dump, restore
from tests.conftest import ALL
from tests.engine.venue import SECOND_NS, founding, random_command

LIMITS = Limits(events_per_transaction_max=8, fills_per_order_max=3, ids_per_account_max=500)


def _grown(seed: int, commands: int) -> tuple[Exchange, Random]:
    random = Random(seed)
    exchange = Exchange(LIMITS)
    for command in founding(SECOND_NS):
        exchange.execute(command, 1)
    exchange.execute_linked(7, 0, 1, 1, (40,), 1)
    for number in range(commands):
        _go_on(exchange, random, number)
    return exchange, random


def _go_on(exchange: Exchange, random: Random, number: int) -> list[object]:
    now_ns = 1 + number * SECOND_NS // 100
    command = random_command(random, number, now_ns + random.randrange(3 * SECOND_NS))
    events = list[object](exchange.execute(command, now_ns))
    if exchange.has_work and random.random() < 0.7:
        events.extend(exchange.execute(Continue(), now_ns))
    return events


@pytest.mark.parametrize("seed", range(40 if ALL else 6))
def test_a_restored_state_goes_on_like_the_original(seed: int) -> None:
    original, random = _grown(seed, 700)
    chunks = list(dump(original.state))
    restored = Exchange(state=restore(chunks))
    restored._check()
    assert list(dump(restored.state)) == chunks
    twin = Random()
    twin.setstate(random.getstate())
    for number in range(700, 1_100):
        assert _go_on(original, random, number) == _go_on(restored, twin, number)
    restored._check()
    assert list(dump(restored.state)) == list(dump(original.state))


def test_a_link_goes_on_after_restoring() -> None:
    original, _ = _grown(1, 10)
    restored = Exchange(state=restore(dump(original.state)))
    at = original.state.links[(7, 0)]
    assert restored.state.links[(7, 0)] == at == (1, 1)


def test_an_image_of_another_form_is_refused() -> None:
    chunks = list(dump(_grown(1, 50)[0].state))
    for broken in (chunks[:-1], [chunks[0][:-1], *chunks[1:]], [b"\x93\x01\x02\x03"], chunks[1:]):
        with pytest.raises(JournalError) as caught:
            restore(broken)
        assert caught.value.code is Code.SNAPSHOT_INVALID
