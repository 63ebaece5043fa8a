"""What calls put on the wire: words and decimal strings become exactly one command, or are refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bus.client import Cancel, NewOrder, Outcome, Reduce, Replace, Status
from bus.codec import encode_command
from bus.commands import (
    CancelAfter,
    CancelMatching,
    CashOut,
    PairKind,
    PlaceAdvanced,
    PlaceOrder,
    PlacePair,
    Prevention,
    SetGroup,
    Side,
    SubmitBatch,
    TimeInForce,
    Trigger,
)
from bus.errors import Code, FormError
from tests.bus.client.told import Told

NOON = datetime(2027, 1, 2, 12, tzinfo=UTC)
NOON_NS = 1_798_891_200 * 10**9


def placed(**terms: Any) -> PlaceOrder | PlaceAdvanced:
    """Return the command of an order with some terms."""
    client = Told()
    client.place("BTC-USD", **{"side": "buy", "price": "100.00", "qty": "0.5", **terms})
    command = client.sent()
    assert isinstance(command, PlaceOrder | PlaceAdvanced)
    assert (command.account, command.market) == ("ann", "BTC-USD")
    return command


def test_an_order_without_terms_of_its_own_is_the_plain_command() -> None:
    plain = placed()
    assert isinstance(plain, PlaceOrder)
    assert plain[4:] == (1, 1, 1, False, 10_000, 50_000, 0)
    assert placed(price=None)[4:] == (1, 2, 2, False, 0, 50_000, 0)
    assert placed(price=None, qty=None, budget="7.5")[4:] == (1, 2, 2, False, 0, 0, 75_000_000_000)
    assert placed(side=Side.SELL, time_in_force=TimeInForce.FOK, post_only=True)[4:8] == (2, 1, 3, True)
    assert placed(client_order_id="mine").client_order_id == "mine"


ADVANCED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"display": "0.1"}, {"display_lots": 10_000}),
    ({"min_qty": "0.2"}, {"min_lots": 20_000}),
    ({"stop": "90"}, {"trigger": Trigger.STOP, "trigger_ticks": 9_000}),
    ({"take_profit": "110.5"}, {"trigger": Trigger.TAKE_PROFIT, "trigger_ticks": 11_050}),
    ({"trail": "2.5"}, {"trigger": Trigger.TRAILING, "trail_ticks": 250}),
    ({"expires": NOON}, {"time_in_force": TimeInForce.GTT, "expires_ns": NOON_NS}),
    ({"expires": NOON_NS + 1}, {"time_in_force": TimeInForce.GTT, "expires_ns": NOON_NS + 1}),
    (
        {"expires": NOON.astimezone(timezone(timedelta(hours=3)))},
        {"time_in_force": TimeInForce.GTT, "expires_ns": NOON_NS},
    ),
    ({"time_in_force": "day"}, {"time_in_force": TimeInForce.DAY}),
    ({"prevention": "cancel_both"}, {"prevention": Prevention.CANCEL_BOTH}),
    ({"prevention": Prevention.NONE}, {"prevention": 1}),
    ({"group": "g"}, {"group": "g"}),
    ({"persists": True}, {"persists": True}),
]


@pytest.mark.parametrize(("terms", "fields"), ADVANCED, ids=lambda value: "-".join(value))
def test_each_term_is_its_field(terms: dict[str, Any], fields: dict[str, Any]) -> None:
    """And nothing else of the order changes."""
    command, plain = placed(client_order_id="x", **terms), placed(client_order_id="x")
    assert isinstance(command, PlaceAdvanced)
    expected = PlaceAdvanced(*plain)._replace(valid_until_ns=command.valid_until_ns, **fields)
    assert command == expected


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"side": "borrow"}, Code.OUT_OF_RANGE),
        ({"side": "back"}, Code.OUT_OF_RANGE),
        ({"side": True}, Code.OUT_OF_RANGE),
        ({"side": ["buy"]}, Code.OUT_OF_RANGE),
        ({"time_in_force": "forever"}, Code.OUT_OF_RANGE),
        ({"prevention": "all"}, Code.OUT_OF_RANGE),
        ({"stop": "90", "trail": "1"}, Code.OUT_OF_RANGE),
        ({"stop": "90.001"}, Code.OFF_TICK),
        ({"stop": 90}, Code.WRONG_TYPE),
        ({"display": "0.000001"}, Code.OFF_LOT),
        ({"expires": datetime(2027, 1, 2)}, Code.WRONG_TYPE),
        ({"expires": 1.5}, Code.WRONG_TYPE),
        ({"expires": True}, Code.WRONG_TYPE),
        ({"expires": -1}, Code.OUT_OF_RANGE),
    ],
)
def test_what_means_nothing_is_refused_and_not_sent(terms: dict[str, Any], code: Code) -> None:
    client = Told()
    with pytest.raises(FormError) as refused:
        client.place("BTC-USD", **{"side": "buy", "price": "100", "qty": "1", **terms})
    assert refused.value.code is code and not client.commands


def test_an_order_that_waits_is_open_whatever_it_is_counted_in() -> None:
    client = Told()
    client.answer = lambda _: (0, 9, 9, 0, 0, "", False)
    assert client.place("BTC-USD", "buy", budget="5", stop="110").status is Status.OPEN
    assert client.place("BTC-USD", "buy", budget="5").status is Status.CANCELLED


def test_bets_are_in_odds_and_stakes() -> None:
    """BACK is the side of sellers; a lot of stake is what the market says."""
    client = Told()
    order = client.back("race:anna", odds="2.5", stake="10")
    assert client.sent()[4:11] == (2, 1, 1, False, 250, 1_000, 0)
    assert (order.left, order.market) == ("0.05", "race:anna")
    client.lay("race:anna", odds="2.52", stake="0.01", persists=True)
    laid = client.sent()
    assert isinstance(laid, PlaceAdvanced)
    assert (laid.side, laid.price_ticks, laid.qty_lots, laid.persists) == (1, 252, 1, True)
    client.place("rain", "buy", price="0.64", qty="100")
    assert client.sent()[4:11] == (1, 1, 1, False, 6_400, 100, 0)
    with pytest.raises(FormError) as refused:
        client.back("race:anna", odds="2.505", stake="10")
    assert refused.value.code is Code.OFF_TICK


def test_a_pair_has_two_orders_of_one_account_and_validity() -> None:
    client = Told()
    pair = client.place_pair(
        "oco",
        NewOrder("BTC-USD", "sell", price="120", qty="1"),
        NewOrder("BTC-USD", "sell", qty="1", stop="90", client_order_id="stop"),
    )
    command = client.sent()
    assert isinstance(command, PlacePair) and command.kind == PairKind.OCO
    first, second = command.first, command.second
    assert (first[0], second[0], second[1]) == (1, 6, "stop")
    assert first[2:4] == second[2:4] == (command.account, command.valid_until_ns)
    assert (pair.first.order_id, pair.second.order_id) == (9, 12)
    assert (pair.second.client_order_id, pair.second.status) == ("stop", Status.OPEN)
    with pytest.raises(FormError):
        client.place_pair("both", NewOrder("BTC-USD", "buy"), NewOrder("BTC-USD", "buy"))


def test_a_batch_tells_the_outcome_of_each() -> None:
    client = Told()
    rows = (
        (0, 7, 0, 5, ""),
        (307, 0, 0, 0, "expected an open order, was none"),
        (0, 7, 2, 1, ""),
        (0, 8, 0, 1, ""),
    )
    client.answer = lambda _: (0, 9, 0, 0, 0, "", False, rows)
    outcomes = client.batch(
        [
            NewOrder("BTC-USD", "buy", "100", "0.00005", client_order_id="a"),
            Cancel("BTC-USD", client_order_id="b"),
            Reduce("BTC-USD", "0.00003", order_id=7),
            Replace("BTC-USD", "101", "0.00001", order_id=8),
        ]
    )
    command = client.sent()
    assert isinstance(command, SubmitBatch) and not command.atomic
    assert [inner[0] for inner in command.commands] == [1, 2, 4, 5]
    assert {inner[2:4] for inner in command.commands} == {(command.account, command.valid_until_ns)}
    assert len({inner[1] for inner in command.commands} | {command.command_id}) == 5
    assert [(o.order_id, o.filled_lots, o.left_lots) for o in outcomes] == [
        (7, 0, 5), (0, 0, 0), (7, 2, 1), (8, 0, 1),
    ]  # fmt: skip
    assert outcomes[0].id == "a" and outcomes[0].error is None and outcomes[2].filled == "0.00002"
    refused = outcomes[1].error
    assert refused is not None and refused.code is Code.UNKNOWN_ORDER


def test_the_outcomes_of_a_batch_that_was_found_by_its_id_are_looked_up() -> None:
    client = Told()
    client.answer = lambda _: (0, 9, 0, 0, 0, "", True)
    (outcome,) = client.batch([NewOrder("BTC-USD", "buy", "100", "1")], atomic=True)
    assert isinstance(outcome, Outcome) and (outcome.order_id, outcome.left_lots) == (12, 5)


def test_mass_cancels_timers_and_groups() -> None:
    client = Told()
    client.cancel_matching()
    assert client.sent()[3:] == ("", 0, 0, 0)
    client.cancel_matching("BTC-USD", side="sell", price_low="101", price_high="102.5")
    cancelled = client.sent()
    assert isinstance(cancelled, CancelMatching) and cancelled[3:] == ("BTC-USD", 2, 10_100, 10_250)
    with pytest.raises(FormError):
        client.cancel_matching(price_low="1")
    client.cancel_after(2.5)
    timer = client.sent()
    assert isinstance(timer, CancelAfter) and timer.timeout_ns == 2_500_000_000
    client.cancel_after(0)
    off = client.sent()
    assert isinstance(off, CancelAfter) and off.timeout_ns == 0
    for wrong in (-1, 100_000, "1"):
        with pytest.raises(FormError):
            client.cancel_after(wrong)  # type: ignore[arg-type]
    client.set_group("g", lots_max=10, window_s=0.5)
    group = client.sent()
    assert isinstance(group, SetGroup) and group[3:] == ("g", 10, 500_000_000)


def test_a_cash_out_says_what_is_acceptable_and_returns_what_is_left() -> None:
    client = Told()
    rows = {"": [("race", 5 * 10**8, 0, (10**9, -(10**9), 7), (0, -(10**9), 7))]}
    client.answers["positions"] = lambda account, after, limit: (4, rows.get(after, []))
    left = client.cash_out("race", share="0.25", worst="-1.5")
    command = client.sent()
    assert isinstance(command, CashOut) and command[3:] == ("race", 250_000, -15_000_000_000)
    assert left is not None and left == client.positions()[0]
    assert (left.held, left.results, left.worst) == (
        "0.05", {"anna": "0.1", "bella": "-0.1"}, {"anna": "0", "bella": "-0.1"},
    )  # fmt: skip
    assert client.cash_out("rain") is None
    assert encode_command(client.sent())[4:] == ("rain", 10**6, -(2**63 - 1))


def test_markets_and_accounts_are_told_in_words() -> None:
    client = Told()
    race, rain = client.outcome_markets().values()
    assert (race.model, race.state, race.in_play, race.bet_delay_ns) == ("odds", "open", True, 5 * 10**9)
    assert (race.outcomes, race.removed, race.commission_ppm) == (
        ("anna", "bella", "cleo"),
        ("cleo",),
        20_000,
    )
    assert (rain.model, rain.state, rain.outcomes) == ("binary", "closed", ("YES", "NO"))
    assert {name: (m.model, m.state) for name, m in client.markets().items()}["rain"] == ("binary", "open")
    rules = client.limits()
    assert (rules.unfunded, rules.fee_tier, rules.prevention, rules.prevention_group) == (
        True, 2, "decrement", "desk",
    )  # fmt: skip
    assert rules.limits["BTC-USD"].open_orders_max == 3 and rules.limits[""].open_orders_max == 7


ADMIN: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[Any, ...]]] = [
    ("set_market_state", ("BTC-USD", "pre_open"), {}, (27, "BTC-USD", 3)),
    ("set_market_rules", ("BTC-USD",), {"matching": "pro_rata", "band_ppm": 5}, (30, "BTC-USD", 2, 0, 5)),
    ("set_fee_tier", ("BTC-USD", 3), {"maker_fee_ppm": -5, "taker_fee_ppm": 9}, (31, "BTC-USD", 3, -5, 9)),
    ("set_account_terms", ("ann",), {}, (32, "ann", False, 0, 1, "")),
    (
        "set_account_terms", ("ann",),
        {"unfunded": True, "fee_tier": 2, "prevention": "decrement", "prevention_group": "desk"},
        (32, "ann", True, 2, 5, "desk"),
    ),
    ("set_account_limits", ("ann", "rain"), {"position_max": 9}, (33, "ann", "rain", 0, 0, 0, 9)),
    (
        "create_outcome_market", ("wet", "USD"), {"lot_size": "1", "qty_max": "500"},
        (34, "wet", 2, "USD", (), 10**10, 500, 0, 1, "", 0, 0),
    ),
    (
        "create_outcome_market", ("cup", "USD"),
        {
            "runners": ["a", "b", "c"], "lot_size": "0.01", "qty_max": "100", "commission_ppm": 7,
            "removal_rule": "reduce_odds", "house": "bank", "match_loss_max": "1", "house_loss_max": "20",
        },
        (34, "cup", 3, "USD", ("a", "b", "c"), 10**8, 10_000, 7, 2, "bank", 10**10, 2 * 10**11),
    ),
    ("turn_in_play", ("race",), {"bet_delay_s": 2.5}, (35, "race", 2_500_000_000)),
    ("add_runner", ("race", "dora"), {}, (36, "race", "dora")),
    ("remove_runner", ("race", "cleo"), {"reduction_ppm": 50_000}, (37, "race", "cleo", 50_000)),
    ("settle", ("race", "anna", "bella"), {}, (38, "race", ("anna", "bella"))),
    ("void_market", ("race",), {}, (39, "race")),
    ("void_trades", ("race", NOON, NOON_NS + 5), {}, (50, "race", NOON_NS, NOON_NS + 5)),
    ("cancel_where", (), {"account": "ann"}, (51, "ann", "", 0, 0, 0)),
    ("cancel_where", (), {"market": "BTC-USD", "side": 1, "price_low": "2"}, (51, "", "BTC-USD", 1, 200, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "words", "fields"), ADMIN, ids=[row[0] for row in ADMIN])
def test_what_an_operator_asks(
    name: str, args: tuple[Any, ...], words: dict[str, Any], fields: tuple[Any, ...]
) -> None:
    """Every command is checked for form as the gateway does."""
    client = Told()
    getattr(client, name)(*args, **words)
    number, _, account, _, *rest = encode_command(client.sent())
    assert (number, *rest) == fields and account == "operator"


def test_a_timed_id_makes_the_same_command_again() -> None:
    """Whoever sends it, whenever: the same bytes; another id is refused."""
    first, second = Told(), Told()
    command_id = first.timed_id()
    for client in (first, second):
        client.deposit("ann", "USD", "1.5", command_id=command_id)
    assert first.commands == second.commands
    assert encode_command(first.sent())[1] == command_id
    wrong: Any
    for wrong in ("mine", command_id + "0", "", 5):
        with pytest.raises(FormError):
            first.withdraw("ann", "USD", "1.5", command_id=wrong)
