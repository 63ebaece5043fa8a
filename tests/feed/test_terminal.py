"""The live book: what it draws, and the command over a real feed."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from bus.commands import MarketModel, MarketState
from bus.market_data import AUCTION, Auction, MarketRow, Offer, Ticker, Trade
from feed.terminal import Shown, clock_of, fixed, picture, qty_of
from tests.feed.crowd import MARKET, Crowd
from tests.processes import Processes

ROW = MarketRow("ETH-BTC", "ETH", "BTC", 8, 8, 1, 5, 100_000, 1, 10**7, 10**8, 0, 0, 1, 9, 4, 7_000_012)
TICKER = Ticker(7_000_000, 7_100_000, 6_900_000, 7_000_012, 12, "1234567", "1", 4, 0, 1, True, 4)
SHOWN = Shown(
    ROW, [(7_000_010, 1_500), (7_000_000, 3_000)], [(7_000_020, 20)], [Trade(4, 7_000_012, 5, 2, 1, 1)],
    TICKER, 9, True, 0.0,
)  # fmt: skip


def drawn(shown: Shown, width: int = 110) -> str:
    """Return a picture as plain text."""
    console = Console(width=width, record=True, file=StringIO())
    console.print(picture(shown))
    return console.export_text()


def test_decimals_are_exact() -> None:
    assert fixed(1_234_567, 2) == "12 345.67"
    assert fixed(-5, 3) == "-0.005"
    assert fixed(0, 0) == "0"
    assert fixed(2**63 - 1, 5) == "92 233 720 368 547.75807"
    assert qty_of(ROW, 1) == "0.001"
    assert clock_of(1_700_000_000_123_456_789) == "22:13:20.123"


def test_the_picture_has_the_book_best_prices_inside() -> None:
    text = drawn(SHOWN)
    at = [text.index(price) for price in ("70.00020", "0.00010", "70.00010", "70.00000")]
    assert at == sorted(at), "asks, spread, bids"
    for part in (
        "ETH-BTC",
        "1.500",
        "3.000",
        "+0.00012",
        "1 234.567 ETH",
        "4 trades",
        "00:00:00.000",
        "market_seq 9",
    ):
        assert part in text
    assert "catching up" not in text and "incomplete" not in text and "HALTED" not in text


def test_a_narrow_terminal_takes_from_the_bars_and_not_from_the_numbers() -> None:
    level = (123_456_789, 9_876_543_210)
    text = drawn(SHOWN._replace(asks=[level], trades=[Trade(4, *level, 2, 1, 1)] * 3), 80)
    assert text.count("1 234.56789") == 4 and text.count("9 876 543.210") == 4


def test_the_picture_says_what_is_wrong() -> None:
    assert "catching up" in drawn(SHOWN._replace(in_sync=False))
    assert "nothing heard for 9 s" in drawn(SHOWN._replace(silence_s=9.0))
    assert "HALTED" in drawn(SHOWN._replace(market=ROW._replace(state=2)))
    assert "incomplete" in drawn(SHOWN._replace(ticker=TICKER._replace(complete=False)))
    assert "ETH-BTC" in drawn(SHOWN._replace(ticker=None, bids=[], asks=[], trades=[]))


def test_odds_states_auctions_and_offers_are_shown_apart_from_the_book() -> None:
    row = ROW._replace(
        market="race:a", base="USD", quote="USD", tick_mantissa=1, tick_decimals=2, base_decimals=2,
        lot_atoms=100, model=MarketModel.ODDS, outcome_market="race", in_play=True, bet_delay_ns=5 * 10**9,
        state=MarketState.PRE_OPEN,
    )  # fmt: skip
    shown = SHOWN._replace(
        market=row, bids=[(280, 15)], asks=[(300, 7)], trades=[Trade(1, 291, 3, 0, 1, 1, AUCTION)],
        auction=Auction(290, 12, -4, False), offers=[Offer(1, 2, 310, 6), Offer(2, 1, 270, 5)],
    )  # fmt: skip
    text = drawn(shown)
    for part in (
        "PRE OPEN", "IN-PLAY, bets wait 5.000 s", "auction: would trade 12 at 2.90, 4 more of sellers",
        "implied, to lay: 6 at 3.10", "cross-matched, to back: 5 at 2.70", "odds", "stake USD", "3.00",
        "2.80", "2.91",
    ):  # fmt: skip
        assert part in text
    assert "auction: traded 8 at 2.90" in drawn(shown._replace(auction=Auction(290, 8, 0, True)))
    assert "auction: nothing traded" in drawn(shown._replace(auction=Auction(0, 0, 0, True)))
    assert "STATE 77" in drawn(shown._replace(market=row._replace(state=77)))


def command(processes: Processes, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``zeropit book`` with the settings of the processes."""
    sets = [word for assignment in processes.overrides for word in ("--set", assignment)]
    return subprocess.run(
        [sys.executable, "-m", "zeropit", "book", *words, *sets],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def test_the_command_draws_a_live_feed(short_dir: Path) -> None:
    with Processes(short_dir) as processes:
        processes.start_all(["engine", "archive", "feed"])
        with Crowd(processes) as crowd:
            crowd.feed_at(crowd.trade(200))
            _, bids, asks = crowd.engine_levels()
        done = command(processes, MARKET, "--once", "--levels", "3")
        assert done.returncode == 0, done.stderr
        for price, _ in (*bids[:3], *asks[:3]):
            assert fixed(price, 2) in done.stdout
        missing = command(processes, "XRP-USD", "--once")
        assert missing.returncode == 1
        assert "UNKNOWN_MARKET: expected a market of BTC-USD" in missing.stderr
        assert "Traceback" not in missing.stderr
