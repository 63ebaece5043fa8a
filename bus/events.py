"""Events: the facts that the engine decided, as typed records with fixed wire numbers.

Invariant: a record's field order is its wire order (``[type, *fields]``), numbers are never reused,
fields are only ever added at the end, and readers ignore trailing fields that they do not know.

An event's ``seq`` is not a field: a transaction names the seq of its first event and the others
follow without a hole. Events that change an account's state carry that account's ``account_seq``
(dense per account). Events that change the book carry ``market_seq`` (dense per market; 0: the book
was not touched) and ``level_lots``, the new total resting at the price that they touched.
"""

from enum import IntEnum
from typing import NamedTuple


class CancelReason(IntEnum):
    """Why the rest of an order was cancelled."""

    REQUESTED = 1
    MASS_CANCEL = 2
    IOC = 3
    FOK = 4
    NO_LIQUIDITY = 5
    BUDGET_SPENT = 6
    FILLS_LIMIT = 7
    REDUCED_TO_FILLED = 8
    ACCOUNT_BLOCKED = 9
    MARKET_CANCELLED = 10


class EngineStarted(NamedTuple):
    """The engine started a new epoch under these rules."""

    epoch: int
    rules_version: int


class LinkOpened(NamedTuple):
    """A gateway's link was opened; commands of its earlier links are never executed from here on."""

    gateway: int
    lane: int
    link: int


class CommandRejected(NamedTuple):
    """A command was refused; nothing else happened. ``command_id`` is "" where it had none."""

    account: str
    command_id: str
    code: int
    detail: str


class CommandRepeated(NamedTuple):
    """A command came again under its id; this is the answer it had (``seq``: of that answer)."""

    account: str
    command_id: str
    code: int
    seq: int
    order_id: int
    filled_lots: int
    left_lots: int
    detail: str


class AssetCreated(NamedTuple):
    """An asset exists."""

    asset: str
    decimals: int


class MarketCreated(NamedTuple):
    """A market exists and is open. ``unit_atoms``: quote atoms of one tick times one lot."""

    market: str
    base: str
    quote: str
    tick_mantissa: int
    tick_decimals: int
    lot_atoms: int
    unit_atoms: int
    price_ticks_max: int
    qty_lots_max: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class AccountCreated(NamedTuple):
    """An account exists."""

    account: str


class KeyCreated(NamedTuple):
    """A log-on key exists (verifiers only)."""

    key_id: str
    roles: int
    accounts: tuple[str, ...]
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class KeyRevoked(NamedTuple):
    """A log-on key is gone."""

    key_id: str


class MarketStateChanged(NamedTuple):
    """A market was opened or halted (`bus.commands.MarketState`)."""

    market: str
    state: int


class AccountStateChanged(NamedTuple):
    """An account was blocked or activated (`bus.commands.AccountState`)."""

    account: str
    account_seq: int
    state: int


class Deposited(NamedTuple):
    """Funds were added to the available balance."""

    account: str
    account_seq: int
    asset: str
    amount_atoms: int


class Withdrawn(NamedTuple):
    """Funds were taken from the available balance."""

    account: str
    account_seq: int
    asset: str
    amount_atoms: int


class OrderAccepted(NamedTuple):
    """An order was accepted and ``held_atoms`` moved from available to held.

    Held are quote atoms for a buy, base atoms for a sell. ``order_id`` is this event's seq.
    ``market_seq`` is positive when the whole order went to rest without trading.
    """

    account: str
    account_seq: int
    market: str
    order_id: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    post_only: bool
    price_ticks: int
    qty_lots: int
    budget_atoms: int
    held_atoms: int
    market_seq: int
    level_lots: int


class TradeExecuted(NamedTuple):
    """Two orders traded at the maker's price.

    The buyer's held quote drops by price x quantity x unit, plus ``refund_atoms`` (price improvement
    of a taker that buys) which becomes available again. The buyer receives base, the seller quote,
    each less its fee (base atoms for the buyer, quote atoms for the seller). ``level_lots`` is what
    is left at the maker's level. In an account's private stream the other side's account, order id,
    account_seq, fee and left quantity are blanked ("" or 0).
    """

    market: str
    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: int
    maker_account: str
    maker_account_seq: int
    maker_order_id: int
    maker_left_lots: int
    maker_fee_atoms: int
    taker_account: str
    taker_account_seq: int
    taker_order_id: int
    taker_left_lots: int
    taker_fee_atoms: int
    refund_atoms: int
    market_seq: int
    level_lots: int


class OrderRested(NamedTuple):
    """What an order has left went to rest after it had traded or been replaced."""

    account: str
    account_seq: int
    market: str
    order_id: int
    side: int
    price_ticks: int
    left_lots: int
    market_seq: int
    level_lots: int


class OrderCancelled(NamedTuple):
    """The rest of an order (``left_lots``) is cancelled; ``released_atoms`` became available again."""

    account: str
    account_seq: int
    market: str
    order_id: int
    client_order_id: str
    side: int
    price_ticks: int
    left_lots: int
    reason: int
    released_atoms: int
    market_seq: int
    level_lots: int
    filled_lots: int


class OrderReduced(NamedTuple):
    """An order's total quantity is now ``qty_lots``; ``released_atoms`` became available again."""

    account: str
    account_seq: int
    market: str
    order_id: int
    side: int
    price_ticks: int
    qty_lots: int
    left_lots: int
    released_atoms: int
    market_seq: int
    level_lots: int


class OrderReplaced(NamedTuple):
    """An order left its level (``old_price_ticks``, whose total is now ``level_lots``).

    It has a new price and total; its hold changed by ``held_change_atoms`` (negative: released).
    What is left trades and rests by the events that follow.
    """

    account: str
    account_seq: int
    market: str
    order_id: int
    side: int
    old_price_ticks: int
    price_ticks: int
    qty_lots: int
    left_lots: int
    held_change_atoms: int
    market_seq: int
    level_lots: int


class MassCancelStarted(NamedTuple):
    """A mass cancel began: of an account ("": all) in a market ("": all)."""

    account: str
    command_id: str
    market: str
    reason: int


class MassCancelDone(NamedTuple):
    """A mass cancel ended after cancelling ``orders`` orders."""

    account: str
    command_id: str
    market: str
    orders: int


Event = (
    EngineStarted
    | LinkOpened
    | CommandRejected
    | CommandRepeated
    | AssetCreated
    | MarketCreated
    | AccountCreated
    | KeyCreated
    | KeyRevoked
    | MarketStateChanged
    | AccountStateChanged
    | Deposited
    | Withdrawn
    | OrderAccepted
    | TradeExecuted
    | OrderRested
    | OrderCancelled
    | OrderReduced
    | OrderReplaced
    | MassCancelStarted
    | MassCancelDone
)

EVENT_CLASSES: dict[int, type[Event]] = {
    1: EngineStarted,
    2: LinkOpened,
    3: CommandRejected,
    4: CommandRepeated,
    10: AssetCreated,
    11: MarketCreated,
    12: AccountCreated,
    13: KeyCreated,
    14: KeyRevoked,
    15: MarketStateChanged,
    16: AccountStateChanged,
    17: Deposited,
    18: Withdrawn,
    20: OrderAccepted,
    21: TradeExecuted,
    22: OrderRested,
    23: OrderCancelled,
    24: OrderReduced,
    25: OrderReplaced,
    26: MassCancelStarted,
    27: MassCancelDone,
}

EVENT_NUMBERS: dict[type[Event], int] = {cls: number for number, cls in EVENT_CLASSES.items()}


class Answer(NamedTuple):
    """What became of one command, as its sender is told.

    ``code`` 0 is accepted. ``seq`` is the seq of the command's first event. For orders:
    ``filled_lots`` and ``left_lots`` (still resting) as of the end of the command.
    """

    code: int
    seq: int
    order_id: int
    filled_lots: int
    left_lots: int
    detail: str


class Transaction(NamedTuple):
    """All events of one command, with its origin: gateway instance, session and request (0: none)."""

    first_seq: int
    gateway: int
    session: int
    request_id: int
    events: list[Event]
