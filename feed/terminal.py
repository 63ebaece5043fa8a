"""``zeropit book MARKET``: a book, its auction, last trades and 24 hours, live in the terminal.

Invariant: what is shown is a book that is in sync, or the screen says that it is not; integers are turned
into decimals digit by digit, nothing is rounded.

A client like any other: it follows the feed over its public sockets with the SDK.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from rich.align import Align
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bus import runfile
from bus.client import MarketData, Missed
from bus.commands import MarketModel, MarketState, Side
from bus.errors import Code, Rejected, SessionError
from bus.events import TradeKind
from bus.market_data import AUCTION, Auction, Level, MarketRow, Offer, Ticker, Trade
from bus.settings import load

BAR_CHARS = 16
TRADES_SHOWN = 12
REFRESHES_PER_S = 10
SILENCE_S_MAX = 3.0
UP, DOWN = "green", "red"


class Shown(NamedTuple):
    """All that one picture is made of."""

    market: MarketRow
    bids: Sequence[Level]
    asks: Sequence[Level]
    trades: Sequence[Trade]
    ticker: Ticker | None
    market_seq: int
    in_sync: bool
    silence_s: float
    auction: Auction | None = None
    offers: Sequence[Offer] = ()


def fixed(value: int, decimals: int) -> str:
    """Return ``value * 10**-decimals`` with all its decimals and a space between thousands."""
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    return f"{sign}{int(whole):,}".replace(",", " ") + ("." + fraction if fraction else "")


def price_of(market: MarketRow, price_ticks: int) -> str:
    """Return a price as a decimal."""
    return fixed(price_ticks * market.tick_mantissa, market.tick_decimals)


def qty_of(market: MarketRow, qty_lots: int) -> str:
    """Return a quantity as a decimal, without the decimals that a lot never reaches."""
    atoms, decimals = market.lot_atoms, market.base_decimals
    while decimals and atoms % 10 == 0:
        atoms, decimals = atoms // 10, decimals - 1
    return fixed(qty_lots * atoms, decimals)


def picture(shown: Shown) -> RenderableType:
    """Return what is drawn."""
    sides = Table.grid(padding=(0, 3))
    sides.add_column()
    sides.add_column(no_wrap=True)  # a narrow terminal takes from the bars of the book alone
    sides.add_row(_book(shown), _trades(shown))
    title = f"[bold]{shown.market.market}"
    return Panel(
        Group(_head(shown), *_state(shown), *_beyond(shown), "", sides), title=title, title_align="left"
    )


def _head(shown: Shown) -> Text:
    market, ticker = shown.market, shown.ticker
    text = Text()
    if ticker is not None and ticker.last_ticks:
        colour = UP if ticker.change_ticks >= 0 else DOWN
        sign = "+" if ticker.change_ticks > 0 else ""
        text.append(price_of(market, ticker.last_ticks), style=f"bold {colour}")
        text.append(f"  {sign}{price_of(market, ticker.change_ticks)}", style=colour)
        low, high = price_of(market, ticker.low_ticks), price_of(market, ticker.high_ticks)
        text.append(f"   24 h  {low} – {high}   {qty_of(market, int(ticker.volume_lots))} {market.base}")
        text.append(f"   {ticker.trades} trades")
        if not ticker.complete:
            text.append("   24 h incomplete", style="yellow")
    return text


def _state(shown: Shown) -> list[Text]:
    """Return a line on what is out of the ordinary, if anything is."""
    market, said = shown.market, []
    if market.state != MarketState.OPEN:
        said.append(state_of(market))
    if market.in_play:
        said.append(f"IN-PLAY, bets wait {fixed(market.bet_delay_ns // 1_000_000, 3)} s")
    if not shown.in_sync:
        said.append("catching up")
    elif shown.silence_s > SILENCE_S_MAX:
        said.append(f"nothing heard for {shown.silence_s:.0f} s")
    return [Text("   ".join(said), style="bold yellow")] if said else []


def state_of(market: MarketRow) -> str:
    """Return a market's state in words; a number that is not known as it is."""
    try:
        return MarketState(market.state).name.replace("_", " ")
    except ValueError:
        return f"STATE {market.state}"


def _beyond(shown: Shown) -> list[Text]:
    """Return what is not in the book: an auction's price, and what is offered over other books."""
    market, auction, lines = shown.market, shown.auction, []
    if auction is not None and (auction.done or market.state == MarketState.PRE_OPEN):
        verb = "traded" if auction.done else "would trade"
        what = f"{qty_of(market, auction.lots)} at {price_of(market, auction.price_ticks)}"
        text = f"auction: {verb} {what}" if auction.lots else f"auction: nothing {verb}"
        if auction.imbalance_lots:
            side = "buyers" if auction.imbalance_lots > 0 else "sellers"
            text += f", {qty_of(market, abs(auction.imbalance_lots))} more of {side}"
        lines.append(Text(text, style="cyan"))
    for offer in shown.offers:
        kind = "implied" if offer.kind == TradeKind.IMPLIED else "cross-matched"
        serves = "lay" if offer.side == Side.BACK else "back"
        what = f"{qty_of(market, offer.lots)} at {price_of(market, offer.price_ticks)}"
        lines.append(Text(f"{kind}, to {serves}: {what}", style="magenta"))
    return lines


def _book(shown: Shown) -> Table:
    market = shown.market
    table = Table(box=None, header_style="dim", caption=f"market_seq {shown.market_seq}", caption_style="dim")
    is_odds = market.model == MarketModel.ODDS
    table.add_column("odds" if is_odds else f"price {market.quote}", justify="right", no_wrap=True)
    table.add_column(f"{'stake' if is_odds else 'quantity'} {market.base}", justify="right", no_wrap=True)
    table.add_column("", max_width=BAR_CHARS)
    largest = max((lots for _, lots in (*shown.bids, *shown.asks)), default=1)

    def add(price: int, lots: int, colour: str) -> None:
        bar = Bar(BAR_CHARS * largest, 0, max(BAR_CHARS * lots, largest), color=colour)
        table.add_row(Text(price_of(market, price), style=colour), qty_of(market, lots), bar)

    for price, lots in reversed(shown.asks):
        add(price, lots, DOWN)
    if shown.bids and shown.asks:
        spread = price_of(market, shown.asks[0][0] - shown.bids[0][0])
        table.add_row(Text(spread, style="dim"), Text("spread", style="dim"), "")
    for price, lots in shown.bids:
        add(price, lots, UP)
    return table


def _trades(shown: Shown) -> Table:
    market = shown.market
    table = Table(box=None, header_style="dim")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("quantity", justify="right", no_wrap=True)
    for trade in reversed(shown.trades):
        taker = UP if trade.taker_side == Side.BUY else DOWN
        colour = "cyan" if trade.kind == AUCTION else taker
        table.add_row(
            Text(clock_of(trade.time_ns), style="dim"),
            Text(price_of(market, trade.price_ticks), style=colour),
            qty_of(market, trade.qty_lots),
        )
    return table


def clock_of(time_ns: int) -> str:
    """Return the time of day with milliseconds."""
    ms = time_ns // 1_000_000 % 86_400_000
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}.{ms % 1_000:03}"


class Screen:
    """Follows one market and draws it."""

    def __init__(self, data: MarketData, market: str, levels: int) -> None:
        self._data = data
        self._levels = levels
        self._depth = data.depth(market)
        self._ticker = data.ticker(market)
        self._market = data.market(market)
        self._auction = data.auction(market)
        self._offers = data.offers(market)
        self._feed = data.trades(market, past=TRADES_SHOWN)
        self._trades: deque[Trade] = deque(maxlen=TRADES_SHOWN)
        for followed in (self._depth, self._ticker, self._market, self._auction, self._offers, self._feed):
            data.ready(followed)

    def draw(self) -> RenderableType:
        """Return the picture as of now."""
        while self._feed.has_news():
            item = self._feed.next()
            if item is not None and not isinstance(item, Missed):
                self._trades.append(item)
        depth, market = self._depth, self._market.value
        if market is None:
            return Align.center("waiting for the market")
        return picture(
            Shown(
                market, depth.bids(self._levels), depth.asks(self._levels), tuple(self._trades),
                self._ticker.value, depth.market_seq, depth.ready, self._data.silence_s, self._auction.value,
                self._offers.value or (),
            )
        )  # fmt: skip


def endpoints(config: Path | None, overrides: Sequence[str]) -> tuple[str, str]:
    """Return where the feed's two doors are: as a feed that runs here says, else as the settings say."""
    settings = load(config, overrides)
    running = runfile.read(settings.venue.run_dir, "feed")
    found = running.endpoints if running is not None else {}
    return (
        found.get("feed_stream", settings.endpoints.feed_stream),
        found.get("feed_query", settings.endpoints.feed_query),
    )


@click.command()
@click.argument("market")
@click.option("--levels", default=12, show_default=True, type=click.IntRange(1, 100), help="Levels a side.")
@click.option("--once", is_flag=True, help="Draw once and end.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
@click.option("--set", "overrides", multiple=True, metavar="section.key=value", help="Override a setting.")
def book(market: str, levels: int, once: bool, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Show MARKET's book, trades and 24 hours, live, until Ctrl-C."""
    stream, query = endpoints(config, overrides)
    console = Console()
    try:
        with MarketData(stream, query) as data:
            if market not in data.units:
                known = ", ".join(data.units) or "none"
                raise Rejected(Code.UNKNOWN_MARKET, f"expected a market of {known}, was {market!r:.60}")
            screen = Screen(data, market, levels)
            if once:
                console.print(screen.draw())
                return
            with Live(screen.draw(), console=console, screen=True, auto_refresh=False) as live:
                while True:
                    data.until(lambda: False, 1 / REFRESHES_PER_S)
                    live.update(screen.draw(), refresh=True)
    except KeyboardInterrupt:
        return
    except SessionError as error:
        raise SessionError(error.code, f"{error.detail} (feed at {query})") from None
