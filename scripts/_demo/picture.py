"""The picture: price, trades, spread and depth over the 30 minutes, drawn from the journal alone.

Invariant: every pixel comes of an event of ours; the time is the recording's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bus.events import Event, OrderAccepted, OrderCancelled, TradeExecuted

from .told import Told

SAMPLE_MS = 1_000
PRICE_MARGIN_TICKS = 45_00
BIN_TICKS = 2_00
LOTS = 10**8
NEAR_BASIS_POINTS = (5, 25)
"""Distances from the middle within which depth is added up."""
INK, MUTED, GRID, PAPER = "#1f2933", "#66727f", "#dde3e8", "#ffffff"
BUY, SELL, SPREAD = "#0b7a75", "#c8553d", "#4a5a6a"


class Film:
    """Takes a still of the book every second of the recording's time.

    Parameters
    ----------
    times_ms
        The recording's time of each command, by client order id (cancels with an x behind).
    market
        Whose book.
    until_ms
        The recording's end.
    """

    def __init__(self, times_ms: Mapping[str, int], market: str, until_ms: int) -> None:
        self._times_ms = times_ms
        self._market = market
        self._until_ms = until_ms
        self._next_ms = 0
        self._orders: dict[int, str] = {}
        self.start_ms = 0
        self.stills: list[tuple[int, dict[tuple[int, int], int]]] = []
        self.trades: list[tuple[int, int, int, int]] = []

    def seen(self, told: Told, _seq: int, event: Event) -> None:
        """Look at an event that was just added up."""
        if isinstance(event, OrderAccepted):
            self._orders[event.order_id] = event.client_order_id
            time_ms = self._times_ms.get(event.client_order_id)
        elif isinstance(event, OrderCancelled):
            time_ms = self._times_ms.get(event.client_order_id + "x")
        elif isinstance(event, TradeExecuted):
            time_ms = self._times_ms.get(self._orders[event.taker_order_id])
            if time_ms is not None:
                self.trades.append((time_ms, event.price_ticks, event.qty_lots, event.taker_side))
        else:
            return
        if time_ms is not None and self._next_ms <= time_ms < self._until_ms:
            self.start_ms = self.start_ms or time_ms
            self.stills.append((time_ms, dict(told.levels[self._market])))
            self._next_ms = max(self._next_ms, time_ms - time_ms % SAMPLE_MS) + SAMPLE_MS


def draw(film: Film, title: str, path: Path) -> None:
    """Save the picture as a PNG (nothing to draw without a still that has both sides)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import dates as matplotlib_dates
    from matplotlib import pyplot

    dates: Any = matplotlib_dates  # its locators have no types

    stills = [(time_ms, levels) for time_ms, levels in film.stills if {side for side, _ in levels} == {1, 2}]
    if not stills:
        return
    times = [datetime.fromtimestamp(time_ms / 1e3, UTC) for time_ms, _ in stills]
    bids = np.array([max(price for side, price in levels if side == 1) for _, levels in stills])
    asks = np.array([min(price for side, price in levels if side == 2) for _, levels in stills])
    pyplot.rcParams.update(
        {"font.size": 10, "axes.edgecolor": GRID, "text.color": INK, "axes.labelcolor": MUTED}
    )
    pyplot.rcParams.update({"xtick.color": MUTED, "ytick.color": MUTED, "font.family": "DejaVu Sans"})
    figure, axes = pyplot.subplots(
        3, 1, figsize=(14, 10), sharex=True, height_ratios=(5, 1.3, 1.8), layout="constrained"
    )
    _price(figure, axes[0], film, stills, (times, bids, asks), dates)
    _spread(axes[1], times, (asks - bids) / 100)
    _depth(axes[2], times, stills, (bids + asks) // 2)
    for axis in axes:
        axis.grid(True, color=GRID, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    axes[2].set_xlim(times[0], times[-1])
    axes[2].xaxis.set_major_locator(dates.AutoDateLocator(minticks=4, maxticks=9))
    axes[2].xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=UTC))
    axes[2].set_xlabel(f"time of the recording, {times[0]:%d %B %Y} UTC")
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, facecolor=PAPER)
    pyplot.close(figure)


def _price(figure: Any, axis: Any, film: Film, stills: Any, best: Any, dates: Any) -> None:
    """Draw what rests at each price as a heat map, the best prices and the trades on top."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    times, bids, asks = best
    low = int(bids.min()) - PRICE_MARGIN_TICKS
    high = int(asks.max()) + PRICE_MARGIN_TICKS
    bins = np.arange(low - low % BIN_TICKS, high + BIN_TICKS, BIN_TICKS)
    heat = np.full((len(bins) - 1, len(stills)), np.nan)
    for column, (_, levels) in enumerate(stills):
        near = [(price, lots) for (_, price), lots in levels.items() if bins[0] <= price < bins[-1]]
        prices, lots = zip(*near, strict=True) if near else ((), ())
        heat[:, column] = np.histogram(prices, bins, weights=np.array(lots) / LOTS)[0]
    heat[heat <= 0] = np.nan
    colours = LinearSegmentedColormap.from_list(
        "depth", ["#f2f6fa", "#dbe6f1", "#b9cfe4", "#8fb1d1", "#5f8ab5"]
    )
    edges = [*dates.date2num(times), dates.date2num(times[-1]) + SAMPLE_MS / 86_400_000]
    mesh = axis.pcolormesh(
        edges, bins / 100, heat, cmap=colours, norm=LogNorm(0.01, 10, clip=True), rasterized=True
    )
    axis.step(times, bids / 100, where="post", color=BUY, linewidth=1.8, label="best bid")
    axis.step(times, asks / 100, where="post", color=SELL, linewidth=1.8, label="best ask")
    for side, colour, name, marker in ((1, BUY, "buyer takes", "^"), (2, SELL, "seller takes", "v")):
        some = [trade for trade in film.trades if trade[3] == side]
        axis.scatter(
            [datetime.fromtimestamp(trade[0] / 1e3, UTC) for trade in some],
            [trade[1] / 100 for trade in some],
            s=[18 + 160 * (trade[2] / LOTS) ** 0.5 for trade in some],
            color=colour,
            edgecolor=PAPER,
            linewidth=0.8,
            marker=marker,
            zorder=3,
            label=f"trade, {name} ({len(some)})",
        )
    axis.set_ylim(bins[0] / 100, bins[-1] / 100)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylabel("price, USD")
    axis.legend(loc="upper left", ncols=4, frameon=True, framealpha=0.9, edgecolor=GRID, markerscale=0.8)
    bar = figure.colorbar(mesh, ax=axis, pad=0.01, fraction=0.025, extend="both")
    bar.set_label("resting in each 2 USD, BTC")
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)


def _spread(axis: Any, times: Any, spread: Any) -> None:
    """Draw the spread."""
    axis.step(times, spread, where="post", color=SPREAD, linewidth=0.9)
    axis.fill_between(times, spread, step="post", color=SPREAD, alpha=0.15, linewidth=0)
    axis.set_ylim(0, max(2.0, float(np.quantile(spread, 0.995)) * 1.15))
    axis.set_ylabel("spread, USD")


def _depth(axis: Any, times: Any, stills: Any, mids: Any) -> None:
    """Draw what rests near the middle on each side, asks upwards and bids downwards."""
    top = 0.0
    for basis_points, alpha in zip(sorted(NEAR_BASIS_POINTS, reverse=True), (0.35, 0.85), strict=True):
        sides = {1: np.zeros(len(stills)), 2: np.zeros(len(stills))}
        for column, ((_, levels), mid) in enumerate(zip(stills, mids, strict=True)):
            reach = int(mid) * basis_points // 10_000
            for (side, price), lots in levels.items():
                if abs(price - int(mid)) <= reach:
                    sides[side][column] += lots / LOTS
        top = max(top, float(np.quantile(np.concatenate([sides[1], sides[2]]), 0.995)))
        label = f"within {basis_points / 100:g} %"
        axis.fill_between(
            times, sides[2], step="post", color=SELL, alpha=alpha, linewidth=0, label=f"asks {label}"
        )
        axis.fill_between(
            times, -sides[1], step="post", color=BUY, alpha=alpha, linewidth=0, label=f"bids {label}"
        )
    axis.axhline(0, color=INK, linewidth=0.6)
    axis.set_ylim(-1.25 * top, 1.25 * top)
    axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axis.set_ylabel("depth, BTC")
    axis.legend(loc="upper left", ncols=4, frameon=True, framealpha=0.9, edgecolor=GRID)
