"""Makes a venue for a replay, and compares all its parts once everything has arrived everywhere.

Invariant: nothing is compared before every part has had the last seq, and all of it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bus.client import Client
from bus.events import Event
from bus.replay.flow import OurTrade
from bus.replay.setting_up import open_accounts, open_broker

from . import reconcile, reference
from .parts import (
    Book,
    Database,
    FeedDoor,
    database_dsn,
    engine_balances,
    engine_book,
    read_database,
    recorded_seq,
)
from .reconcile import Played, Reconciliation
from .reference import MARKET, Reference
from .told import Told, read_journal
from .venue import Venue

ACCOUNT_PREFIX = "trader"
BROKER_KEY = "broker"
FEED_TRADES_PAGE = 1_500
ARRIVE_S_MAX = 180.0

Seen = Callable[[Told, int, Event], object]


class Books(NamedTuple):
    """The book at one moment, as the engine, the feed and a client that follows its diffs have it."""

    engine: Book
    feed: Book
    followed: Book | None = None


class Compared(NamedTuple):
    """What the comparison was made from."""

    told: Told
    database: Database
    trades: list[OurTrade]


def found_venue(admin: Client, accounts: int, secret: str) -> list[str]:
    """Create assets, market, accounts and the broker's key through the SDK; return the accounts."""
    admin.create_asset(reference.BASE, reference.BASE_DECIMALS)
    admin.create_asset(reference.QUOTE, reference.QUOTE_DECIMALS)
    admin.create_market(
        MARKET,
        reference.BASE,
        reference.QUOTE,
        tick_size=reference.TICK_SIZE,
        lot_size=reference.LOT_SIZE,
        price_max=reference.PRICE_MAX,
        qty_max=reference.QTY_MAX,
        maker_fee_ppm=reference.MAKER_FEE_PPM,
        taker_fee_ppm=reference.TAKER_FEE_PPM,
    )
    names = open_accounts(admin, ACCOUNT_PREFIX, accounts, reference.DEPOSITS)
    open_broker(admin, BROKER_KEY, secret, names)
    return names


def account_names(accounts: int) -> list[str]:
    """Return the accounts that `found_venue` makes."""
    return [f"{ACCOUNT_PREFIX}-{number:02}" for number in range(accounts)]


def books_now(venue: Venue, admin: Client, feed: FeedDoor) -> Books:
    """Return the engine's and the feed's book, the market being quiet."""
    seq = int(admin.query("status")["seq"])
    venue.until(lambda: feed.seq() >= seq, "the feed at the end of the stream", ARRIVE_S_MAX)
    return Books(engine_book(admin, MARKET), feed.book(MARKET))


def wait_for_all(venue: Venue, admin: Client, feed: FeedDoor) -> int:
    """Wait until the database and the feed have everything; return the last seq."""
    last_seq = int(admin.query("status")["seq"])
    dsn = database_dsn(venue.settings())
    venue.until(lambda: recorded_seq(dsn) >= last_seq, "every row in the database", ARRIVE_S_MAX)
    venue.until(lambda: feed.seq() >= last_seq, "the feed at the end of the stream", ARRIVE_S_MAX)
    return last_seq


def compare_all(
    found: Reconciliation,
    venue: Venue,
    doors: tuple[Client, FeedDoor],
    played: Played,
    expected: Reference,
    books: Mapping[str, Books],
    seen: Seen | None = None,
) -> Compared:
    """Compare journal, answers, database, feed, balances and trades; ``seen`` looks at each event."""
    admin, feed = doors
    last_seq = wait_for_all(venue, admin, feed)
    copies: dict[int, Book] = {}
    wanted = {both.engine.market_seq for both in books.values()}

    def look(told: Told, seq: int, event: Event) -> None:
        market_seq = told.market_seqs.get(MARKET, 0)
        if market_seq in wanted and market_seq not in copies:
            copies[market_seq] = reconcile.copy_levels(told, MARKET)
        if seen is not None:
            seen(told, seq, event)

    told = read_journal(venue.folder / "journal", look)
    database = read_database(database_dsn(venue.settings()))
    reconcile.check_journal(found, told, last_seq)
    reconcile.check_answers(found, played, told, expected)
    reconcile.check_totals(found, played, told, database)
    reconcile.check_database(found, told, database)
    for when, both in books.items():
        journal = copies.get(both.engine.market_seq, Book(0, {}))
        reconcile.check_book(found, when, journal, both.engine, both.feed)
        if both.followed is not None:
            found.each(f"book {when}", "levels: engine, client", both.engine.levels, both.followed.levels)
    balances = engine_balances(admin, [*played.accounts, "fees", "operator"])
    balances = {key: amounts for key, amounts in balances.items() if key in told.balances or any(amounts)}
    reconcile.check_money(found, told, admin.query("totals"), balances, database.balances)
    trades = reconcile.check_trades(found, told, expected, feed_trades(feed), played.prefix)
    return Compared(told, database, trades)


def feed_trades(feed: FeedDoor) -> list[Sequence[int]]:
    """Return all trades that the feed has, page by page."""
    found: list[Sequence[int]] = []
    while True:
        page = feed.ask("trades", MARKET, found[-1][0] if found else 0, FEED_TRADES_PAGE)[2]
        if not page:
            return found
        found += page
