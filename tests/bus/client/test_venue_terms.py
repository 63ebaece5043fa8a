"""Order terms, pairs, batches, timers and outcome markets by the SDK, on the venue's real processes."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from bus.client import AsyncClient, Cancel, Client, Code, NewOrder, Reduce, Rejected, Status
from bus.events import (
    CashedOut,
    OrderAccepted,
    OrderCancelled,
    OrderTermsSet,
    OrderTriggered,
    PositionSettled,
    SelfTradePrevented,
    TradeExecuted,
)
from tests.poll import until
from tests.processes import Processes

numbers = count(1)


class Place:
    """A running venue, with a spot market of its own for each test."""

    def __init__(self, venue: Processes) -> None:
        self.gateway = f"ipc://{venue.folder}/run/gateway"

    def operator(self) -> Client:
        """Return the operator's client."""
        return Client(self.gateway, "operator", "operator-secret", timeout_s=10)

    def trader(self, number: int, **options: bool) -> Client:
        """Return a trader's client."""
        key = f"demo-{number}"
        return Client(self.gateway, key, f"{key}-secret", timeout_s=10, **options)  # type: ignore[arg-type]

    def market(self) -> str:
        """Return a new spot market, in which 100 was the last price."""
        name = f"spot-{next(numbers)}"
        with self.operator() as operator, self.trader(1) as one, self.trader(2) as other:
            operator.create_market(
                name, "BTC", "USD", tick_size="0.01", lot_size="0.01", price_max="10000", qty_max="10000"
            )
            one.place(name, "buy", price="100", qty="0.01")
            other.place(name, "sell", price="100", qty="0.01")
        return name


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="zp"))
    try:
        with Processes(folder) as venue:
            venue.start_all(("engine", "gateway"))
            yield Place(venue)
            print(venue.log("engine"), venue.log("gateway"))
            assert not venue.ended()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refused(error: pytest.ExceptionInfo[Rejected]) -> Code:
    return error.value.code


def test_stops_icebergs_and_minimum_quantities(place: Place) -> None:
    market = place.market()
    with place.trader(1) as ann, place.trader(2) as bob:
        stop = ann.place(market, "sell", price="80", qty="1", stop="90", client_order_id=f"stop-{market}")
        assert (stop.status, stop.left) == (Status.OPEN, "1")
        row = ann.order(market, order_id=stop.order_id).row
        assert [o.waits for o in ann.open_orders(market)] == ["trigger"]
        assert (row.trigger, row.trigger_ticks, row.waits, row.left_lots) == (1, 9_000, 1, 100)
        iceberg = bob.place(market, "buy", price="90", qty="5", display="0.5", group="")
        assert (iceberg.left, bob.order(market, order_id=iceberg.order_id).row.display_lots) == ("5", 50)
        least = ann.place(market, "sell", price="90", qty="9", min_qty="6")
        assert (least.status, least.filled) == (Status.CANCELLED, "0")
        hit = ann.place(market, "sell", price="90", qty="0.1")
        assert hit.status is Status.FILLED
        until(lambda: not ann.open_orders(market), what="the stop triggered and filled")
        assert ann.answer_of(f"stop-{market}").left_lots == 100, "the answer is that of its entry"
        assert bob.order(market, order_id=iceberg.order_id).filled == "1.1"
        with pytest.raises(Rejected) as error:
            ann.place(market, "sell", price="80", qty="1", stop="95")
        assert refused(error) is Code.ALREADY_TRIGGERED
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        until_then = ann.place(market, "buy", price="1", qty="1", expires=tomorrow)
        assert ann.order(market, order_id=until_then.order_id).row.expires_ns > 0
        with pytest.raises(Rejected) as late:
            ann.place(market, "buy", price="1", qty="1", expires=tomorrow - timedelta(days=2))
        assert refused(late) is Code.EXPIRY_OUT_OF_RANGE
        ann.cancel_all()


def test_pairs_and_batches(place: Place) -> None:
    market = place.market()
    with place.trader(1) as ann, place.trader(2) as bob:
        pair = ann.place_pair(
            "oco",
            NewOrder(market, "sell", "120", "1"),
            NewOrder(market, "sell", price="70", qty="1", stop="80"),
        )
        assert (pair.first.status, pair.second.status) == (Status.OPEN, Status.OPEN)
        assert ann.answer_of(pair.command_id).order_id == pair.first.order_id
        assert [o.order_id for o in ann.open_orders(market)] == [pair.first.order_id, pair.second.order_id]
        bob.place(market, "buy", price="120", qty="0.4")
        assert [o.order_id for o in ann.open_orders(market)] == [pair.first.order_id]
        ann.cancel_all(market)
        outcomes = ann.batch(
            [
                NewOrder(market, "buy", "50", "1"),
                Cancel(market, order_id=1),
                NewOrder(market, "buy", "51", "2"),
            ]
        )
        assert [outcome.code for outcome in outcomes] == [0, Code.UNKNOWN_ORDER, 0]
        first, _, third = outcomes
        assert (first.left, third.left) == ("1", "2") and outcomes[1].error is not None
        done = ann.batch(
            [Cancel(market, order_id=first.order_id), Reduce(market, "0.5", order_id=third.order_id)],
            atomic=True,
        )
        assert [outcome.left for outcome in done] == ["0", "0.5"]
        with pytest.raises(Rejected) as error:
            ann.batch(
                [Cancel(market, order_id=first.order_id), NewOrder(market, "buy", "1", "1")], atomic=True
            )
        assert refused(error) is Code.BATCH_REFUSED
        ann.cancel_matching(market, price_low="52")
        assert [o.order_id for o in ann.open_orders(market)] == [third.order_id]
        ann.cancel_matching(market, side="buy", price_high="51")
        assert ann.open_orders(market) == []


def test_timers_groups_and_prevention(place: Place) -> None:
    market = place.market()
    with place.trader(1) as ann, place.trader(2) as bob:
        ann.place(market, "buy", price="50", qty="1")
        ann.cancel_after(0.1)
        until(lambda: not ann.open_orders(market), what="the timer cancelled")
        ann.cancel_after(0)
        ann.set_group("g", lots_max=30, window_s=10)
        for price in ("60", "61"):
            ann.place(market, "buy", price=price, qty="0.4", group="g")
        assert {o.row.group for o in ann.open_orders(market)} == {"g"}
        bob.place(market, "sell", price="61", qty="0.3")
        until(lambda: not ann.open_orders(market), what="the group tripped")
        with pytest.raises(Rejected) as error:
            ann.place(market, "buy", price="50", qty="1", group="g")
        assert refused(error) is Code.GROUP_TRIPPED
        own = ann.place(market, "buy", price="70", qty="1")
        kept = ann.place(market, "sell", price="70", qty="2", prevention="decrement")
        assert (kept.filled, kept.left) == ("0", "1")
        with pytest.raises(Rejected):
            ann.order(market, order_id=own.order_id)
        ann.cancel_all(market)


def test_a_binary_market_from_its_creation_to_its_settlement(place: Place) -> None:
    market = f"rain-{next(numbers)}"
    with place.operator() as operator, place.trader(1) as ann, place.trader(2) as bob:
        operator.create_outcome_market(market, "USD", lot_size="1", qty_max="1000", commission_ppm=20_000)
        before = {name: c.balances()["USD"].available_atoms for name, c in (("ann", ann), ("bob", bob))}
        reports = ann.follow()
        ann.place(market, "buy", price="0.64", qty="100")
        sold = bob.place(market, "sell", price="0.60", qty="100")
        assert sold.status is Status.FILLED and sold.filled == "100"
        (position,) = [p for p in ann.positions() if p.market == market]
        assert (position.held, position.shortfall) == ("64", "0")
        assert position.results == {"YES": "36", "NO": "-64"} == position.worst
        assert [p.results for p in bob.positions() if p.market == market] == [{"YES": "-36", "NO": "64"}]
        bob.place(market, "buy", price="0.70", qty="50")
        left = ann.cash_out(market, share="0.5")
        assert left is not None and left.results == {"YES": "21", "NO": "-29"}
        with pytest.raises(Rejected) as error:
            operator.settle(market, "YES")
        assert refused(error) is Code.MARKET_NOT_CLOSED
        operator.set_market_state(market, "closing")
        until(lambda: operator.outcome_markets()[market].state == "closed", what="closed")
        operator.settle(market, "YES")
        until(lambda: operator.outcome_markets()[market].state == "settled", what="settled")
        gained = ann.balances()["USD"].available_atoms - before["ann"]
        assert gained == 21 * 10**10 * 98 // 100
        assert bob.balances()["USD"].available_atoms - before["bob"] == -21 * 10**10
        assert not [p for p in ann.positions() if p.market == market]
        kinds = []
        while PositionSettled not in kinds:
            ann.pump(0.05)
            while (item := reports.next()) is not None:
                kinds.append(type(getattr(item, "event", None)))
        assert {OrderAccepted, TradeExecuted, CashedOut} <= set(kinds)


def test_odds_from_bets_to_a_removed_runner(place: Place) -> None:
    market = f"race-{next(numbers)}"
    with place.operator() as operator, place.trader(1) as ann, place.trader(2) as bob:
        operator.create_outcome_market(
            market, "USD", runners=["a", "b", "c"], lot_size="0.01", qty_max="1000"
        )
        ann.back(f"{market}:a", odds="3", stake="10")
        laid = bob.lay(f"{market}:a", odds="3.1", stake="4")
        assert (laid.status, laid.filled) == (Status.FILLED, "4")
        assert [(o.side, o.price, o.left) for o in ann.open_orders(f"{market}:a")] == [("back", "3", "6")]
        (position,) = [p for p in ann.positions() if p.market == market]
        assert position.results == {"a": "8", "b": "-4", "c": "-4"}
        assert position.worst == {"a": "8", "b": "-10", "c": "-10"} and position.held == "10"
        with pytest.raises(Rejected) as off:
            ann.back(f"{market}:a", odds="3.01", stake="1")
        assert refused(off) is Code.OFF_LADDER
        kept = ann.lay(f"{market}:b", odds="2", stake="1", persists=True)
        operator.turn_in_play(market, bet_delay_s=0.2)
        until(lambda: [o.order_id for o in ann.open_orders()] == [kept.order_id], what="others lapsed")
        shown = operator.outcome_markets()[market]
        assert (shown.in_play, shown.bet_delay_ns, shown.outcomes) == (True, 200_000_000, ("a", "b", "c"))
        back = bob.back(f"{market}:b", odds="2", stake="1")
        assert (back.status, back.filled) == (Status.OPEN, "0"), "it waits for the bet delay"
        until(lambda: not bob.open_orders(f"{market}:b"), what="the delay over and the bet matched")
        operator.set_market_state(market, "suspended")
        operator.remove_runner(market, "c", reduction_ppm=0)
        until(lambda: operator.outcome_markets()[market].removed == ("c",), what="removed")
        (after,) = [p for p in bob.positions() if p.market == market]
        assert set(after.results) == {"a", "b"}
        operator.set_market_state(market, "closing")
        until(lambda: operator.outcome_markets()[market].state == "closed", what="closed")
        operator.void_market(market)
        until(lambda: operator.outcome_markets()[market].state == "voided", what="voided")


def test_rules_of_markets_and_accounts(place: Place) -> None:
    market = place.market()
    with place.operator() as operator, place.trader(1) as ann, place.trader(2) as bob:
        operator.set_market_rules(market, matching="pro_rata", first_share_ppm=100_000, band_ppm=200_000)
        shown = operator.markets()[market]
        assert (shown.matching, shown.first_share_ppm, shown.band_ppm) == ("pro_rata", 100_000, 200_000)
        with pytest.raises(Rejected) as outside:
            ann.place(market, "buy", price="70", qty="1")
        assert refused(outside) is Code.PRICE_OUTSIDE_BAND
        operator.set_fee_tier(market, 3, maker_fee_ppm=0, taker_fee_ppm=1_000)
        operator.set_account_terms("demo-1", fee_tier=3, prevention="cancel_both", prevention_group="desk")
        operator.set_account_limits("demo-1", market, open_orders_max=1)
        rules = ann.limits()
        assert (rules.fee_tier, rules.prevention, rules.prevention_group) == (3, "cancel_both", "desk")
        assert rules.limits[market].open_orders_max == 1
        ann.place(market, "buy", price="90", qty="1")
        with pytest.raises(Rejected) as many:
            ann.place(market, "buy", price="91", qty="1")
        assert refused(many) is Code.TOO_MANY_OPEN_ORDERS
        operator.set_account_limits("demo-1", market)
        assert market not in ann.limits().limits
        operator.set_account_terms("demo-1")
        operator.cancel_where(market=market, account="demo-1")
        assert not ann.open_orders(market)
        operator.set_market_state(market, "pre_open")
        bob.place(market, "buy", price="101", qty="2")
        ann.place(market, "sell", price="99", qty="2")
        operator.set_market_state(market, "open")
        until(lambda: not (ann.open_orders(market) or bob.open_orders(market)), what="the uncross")


def test_reports_tell_of_triggers_and_preventions(place: Place) -> None:
    market = place.market()
    with place.trader(1) as ann, place.trader(2) as bob:
        reports = ann.follow()
        ann.pump(1.0)
        ann.place(market, "buy", price="130", qty="1", stop="110", prevention="cancel_taker")
        bob.place(market, "sell", price="120", qty="0.01")
        ann.place(market, "sell", price="125", qty="1")
        bob.place(market, "buy", price="120", qty="0.01", prevention="none")
        wanted = [
            OrderAccepted,
            OrderTermsSet,
            OrderAccepted,
            OrderTriggered,
            SelfTradePrevented,
            OrderCancelled,
        ]
        seen: list[type] = []
        while OrderCancelled not in seen:
            ann.pump(0.05)
            while (item := reports.next()) is not None:
                event = getattr(item, "event", None)
                if getattr(event, "market", "") == market:
                    seen.append(type(event))
        assert seen == wanted
        ann.cancel_all(market)


def test_orders_end_with_a_session_that_asked_for_it(place: Place) -> None:
    market = place.market()
    with place.trader(1, cancel_on_disconnect=True) as ann:
        ann.place(market, "buy", price="50", qty="1")
    with place.trader(1) as again:
        until(lambda: not again.open_orders(market), what="cancelled on disconnect")


def test_the_same_calls_in_a_loop(place: Place) -> None:
    market = place.market()

    async def trade() -> None:
        async with AsyncClient(place.gateway, "demo-1", "demo-1-secret") as ann:
            pair = await ann.place_pair(
                "oto", NewOrder(market, "buy", "50", "1"), NewOrder(market, "sell", "60", "1")
            )
            assert [o.waits for o in await ann.open_orders(market)] == ["", "pair"]
            outcomes = await ann.batch([Cancel(market, order_id=pair.first.order_id)])
            assert outcomes[0].error is None
            assert await ann.open_orders(market) == [] and isinstance(await ann.positions(), list)

    asyncio.run(trade())


def test_a_deposit_with_an_id_is_made_once(place: Place) -> None:
    with place.operator() as operator, place.operator() as other:
        had = operator.balances("demo-1")["USD"].available_atoms
        command_id = operator.timed_id()
        first = operator.deposit("demo-1", "USD", "5", command_id=command_id)
        again = other.deposit("demo-1", "USD", "5", command_id=command_id)
        assert not first.repeated and again.repeated and again.seq == first.seq
        assert operator.balances("demo-1")["USD"].available_atoms - had == 5 * 10**10
        past = f"{command_id[:14]}{1_700_000_000_000_000_000:x}"
        with pytest.raises(Rejected) as error:
            operator.deposit("demo-1", "USD", "5", command_id=past)
        assert refused(error) is Code.EXPIRED


def test_a_batch_that_comes_again_has_its_outcomes(place: Place) -> None:
    """By hand, under the same id: the answer carries them, too."""
    market = place.market()
    with place.trader(1) as ann:
        order = (1, f"b-{market}", "demo-1", ann.valid_until_ns(), market, 1, 1, 1, False, 100, 5, 0)
        batch = (8, f"batch-{market}", "demo-1", order[3], False, (order,))
        answers = []
        for _ in range(2):
            pending = ann.post(4, (batch,))
            ann.flush()
            answers.append(pending.value())
        assert answers[0][7] == answers[1][7] and answers[0][7][0][0] == 0
        assert (answers[0][6], answers[1][6]) == (False, True)
        ann.cancel_all(market)
