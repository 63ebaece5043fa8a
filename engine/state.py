"""Everything that the exchange knows, and the limits that bound it.

Invariant: this is all the state there is: executing the same commands at the same times from the same
state gives the same events. Nothing here reads a clock, a file, a socket or a random number, and
nothing iterates over a set.
"""

from collections import deque
from dataclasses import astuple, dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from sortedcontainers import SortedDict

from bus.commands import (
    COMMAND_CLASSES,
    FEES,
    OPERATOR,
    OrderType,
    Prevention,
    Side,
    TimeInForce,
    Trigger,
)
from bus.errors import Code
from bus.events import EVENT_NUMBERS, Event, KeyCreated

from .accounts import Account, DueIds
from .book import Market, Order
from .timers import EXPIRY, Timers

if TYPE_CHECKING:
    from .groups import Group
    from .jobs import Job
    from .outcomes import OutcomeMarket

Array = tuple[Any, ...]
"""A command or event as its wire array ``(type, *fields)``: what the core works on, because it is what
comes in and goes out; the typed records are for people and cold paths."""

RULES_VERSION = 2
"""Changes whenever the same commands could give other events."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds one command's work and the state's size.

    They are part of the rules: the same journal must be replayed under the same limits.
    """

    events_per_transaction_max: int = 1000
    fills_per_order_max: int = 240
    ids_per_account_max: int = 200_000
    open_orders_per_account_max: int = 100_000
    command_validity_ns_max: int = 60_000_000_000
    links_max: int = 1024
    assets_max: int = 1_000
    markets_max: int = 10_000
    accounts_max: int = 1_000_000
    keys_max: int = 100_000
    follow_ups_per_command_max: int = 100
    trailing_per_market_max: int = 200
    indication_interval_ns: int = 100_000_000

    def as_wire(self) -> tuple[int, ...]:
        """Return the limits as `StartEngine` carries them."""
        return astuple(self)

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            assert getattr(self, name) > 0, f"expected {name} above 0"
        assert self.events_per_transaction_max >= 6, "expected events_per_transaction_max of at least 6"
        # Below 4 x fills_per_order_max + 8 an order may have to stop for lack of room before it has had them.
        assert self.fills_per_order_max + 3 <= self.events_per_transaction_max, (
            "expected fills_per_order_max at least 3 below events_per_transaction_max"
        )


class Refusal(Exception):
    """A rule refused the command; nothing was changed."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


_ENUMS: dict[str, type[IntEnum]] = {
    "side": Side, "order_type": OrderType, "time_in_force": TimeInForce, "trigger": Trigger,
    "prevention": Prevention,
}  # fmt: skip


def in_words(fields: Array) -> str:
    """Return what a command's wire array says beyond its first four fields, where that is not 0."""
    said = zip(COMMAND_CLASSES[fields[0]]._fields[4:], fields[5:], strict=True)
    return ", ".join(
        f"{name} {_ENUMS[name](value).name if name in _ENUMS else value}" for name, value in said if value
    )


class State:
    """The whole state of an exchange.

    ``events`` collects, as wire arrays, what the command at hand brings about.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.fills_max = limits.fills_per_order_max
        """Fills that an order of the command at hand may have: fewer within a batch."""
        self.now_ns = 0
        self.next_seq = 1
        self.epoch = 0
        self.events: list[Array] = []
        self.assets: dict[str, int] = {}
        self.issued: dict[str, int] = {}
        self.markets: dict[str, Market] = {}
        self.books: list[Market] = []
        """The same by number."""
        self.outcome_markets: dict[str, OutcomeMarket] = {}
        self.short: dict[str, Account] = {}
        """Accounts that have a shortfall or owe a settlement."""
        self.accounts: dict[str, Account] = {OPERATOR: Account(OPERATOR), FEES: Account(FEES)}
        self.keys: dict[str, KeyCreated] = {}
        self.orders: dict[int, Order] = {}
        self.due_ids = DueIds()
        self.jobs: deque[Job] = deque()
        self.timers = Timers()
        self.touched: dict[str, Market] = {}
        """Books in which orders wait and that had trades since what waits was last looked at."""
        self.triggered: SortedDict[int, Market] = SortedDict()
        """Books whose queue of triggered orders is not empty, by number."""
        self.overdue: dict[int, dict[int, int]] = {}
        """By number of the book: orders whose bet delay ended while none could go to the book, and when."""
        self.batch_outcomes: dict[tuple[str, str], tuple[tuple[int, int, int, int, str], ...]] = {}
        """By account and id of each batch whose id is kept: how its commands went."""
        self.trips: deque[Group] = deque()
        """Order groups that have tripped and whose orders are still to be cancelled."""
        self.changed: dict[str, Market] = {}
        """Books that changed and whose auction or offers may have to be told anew."""
        self.links: dict[tuple[int, int], tuple[int, int]] = {}
        self.fees = self.accounts[FEES]

    def emit(self, event: Event) -> None:
        """Add an event of the command at hand."""
        self.events.append((EVENT_NUMBERS[type(event)], *event))

    def add_book(self, market: Market) -> None:
        """Add a new book."""
        market.number = len(self.books)
        self.books.append(market)
        self.markets[market.name] = market

    def watch_trade(self, market: Market, price_ticks: int) -> None:
        """Take note of a trade in a watched book."""
        if market.stops is not None:
            if not market.low_ticks or price_ticks < market.low_ticks:
                market.low_ticks = price_ticks
            if price_ticks > market.high_ticks:
                market.high_ticks = price_ticks
            self.touched[market.name] = market
        self.watch_book(market)

    def watch_book(self, market: Market) -> None:
        """Take note of a change of a watched book."""
        if market.gathering or market.outcome is not None:
            self.changed[market.name] = market

    def market(self, name: str) -> Market:
        """Return a market, or refuse UNKNOWN_MARKET."""
        market = self.markets.get(name)
        if market is None:
            raise Refusal(Code.UNKNOWN_MARKET, f"expected a market that exists, was {name}")
        return market

    def account(self, name: str) -> Account:
        """Return an account, or refuse UNKNOWN_ACCOUNT."""
        account = self.accounts.get(name)
        if account is None:
            raise Refusal(Code.UNKNOWN_ACCOUNT, f"expected an account that exists, was {name}")
        return account

    def asset_decimals(self, name: str) -> int:
        """Return an asset's decimals, or refuse UNKNOWN_ASSET."""
        decimals = self.assets.get(name)
        if decimals is None:
            raise Refusal(Code.UNKNOWN_ASSET, f"expected an asset that exists, was {name}")
        return decimals

    def forget_order(self, order: Order) -> None:
        """Drop an order that is done; its id too, if nothing else keeps it."""
        account = order.account
        del self.orders[order.order_id]
        account.open_orders -= 1
        if order.terms is not None and order.terms.expires_ns:
            self.timers.clear(EXPIRY, order.order_id)
        if account.lingering and order.client_order_id in account.lingering:
            del account.lingering[order.client_order_id]
            del account.ids[order.client_order_id]
