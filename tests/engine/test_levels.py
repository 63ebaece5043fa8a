"""Levels stay in order however they come and go."""

from random import Random

import pytest

from engine.book import Level
from engine.levels import ROW_MAX, Levels


@pytest.mark.parametrize("span", [5, 3 * ROW_MAX, 100 * ROW_MAX])
def test_levels_are_found_in_order_however_they_come_and_go(span: int) -> None:
    random, levels, there = Random(span), Levels(), dict[int, Level]()
    for step in range(20_000):
        key = random.randrange(-span, span)
        grows = step // 5_000 % 2 == 0
        if key in there:
            assert levels.get(key) is there[key]
            if not grows or random.random() < 0.2:
                levels.remove(key)
                del there[key]
        elif grows or random.random() < 0.2:
            assert levels.get(key) is None
            there[key] = Level(key)
            levels.add(key, there[key])
        if step % 997 == 0:
            _compare(levels, there, random.randrange(-span - 1, span + 1))
    for key in sorted(there, key=lambda _: random.random()):
        levels.remove(key)
    _compare(levels, {}, 0)


def _compare(levels: Levels, there: dict[int, Level], least: int) -> None:
    levels.check()
    ordered = sorted(there)
    assert [level.price_ticks for level in levels] == ordered and len(levels) == len(ordered)
    first = levels.first()
    assert (first.price_ticks if first is not None else None) == (ordered[0] if ordered else None)
    assert levels.next_key(least) == next((key for key in ordered if key >= least), None)


def test_keys_that_ascend_and_descend_divide_rows_alike() -> None:
    for keys in (range(10 * ROW_MAX), range(10 * ROW_MAX, 0, -1)):
        levels = Levels()
        for key in keys:
            levels.add(key, Level(key))
        levels.check()
        assert [level.price_ticks for level in levels] == sorted(keys)
