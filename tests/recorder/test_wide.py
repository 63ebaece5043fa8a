"""All that the venue decides in both databases: money to the atom, orders, positions, whatever the cut."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from bus.events import EVENT_CLASSES, AuctionDone, AuctionIndicated, AuctionTraded, TradeExecuted
from recorder.database import Database
from recorder.queries import page_of
from recorder.rows import Row, Rows
from tests.recorder.tables import balances_of, contents
from tests.recorder.test_rows import record
from tests.recorder.venue import Venue
from tests.recorder.wide import ACCOUNTS, BINARY, BOOKS, MATCH, OUTCOME_MARKETS, RACE, TRADERS, WideVenue

OpenDatabase = Callable[[str], Database]
ROWS_MAX = 50


def ask(database: Database, query: str, *args: object) -> list[Row]:
    """Return a query's rows as the recorder answers them."""
    page = page_of(query, args, database.markets(), ROWS_MAX)
    rows = [page.shape(row) for row in database.fetch(page.sql, page.parameters)]
    return rows[::-1] if page.newest_first else rows


def statement(database: Database, account: str, asset: str, limit: int = ROWS_MAX) -> list[Row]:
    """Return a whole statement, page by page."""
    found: list[Row] = []
    while page := ask(database, "statement", account, asset, found[-1][0] if found else 0, limit):
        found += page
    return found


def check_money(database: Database, venue: Venue, accounts: Sequence[str] = ACCOUNTS) -> None:
    """Every statement explains its balance to the atom, and the balance is the exchange's."""
    assert balances_of(database, accounts) == {
        (account, asset): both
        for account in accounts
        for asset, both in venue.exchange.balances(account).items()
        if any(both)
    }
    for account in accounts:
        for asset, available, held, seq, changes in ask(database, "balances", account, "", ROWS_MAX):
            rows = statement(database, account, asset)
            assert (len(rows), rows[-1][0]) == (changes, seq)
            total = [0, 0]
            for row in rows:
                total[0] += row[3]
                total[1] += row[4]
                assert row[5:7] == tuple(total), row
            assert tuple(total) == (available, held)
            newest = ask(database, "last_statement", account, asset, 0, 7)
            assert newest == rows[-7:]
            assert ask(database, "last_statement", account, asset, newest[0][0], 7) == rows[-14:-7]


def check_reasons(database: Database) -> None:
    """Only deposits and withdrawals are of no market."""
    for account in ACCOUNTS:
        for asset in ("BTC", "USD"):
            bare = {
                EVENT_CLASSES[row[2]].__name__ for row in statement(database, account, asset) if not row[7]
            }
            assert bare <= {"Deposited", "Withdrawn"}


def check_orders(database: Database, venue: WideVenue) -> None:
    """Open orders are the exchange's, what waits as well."""
    rows = database.fetch(
        "SELECT o.order_id, o.client_order_id, o.market, o.side, o.price_ticks, o.qty_lots, o.left_lots, "
        "o.account, coalesce(t.waits, 0) FROM orders AS o LEFT JOIN order_terms AS t USING (order_id) "
        "WHERE status = 1 ORDER BY order_id",
        (),
    )
    for account in TRADERS:
        mine = [row for row in rows if row[7] == account]
        orders = [venue.exchange.state.orders[row[0]] for row in mine]
        real = venue.exchange.open_orders(account)
        assert [row[:6] for row in mine] == [row[:6] for row in real]
        assert [row[6] for row in mine] == [order.total_left for order in orders]
        assert [row[8] for row in mine] == [order.waits for order in orders]


def check_positions(database: Database, venue: WideVenue) -> None:
    """Results are those that the exchange has for each outcome."""
    for account in (*TRADERS, "house"):
        recorded = {row[0]: row for row in ask(database, "positions", account, "", ROWS_MAX)}
        for market, position in venue.exchange.state.accounts[account].positions.items():
            outcome = position.outcome
            results = [result for at, result in enumerate(position.results()) if at in outcome.live]
            if market not in recorded:
                assert not any(results)
                continue
            names = tuple(outcome.runners[at] for at in outcome.live)
            assert tuple(recorded[market][4]) == names and list(recorded[market][7]) == results


def check_fills(database: Database, venue: WideVenue) -> None:
    """Every trade is a fill of both its accounts, once."""
    expected: dict[str, list[Row]] = {account: [] for account in ACCOUNTS}
    for seq, _, event in venue.events:
        if isinstance(event, TradeExecuted):
            other = 3 - event.taker_side
            expected[event.maker_account].append((seq, event.maker_order_id, other, True, event.kind))
            expected[event.taker_account].append(
                (seq, event.taker_order_id, event.taker_side, False, event.kind)
            )
        elif isinstance(event, AuctionTraded):
            expected[event.buy_account].append((seq, event.buy_order_id, 1, False, 3))
            expected[event.sell_account].append((seq, event.sell_order_id, 2, False, 3))
    for account, fills in expected.items():
        found: list[Row] = []
        after = 0
        while page := ask(database, "account_trades", account, "", 0, 0, after, ROWS_MAX):
            found += page
            after = page[-1][0]
        assert sorted((row[0], row[4], row[5], row[9], row[10]) for row in found) == sorted(fills)


@pytest.mark.parametrize("seed", range(2))
def test_tables_hold_what_the_exchange_decided(database: Database, seed: int) -> None:
    venue = WideVenue(seed)
    for _ in range(3):
        venue.live(40)
        record(database, venue, Random(seed))
        check_money(database, venue)
        check_orders(database, venue)
        check_positions(database, venue)
    check_fills(database, venue)
    check_reasons(database)
    states = {row[0]: row[1] for row in database.fetch("SELECT market, state FROM markets", ())}
    assert states == {name: book.state for name, book in venue.exchange.state.markets.items()}


def test_the_end_of_markets_is_explained(database: Database) -> None:
    venue = WideVenue(11)
    venue.live(60)
    live = venue.exchange.state.outcome_markets[RACE].live
    winner = venue.exchange.state.outcome_markets[RACE].runners[live[0]]
    record(database, venue, Random(1))
    before = {account: ask(database, "positions", account, "", ROWS_MAX) for account in (*TRADERS, "house")}
    venue.end(BINARY, ("NO",))
    venue.end(MATCH, ())
    venue.end(RACE, (winner,))
    record(database, venue, Random(1))
    check_money(database, venue)
    check_reasons(database)
    markets = {row[0]: row for row in ask(database, "outcome_markets", "", ROWS_MAX)}
    assert {name: row[3] for name, row in markets.items()} == {BINARY: 8, MATCH: 9, RACE: 8}
    assert {name: [r[1] for r in row[14] if r[5]] for name, row in markets.items()} == {
        BINARY: ["NO"], MATCH: [], RACE: [winner],
    }  # fmt: skip
    for account, positions in before.items():
        settled = {row[2]: row for row in ask(database, "settlements", account, 0, ROWS_MAX)}
        for market, _, _, _, names, _, _, results in positions:
            ending = {BINARY: "NO", RACE: winner}.get(market)
            net = results[list(names).index(ending)] if ending else 0
            commission = net * 20_000 if market != RACE else net * 50_000
            taken = commission // 10**6 if net > 0 and account != "house" else 0
            assert settled[market][4:] == (net, taken)
    for market in OUTCOME_MARKETS:
        held = database.fetch("SELECT sum(net_atoms) FROM settlements WHERE market = %b", (market,))
        assert int(held[0][0] or 0) == 0


def test_the_cut_into_batches_changes_nothing(open_database: OpenDatabase, schema: str) -> None:
    venue = WideVenue(7)
    venue.live(80)
    for market in OUTCOME_MARKETS:
        venue.end(market, ())
    database = open_database(schema)
    record(database, venue, Random(1))
    one = contents(database)
    rare = {"group_trips", "order_groups", "cash_outs", "exposure_changes", "positions"}
    assert {name for name, rows in one.items() if not rows} <= rare
    database = open_database(schema + "_other")
    for frame in venue.decoded():
        record_one(database, frame.head.last_seq, venue)
    assert contents(database) == one


def record_one(database: Database, last_seq: int, venue: WideVenue) -> None:
    """Write the frame that ends with a seq, with a recorder that knows only what is recorded."""
    after_seq = database.position.seq if database.position else 0
    rows = Rows(database.markets())
    frame = next(frame for frame in venue.decoded() if frame.head.last_seq == last_seq)
    rows.add_frame(frame, after_seq)
    database.write(rows.take())


def test_marks_are_the_sums_up_to_them(database: Database) -> None:
    venue = Venue(5)
    venue.trade(150, commands_max=30)
    record(database, venue, Random(2))
    marks = database.fetch("SELECT account, asset, seq, available_atoms, held_atoms FROM balance_marks", ())
    assert marks
    for account, asset, seq, available, held in marks:
        sums = database.fetch(
            "SELECT sum(available_atoms), sum(held_atoms) FROM balance_changes "
            "WHERE account = %b AND asset = %b AND seq <= %b",
            (account, asset, seq),
        )
        assert sums == [(available, held)]
    check_money(database, venue, ("ann", "bob", "cat", "fees"))


def test_auctions_of_a_book(database: Database) -> None:
    venue = WideVenue(2)
    venue.live(150)
    record(database, venue, Random(1))
    told = [
        (seq, event.market)
        for seq, _, event in venue.events
        if isinstance(event, (AuctionIndicated, AuctionDone))
    ]
    found = []
    for book in BOOKS:
        after = 0
        while page := ask(database, "auctions", book, 0, 0, after, 5):
            found += [(row[0], book) for row in page]
            after = page[-1][0]
    assert told and sorted(found) == told
