"""The real exchange against the naive one: the same commands, the same events, books and money."""

from dataclasses import astuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bus import commands as c
from bus import events as e
from bus.codec import encode_command, encode_events, pack
from bus.errors import Code
from engine.exchange import Exchange
from tests.conftest import ALL
from tests.engine.naive import Naive
from tests.engine.sequences import (
    LIMITS,
    SECOND_NS,
    START_NS,
    Maker,
    Sequence,
    Step,
    setup_commands,
    shortest,
)

EXAMPLES = 5_000 if ALL else 150
STEPS = 100


def without_detail(events: list[e.Event]) -> list[e.Event]:
    """Return events with the texts for people left out."""
    return [
        event._replace(detail="") if isinstance(event, (e.CommandRejected, e.CommandRepeated)) else event
        for event in events
    ]


class Pair:
    """The two exchanges, always given the same."""

    def __init__(self) -> None:
        self.real, self.naive = Exchange(LIMITS), Naive(LIMITS)
        for now_ns, command in setup_commands():
            (event,) = self.execute(command, now_ns)
            assert not isinstance(event, e.CommandRejected), event

    def execute(self, command: c.Command, now_ns: int) -> list[e.Event]:
        """Execute on both, compare the events byte for byte, and return them."""
        expected = self.naive.execute(command, now_ns)
        got = self.real.execute(command, now_ns)
        self.compare_events(got, expected)
        return got

    def compare_events(self, got: list[e.Event], expected: list[e.Event]) -> None:
        """Compare events, their types and their bytes; a reject says what was expected."""
        assert without_detail(got) == expected
        assert pack(encode_events(without_detail(got))) == pack(encode_events(expected))
        assert len(got) <= LIMITS.events_per_transaction_max
        for event in got:
            if isinstance(event, e.CommandRejected):
                assert "expected" in event.detail and "was" in event.detail, event
        assert self.real.next_seq == self.naive.next_seq
        assert self.real.has_work == self.naive.has_work

    def compare_state(self) -> None:
        """Compare books, balances, open orders and the answers kept."""
        real, naive = self.real, self.naive
        real._check()
        naive._check()
        for market in naive.markets:
            assert real.book_levels(market) == naive.book_levels(market)
        for name, account in naive.accounts.items():
            got = {asset: have for asset, have in real.balances(name).items() if any(have)}
            assert got == {asset: have for asset, have in naive.balances(name).items() if any(have)}
            assert real.open_orders(name) == naive.open_orders(name)
            for n in range(16):
                answer = real.answer(name, f"id{n}")
                kept = account.ids.get(f"id{n}")
                assert (answer._replace(detail="") if answer else None) == (kept[1] if kept else None)


def difference(steps: list[Step]) -> str:
    """Run the steps on both; return "" or what differed, after which command."""
    pair, sequence = Pair(), Sequence()
    for step in steps:
        command = sequence.next_command(step)
        try:
            sequence.saw(pair.execute(command, sequence.now_ns))
            pair.compare_state()
        except AssertionError as error:
            return f"{command} at {sequence.now_ns}: {error}"
    return ""


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_same_events_book_and_money(seed: int) -> None:
    """Whatever is sent, both say the same and end in the same state, after every single command."""
    steps = Maker(seed).steps(STEPS)
    if difference(steps):
        steps = shortest(steps, lambda fewer: difference(fewer) != "")
        pytest.fail("\n".join([f"seed {seed}", *map(repr, steps), difference(steps)]))


WIRE_ARRAYS = st.one_of(
    st.just(encode_command(c.OpenLink())),
    st.builds(
        lambda n: encode_command(c.CreateAccount(f"id{n}", c.OPERATOR, START_NS + SECOND_NS, f"acc{n}")),
        st.integers(0, 5),
    ),
    st.sampled_from(
        [
            encode_command(c.Continue()),
            encode_command(c.StartEngine(2, 1, astuple(LIMITS))),
            (),
            None,
            (99,),
            (3, "x"),
            7,
        ]
    ),
)
LINKED = st.tuples(
    st.sampled_from([1, 1, 2]), st.sampled_from([0, 0, 1]), st.integers(1, 3), st.integers(-1, 2), WIRE_ARRAYS
)


@given(st.lists(LINKED, max_size=60))
@settings(max_examples=max(50, EXAMPLES // 4))
def test_links_agree(items: list[tuple[int, int, int, int, object]]) -> None:
    """Only the next number of the open link is executed; a malformed command takes its number too."""
    pair = Pair()
    for gateway, lane, link, offset, fields in items:
        opened, last = pair.naive.links.get((gateway, lane), (0, 0))
        number = max(0, last + offset) if link == opened else 1 + max(0, offset)
        expected = pair.naive.execute_linked(gateway, lane, link, number, fields, START_NS)
        got = pair.real.execute_linked(gateway, lane, link, number, fields, START_NS)
        pair.compare_events(got, expected)
    pair.compare_state()


def test_same_fields_of_another_type_are_another_content() -> None:
    """Records compare as tuples, so a CancelAll must not pass for another command of equal fields."""
    pair = Pair()
    create = c.CreateAccount("id1", c.OPERATOR, START_NS, "AB")
    cancel = c.CancelAll("id1", c.OPERATOR, START_NS, "AB")
    assert tuple(create) == tuple(cancel)
    pair.execute(create, START_NS)
    (event,) = pair.execute(cancel, START_NS)
    assert isinstance(event, e.CommandRejected) and event.code == Code.DUPLICATE_ID


ONE, BIG = 1, 2**62


@pytest.mark.parametrize("tick", [(ONE, 0), (7, 1), (ONE, 18), (BIG, 18), (c.INT_MAX, 0)])
@pytest.mark.parametrize("lot_atoms", [ONE, 10, 10**18, BIG, c.INT_MAX])
@pytest.mark.parametrize("price_ticks_max", [ONE, 2, c.INT_MAX])
@pytest.mark.parametrize("qty_lots_max", [ONE, 2, c.INT_MAX])
def test_numbers_of_a_market_agree(
    tick: tuple[int, int], lot_atoms: int, price_ticks_max: int, qty_lots_max: int
) -> None:
    """Whole quote atoms, and the largest order within 63 bits on both sides, to the last atom."""
    pair = Pair()
    sizes = (*tick, lot_atoms, price_ticks_max, qty_lots_max)
    for number, (base, quote) in enumerate([("A", "B"), ("A", "A")]):
        head = (f"id{number}", c.OPERATOR, START_NS)
        pair.execute(c.CreateMarket(*head, "NEW", base, quote, *sizes, 0, 0), START_NS)
