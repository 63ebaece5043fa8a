"""What single events do to the tables, made by hand: what the crowd may never bring about."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bus import events as e
from bus.commands import MarketModel, MarketState, PairKind, Prevention, Trigger
from recorder.database import Database
from recorder.rows import Row, Rows
from tests.recorder.test_wide import ask

OpenDatabase = Callable[[str], Database]

NOW_NS = 1_700_000_000 * 10**9
SPOT = e.MarketCreated("BTC-USD", "BTC", "USD", 1, 0, 100, 10, 10**6, 10**6, 1_000, 2_000)
RACE = e.OutcomeMarketCreated(
    "race", MarketModel.ODDS, "USD", ("a", "b", "c"), 100, 10**6, 0, 1, "house", 9, 9
)
BOOKS = tuple(
    e.MarketCreated(
        f"race:{name}", "USD", "USD", 1, 2, 100, 1, 100_000, 10**6, 0, 0, MarketModel.ODDS, "race", at
    )
    for at, name in enumerate("abc")
)
BEGIN: tuple[e.Event, ...] = (
    e.AssetCreated("BTC", 8), e.AssetCreated("USD", 6), SPOT, RACE, *BOOKS, e.AccountCreated("ann"),
    e.AccountCreated("bob"), e.Deposited("ann", 1, "USD", 10**9), e.Deposited("bob", 1, "USD", 10**9),
)  # fmt: skip
PLACED = e.OrderAccepted("ann", 2, "BTC-USD", 12, "o-1", 1, 1, 1, False, 1_000, 10, 0, 100_000, 0, 0)


@pytest.fixture
def write(database: Database) -> Callable[[Sequence[e.Event]], Database]:
    """Writes events, of which the first has seq 1 and each is a second later.

    They are one batch on TimescaleDB, a batch each on PostgreSQL.
    """

    def written(events: Sequence[e.Event]) -> Database:
        rows = Rows({})
        for seq, event in enumerate(events, start=1):
            rows.add([(seq, event)], NOW_NS + seq * 10**9)
            batch = rows.batch
            batch.venue_id, batch.engine, batch.epoch, batch.seq = bytes(16), "engine", 1, seq
            batch.events += 1
            if not database.has_timescale:
                database.write(rows.take())
                rows = Rows(database.markets())
        if rows.batch.events:
            database.write(rows.take())
        return database

    return written


def one(database: Database, sql: str) -> Row:
    """Return the only row of a query."""
    rows = database.fetch(sql, ())
    assert len(rows) == 1, rows
    return rows[0]


def order_of(database: Database, order_id: int) -> dict[str, Any]:
    """Return the row of ann's order as history gives it, by the names of the reference."""
    (row,) = ask(database, "order", "ann", order_id, "")
    names = (
        "order_id client_order_id account market side order_type time_in_force post_only price_ticks "
        "qty_lots budget_atoms filled_lots filled_atoms left_lots fee_atoms status reason created_ns "
        "updated_ns updated_seq rebate_atoms display_lots min_lots trigger trigger_ticks trail_ticks "
        "expires_ns prevention group persists waits pair_kind other_order_id"
    )
    return dict(zip(names.split(), row, strict=True))


Write = Callable[[Sequence[e.Event]], Database]


def terms(order_id: int, *, trigger: int = 0, waits: int = 0) -> e.OrderTermsSet:
    """Return terms of ann's order."""
    return e.OrderTermsSet("ann", 3, "BTC-USD", order_id, 4, 2, trigger, 990, 0, 77, 5, "g", True, waits)


def test_terms_of_an_order_and_what_it_waits_for(write: Write) -> None:
    waiting = terms(12, trigger=Trigger.STOP, waits=e.Waits.TRIGGER)
    database = write([*BEGIN, PLACED, waiting])
    order = order_of(database, 12)
    assert [order[name] for name in e.OrderTermsSet._fields[4:]] == list(waiting[4:])


@pytest.mark.parametrize(
    ("waited", "trigger", "waits"),
    [
        (e.Waits.TRIGGER, Trigger.STOP, e.Waits.NOTHING),
        (e.Waits.PAIR, Trigger.NONE, e.Waits.NOTHING),
        (e.Waits.PAIR, Trigger.STOP, e.Waits.TRIGGER),
        (e.Waits.BET_DELAY, Trigger.NONE, e.Waits.NOTHING),
    ],
)
def test_a_triggered_order_waits_no_more_but_for_a_trigger_of_its_own(
    write: Write, waited: int, trigger: int, waits: int
) -> None:
    waiting = terms(12, trigger=trigger, waits=waited)
    database = write([*BEGIN, PLACED, waiting, e.OrderTriggered("ann", 4, "BTC-USD", 12, waited)])
    order = order_of(database, 12)
    assert (order["waits"], order["status"], order["updated_seq"]) == (waits, 1, 14)
    assert [row[2] for row in ask(database, "order_events", "ann", 12, 0, 9)] == [20, 28, 29]


def test_both_orders_of_a_pair_name_each_other(write: Write) -> None:
    second = PLACED._replace(order_id=13, client_order_id="o-2", account_seq=3)
    paired = e.PairPlaced("ann", 4, "BTC-USD", "p-1", PairKind.OCO, 12, 13, 1, 100_000)
    database = write([*BEGIN, PLACED, second, paired])
    for mine, other in ((12, 13), (13, 12)):
        order = order_of(database, mine)
        assert (order["pair_kind"], order["other_order_id"]) == (PairKind.OCO, other)
    assert ask(database, "balances", "ann", "", 9) == [("USD", 10**9 - 100_000, 100_000, 14, 4)]
    assert ask(database, "statement", "ann", "USD", 13, 9)[0][2:9] == (
        30, 100_000, -100_000, 10**9 - 100_000, 100_000, "BTC-USD", 12,
    )  # fmt: skip


def test_a_prevention_takes_lots_off_the_total_and_is_no_fill(write: Write) -> None:
    prevented = e.SelfTradePrevented("BTC-USD", "ann", 5, "ann", 3, 12, 1, Prevention.DECREMENT, 4, 6, 40_000)
    database = write([*BEGIN, PLACED, prevented])
    order = order_of(database, 12)
    assert (order["qty_lots"], order["left_lots"], order["filled_lots"]) == (6, 6, 0)
    rested = e.OrderReduced("ann", 4, "BTC-USD", 12, 1, 1_000, 5, 5, 10_000, 1, 5)
    assert ask(database, "balances", "ann", "", 9)[0][1:3] == (10**9 - 60_000, 60_000)
    assert rested.qty_lots == 5


def test_a_rebate_is_no_fee(write: Write) -> None:
    trade = e.TradeExecuted("BTC-USD", 1, 1_000, 10, 2, "ann", 3, 12, 0, -100, "bob", 2, 9, 0, 300, 0, 1, 0)
    database = write([*BEGIN, PLACED, trade])
    order = order_of(database, 12)
    assert (order["fee_atoms"], order["rebate_atoms"], order["status"]) == (0, 100, 2)
    assert {row[0]: row[1:3] for row in ask(database, "balances", "ann", "", 9)} == {
        "BTC": (1_000, 0), "USD": (10**9 - 100_000 + 100, 0),
    }  # fmt: skip
    assert ask(database, "account_trades", "ann", "", 0, 0, 0, 9)[0][5:] == (
        1,
        1_000,
        10,
        -100,
        True,
        0,
        False,
    )
    assert ask(database, "balances", "fees", "", 9)[0][:3] == ("USD", 200, 0)


def auction_trade(trade_id: int = 1) -> e.AuctionTraded:
    """Return a trade of an uncross: ann buys 4 of bob, below her limit."""
    return e.AuctionTraded(
        "BTC-USD", trade_id, 990, 4, "ann", 3, 12, 6, 1, 1_000, 6, 400, "bob", 2, 11, 0, 8, 980, 0, 0, 1
    )


def test_a_trade_of_an_auction_has_a_buyer_and_a_seller_and_no_taker(write: Write) -> None:
    told = e.AuctionIndicated("BTC-USD", 990, 4, -3)
    database = write([*BEGIN, PLACED, told, auction_trade(), e.AuctionDone("BTC-USD", 990, 4)])
    (trade,) = ask(database, "trades", "BTC-USD", 0, 0, 0, 9)
    assert trade[3:] == (990, 4, 0, "ann", 12, "bob", 11, 3, False)
    assert ask(database, "account_trades", "ann", "", 0, 0, 0, 9)[0][2:] == (
        "BTC-USD", 1, 12, 1, 990, 4, 1, False, 3, False,
    )  # fmt: skip
    order = order_of(database, 12)
    assert (order["filled_lots"], order["left_lots"], order["fee_atoms"]) == (4, 6, 1)
    assert [row[2:] for row in ask(database, "auctions", "BTC-USD", 0, 0, 0, 9)] == [
        (32, 990, 4, -3), (34, 990, 4, 0),
    ]  # fmt: skip
    assert ask(database, "last_candles", "BTC-USD", "1m", 0, 9)[0][5:] == (4, 4 * 990 * 10, 1)
    view = one(database, "SELECT kind, buyer, seller, taker_side FROM trades_decimal")
    assert view == ("auction", "ann", "bob", None)


def bet(trade_id: int, book: str, odds: int, stake: int, **changes: Any) -> e.TradeExecuted:
    """Return a trade of odds: ann backs, bob lays."""
    trade = e.TradeExecuted(
        f"race:{book}", trade_id, odds, stake, 2, "bob", 2, 20 + trade_id, 0, 0,
        "ann", 2, 40 + trade_id, 0, 0, 0, trade_id, 0,
    )  # fmt: skip
    return trade._replace(**changes)


def results(database: Database, account: str) -> dict[str, int]:
    """Return an account's result by outcome."""
    rows = ask(database, "positions", account, "", 9)
    return dict(zip(rows[0][4], rows[0][7], strict=True)) if rows else {}


def test_results_of_bets_add_up_to_nothing(write: Write) -> None:
    database = write([*BEGIN, bet(1, "a", 300, 10), bet(1, "b", 250, 4), bet(2, "a", 200, 5, taker_side=1)])
    # ann: backs a 10 at 3.00, b 4 at 2.50; then she takes from bob's back: she lays a 5 at 2.00.
    assert results(database, "ann") == {
        "a": 2_000 - 400 - 500,
        "b": -1_000 + 600 + 500,
        "c": -1_000 - 400 + 500,
    }
    assert results(database, "bob") == {name: -atoms for name, atoms in results(database, "ann").items()}
    (row,) = ask(database, "positions", "ann", "", 9)
    assert row[:4] == ("race", MarketModel.ODDS, "USD", MarketState.OPEN)
    assert row[5:7] == ((5, 4, 0), (2_000, 1_000, 0))


def test_a_trade_with_the_house_is_in_its_statement_of_fills(write: Write) -> None:
    cross = bet(1, "a", 300, 10, maker_account="house", maker_order_id=0, market_seq=0, kind=2)
    database = write([*BEGIN, cross._replace(maker_released_atoms=-2_000)])
    (fill,) = ask(database, "account_trades", "house", "race:a", 0, 0, 0, 9)
    assert fill[3:] == (1, 0, 1, 300, 10, 0, True, 2, False)
    (row,) = ask(database, "statement", "house", "USD", 0, 9)
    assert row[2:] == (21, -2_000, 2_000, -2_000, 2_000, "race:a", 0, 1, 300, 10, 0, 0)
    assert results(database, "house") == {"a": -2_000, "b": 1_000, "c": 1_000}


def test_a_removed_runners_bets_are_void_and_winnings_on_others_are_cut_bet_by_bet(write: Write) -> None:
    database = write(
        [
            *BEGIN, bet(1, "a", 333, 3), bet(2, "a", 333, 3), bet(1, "c", 400, 7),
            e.RunnerRemoved("race", "c", 100_000), bet(3, "a", 333, 3),
        ]
    )  # fmt: skip
    # Winnings of 3 at 2.33: 699, less a tenth cut to 629, twice; the bet placed later has all of them.
    assert results(database, "ann") == {"a": 629 * 2 + 699, "b": -900}
    fills = ask(database, "account_trades", "ann", "", 0, 0, 0, 9)
    assert [(row[2], row[11]) for row in fills] == [
        ("race:a", False), ("race:a", False), ("race:c", True), ("race:a", False),
    ]  # fmt: skip
    (market,) = ask(database, "outcome_markets", "", 9)
    assert market[14][2] == (2, "c", "race:c", True, 100_000, False)
    assert one(database, "SELECT state FROM markets WHERE market = 'race:c'") == (MarketState.VOIDED,)


def test_voided_trades_of_a_time_count_no_more(write: Write) -> None:
    first_ns = NOW_NS + (len(BEGIN) + 1) * 10**9
    bets = [bet(1, "a", 300, 1), bet(2, "a", 300, 10), bet(3, "a", 300, 100)]
    voided = e.TradesVoided("race", first_ns + 10**9, first_ns + 2 * 10**9, 1)
    database = write([*BEGIN, *bets, voided, voided])
    assert results(database, "ann")["a"] == 200 + 20_000
    assert [row[11] for row in ask(database, "account_trades", "ann", "", 0, 0, 0, 9)] == [False, True, False]


def test_a_runner_added_has_the_state_of_the_others_and_wins_against_all(write: Write) -> None:
    halted = e.MarketStateChanged("race", MarketState.HALTED)
    book = BOOKS[0]._replace(market="race:d", runner=3)
    database = write([*BEGIN, bet(1, "a", 300, 10), halted, e.RunnerAdded("race", "d"), book])
    assert results(database, "ann") == {"a": 2_000, "b": -1_000, "c": -1_000, "d": -1_000}
    states = {row[0]: row[1] for row in database.fetch("SELECT market, state FROM markets", ())}
    assert states == {"BTC-USD": 1, **dict.fromkeys(("race:a", "race:b", "race:c", "race:d"), 2)}


def test_a_settlement_is_in_the_statement_of_account_and_fees(write: Write) -> None:
    settled = e.PositionSettled("ann", 9, "race", 0, 2_000, 100)
    database = write(
        [*BEGIN, settled, e.ExposureChanged("bob", 9, "race", 300, 7), e.MarketSettled("race", ("a",), 2, 0)]
    )
    after_seq = len(BEGIN)
    (row,) = ask(database, "statement", "ann", "USD", after_seq, 9)
    assert row[2:] == (50, 1_900, 0, 10**9 + 1_900, 0, "race", 0, 0, 0, 0, 100, 0)
    (row,) = ask(database, "statement", "fees", "USD", 0, 9)
    assert row[2:] == (50, 100, 0, 100, 0, "race", 0, 0, 0, 0, 100, 0)
    (row,) = ask(database, "statement", "bob", "USD", after_seq, 9)
    assert row[2:9] == (49, -300, 300, 10**9 - 300, 300, "race", 0)
    assert ask(database, "settlements", "ann", 0, 9)[0][2:] == ("race", 0, 2_000, 100)
    (market,) = ask(database, "outcome_markets", "", 9)
    assert (market[10], market[12], market[14][0][5]) == (after_seq + 3, 2, True)


def test_what_was_set_last_holds(write: Write) -> None:
    database = write(
        [
            *BEGIN,
            e.FeeTierSet("BTC-USD", 1, 5, 6), e.FeeTierSet("BTC-USD", 1, -7, 8),
            e.AccountTermsSet("ann", 2, True, 1, Prevention.DECREMENT, "firm"),
            e.AccountLimitsSet("ann", 3, "", 1, 2, 3, 4), e.AccountLimitsSet("ann", 4, "", 0, 0, 0, 9),
            e.MarketRulesSet("BTC-USD", 2, 300_000, 50_000), e.InPlayTurned("race", 5 * 10**9),
            e.GroupSet("ann", 5, "g", 10, 10**9), e.GroupTripped("ann", 6, "g", 12),
            e.CashedOut("ann", 7, "race", "c-1", 500_000, (5, -6, 7), (2, -3, 4)),
        ]
    )  # fmt: skip
    assert one(database, "SELECT maker_fee_ppm, taker_fee_ppm FROM fee_tiers") == (-7, 8)
    assert one(
        database,
        "SELECT unfunded, fee_tier, prevention, prevention_group FROM accounts WHERE account = 'ann'",
    ) == (True, 1, 5, "firm")
    assert one(database, "SELECT market, order_lots_max, position_max FROM account_limits") == ("", 0, 9)
    assert one(
        database, "SELECT matching, first_share_ppm, band_ppm FROM markets WHERE market = 'BTC-USD'"
    ) == (2, 300_000, 50_000)
    assert one(database, "SELECT in_play, bet_delay_ns FROM outcome_markets") == (True, 5 * 10**9)
    assert one(
        database,
        "SELECT g.lots_max, t.lots FROM order_groups AS g JOIN group_trips AS t USING (account, group_name) "
        "WHERE t.seq > g.updated_seq",
    ) == (10, 12)
    assert ask(database, "cash_outs", "ann", 0, 9)[0][2:] == ("race", "c-1", 500_000, [5, -6, 7], [2, -3, 4])


def test_views_of_what_is_new_show_words_and_decimals(write: Write) -> None:
    waiting = terms(12, trigger=Trigger.STOP, waits=e.Waits.TRIGGER)
    database = write(
        [*BEGIN, PLACED, waiting, bet(1, "a", 333, 10), e.PositionSettled("ann", 9, "race", 0, 5, 1)]
    )
    row = one(
        database,
        "SELECT time_in_force, display::text, trigger, trigger_price::text, waits, group_name "
        "FROM orders_decimal",
    )
    assert row == ("GTC", "0.000004", "stop", "990", "trigger", "g")
    assert one(database, "SELECT model, state, runners, winners FROM outcome_markets_decimal") == (
        "odds", "open", ["a", "b", "c"], None,
    )  # fmt: skip
    assert one(
        database, "SELECT result::text FROM position_results_decimal WHERE account = 'ann' AND name = 'a'"
    ) == ("0.00233",)
    assert one(database, "SELECT net::text FROM settlements_decimal") == ("0.000005",)
    assert one(database, "SELECT price::text, quantity::text FROM trades_decimal") == ("3.33", "0.001")
