"""From a recorded market to steps: each rule once, and the exchange alone trades what it should."""

from bus.replay.capture import load_capture
from bus.replay.flow import account_of, differing, flow_of
from scripts._demo.reference import decide

from . import captures


def test_the_rules() -> None:
    flow = flow_of(load_capture(captures.files()), accounts=3)
    placed = [step for step in flow.steps if not step.cancel]
    # By number in the snapshot; 12 is dead; changes are left out.
    assert [step.order_id for step in placed] == [10, 11, 13, 20, 21, 22, 23, 24]
    assert [step.order_id for step in flow.steps if step.cancel] == [10, 20, 21, 22, 23, 13, 24]
    assert {step.order_id for step in placed if step.post_only} == {13, 21, 24}
    assert {step.order_id for step in placed if step.market} == {22, 23}
    assert [step.order_id for step in flow.steps[flow.closing :]] == [13, 24]


def test_the_spread_over_accounts_is_fixed() -> None:
    assert [account_of(number, 50) for number in (1, 2, 3, 2_002_347_637_329_922)] == [35, 42, 22, 29]
    assert {account_of(number, 50) for number in range(1_000)} == set(range(50))


def test_the_exchange_trades_what_the_venue_traded() -> None:
    capture = load_capture(captures.files())
    reference = decide(flow_of(capture, 3).steps, ["a", "b", "c"])
    identical, lines = differing(reference.trades, capture.trades)
    assert identical == captures.IDENTICAL
    assert lines == ["venue only: buy 23 sell 11 0.12500000 at 100.50"]


def test_without_trades_nothing_is_dead() -> None:
    capture = load_capture(captures.files())._replace(trades=[])
    assert 12 in {step.order_id for step in flow_of(capture).steps}
