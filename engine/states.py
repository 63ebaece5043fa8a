"""Market states: who may do what in each, as ``docs/concepts/market-states.md`` has it in its table.

Invariant: an order comes to a book, or changes there, only in a state that allows it.
"""

from typing import Final

from bus.commands import MarketState, OrderType, TimeInForce
from bus.errors import Code

from .book import Market
from .state import Refusal, State

_OPEN: Final = int(MarketState.OPEN)
_HALTED: Final = int(MarketState.HALTED)
_PRE_OPEN: Final = int(MarketState.PRE_OPEN)
_CANCEL_ONLY: Final = int(MarketState.CANCEL_ONLY)
_CLOSING: Final = int(MarketState.CLOSING)
_LIMIT: Final = int(OrderType.LIMIT)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)

_REFUSED_WITH: Final[dict[int, Code]] = {
    int(MarketState.HALTED): Code.MARKET_HALTED,
    int(MarketState.SUSPENDED): Code.MARKET_SUSPENDED,
    int(MarketState.CANCEL_ONLY): Code.MARKET_CANCEL_ONLY,
    int(MarketState.CLOSING): Code.MARKET_CLOSED,
    int(MarketState.CLOSED): Code.MARKET_CLOSED,
    int(MarketState.SETTLED): Code.MARKET_CLOSED,
    int(MarketState.VOIDED): Code.MARKET_CLOSED,
}


def check_place(market: Market) -> None:
    """Refuse a place or replace where the state does not allow it, or while the market is busy."""
    if market.removed or (market.state != _OPEN and market.state != _PRE_OPEN):
        raise _refusal(market)
    if market.busy:
        raise _busy(market)


def check_reduce(market: Market) -> None:
    """Refuse a reduce where the state does not allow it, or while the market is busy."""
    state = market.state
    if market.removed or (state != _OPEN and state != _PRE_OPEN and state != _CANCEL_ONLY):
        raise _refusal(market)
    if market.busy:
        raise _busy(market)


def check_cancel(market: Market) -> None:
    """Refuse a cancel of single orders where the state does not allow it."""
    state = market.state
    if market.removed or (
        state != _OPEN and state != _HALTED and state != _PRE_OPEN and state != _CANCEL_ONLY
    ):
        raise _refusal(market)


def check_gathering(order_type: int, time_in_force: int, post_only: bool, min_lots: int) -> None:
    """Refuse an order that does not wait and could not simply rest while orders gather for an auction."""
    if order_type != _LIMIT or time_in_force in (_IOC, _FOK) or post_only or min_lots:
        raise Refusal(
            Code.NOT_WHILE_GATHERING,
            "expected a limit order that rests (orders gather for an auction), was"
            f" type {order_type} tif {time_in_force} post-only {post_only} min_lots {min_lots}",
        )


def books(state: State, name: str) -> list[Market]:
    """Return the books of the market that administration names, or refuse UNKNOWN_MARKET."""
    outcome = state.outcome_markets.get(name)
    if outcome is not None:
        return outcome.live_books
    market = state.market(name)
    if market.outcome is not None:
        raise Refusal(Code.UNKNOWN_MARKET, f"expected a market, was the book {name} of one")
    return [market]


def crossed(market: Market) -> bool:
    """Return whether the best bid is at or above the best ask."""
    bid, ask = market.bids.best, market.asks.best
    return bid is not None and ask is not None and bid.price_ticks >= ask.price_ticks


def check(market: Market) -> None:
    """Verify that a book is crossed only while orders gather or are uncrossed, and empty once closed."""
    assert market.gathering or not crossed(market), f"{market.name} is crossed"
    assert market.gathering or market.state != _PRE_OPEN
    if market.state > _CLOSING:
        assert market.bids.best is None and market.asks.best is None, f"{market.name} is closed, not empty"


def _refusal(market: Market) -> Refusal:
    if market.removed:
        return Refusal(Code.UNKNOWN_MARKET, f"expected a market that exists, was {market.name} (removed)")
    name = MarketState(market.state).name
    return Refusal(_REFUSED_WITH[market.state], f"expected an open market, was {market.name} {name}")


def _busy(market: Market) -> Refusal:
    return Refusal(Code.MARKET_BUSY, f"expected a market without work under way, was {market.name}")
