"""Commands: what may be asked of the engine, as typed records with fixed wire numbers.

Invariant: a record's field order is its wire order (``[type, *fields]``), a number is never reused,
and a command decodes only with exactly its fields: a field too many is refused, because ignoring it
could trade something else than was asked.

The first three fields of every outside command are the same: the id that makes a resend safe
(``client_order_id`` for orders, ``command_id`` for the rest), the account whose id it is, and
``valid_until_ns`` (UTC nanoseconds) after which the engine refuses it as EXPIRED. The id of an
administrative command is scoped to the account ``operator``.
"""

from enum import IntEnum
from typing import NamedTuple

INT_MAX = 2**63 - 1
"""Largest integer on the wire."""

OPERATOR = "operator"
"""Built-in account that scopes the ids of administrative commands."""

FEES = "fees"
"""Built-in account that receives fees."""


class Side(IntEnum):
    """Side of an order."""

    BUY = 1
    SELL = 2


class OrderType(IntEnum):
    """Order type."""

    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    """How long an order stays: until cancelled, or not beyond its first matching."""

    GTC = 1
    IOC = 2
    FOK = 3


class MarketState(IntEnum):
    """Market states; in HALTED only cancels are taken."""

    OPEN = 1
    HALTED = 2


class AccountState(IntEnum):
    """Account states; BLOCKED takes only cancels (the kill switch)."""

    ACTIVE = 1
    BLOCKED = 2


class Role(IntEnum):
    """Roles of a key, combined as a bit mask."""

    READER = 1
    TRADER = 2
    BROKER = 4
    ADMIN = 8


class Lane(IntEnum):
    """The two lanes from a gateway to the engine; the control lane is drained first."""

    ORDERS = 0
    CONTROL = 1


class PlaceOrder(NamedTuple):
    """Place an order.

    ``price_ticks`` is 0 for a market order. Exactly one of ``qty_lots`` (1 or more) and
    ``budget_atoms`` (quote atoms; market buys only) is positive.
    """

    client_order_id: str
    account: str
    valid_until_ns: int
    market: str
    side: int
    order_type: int
    time_in_force: int
    post_only: bool
    price_ticks: int
    qty_lots: int
    budget_atoms: int


class CancelOrder(NamedTuple):
    """Cancel an order named by ``order_id``, or by ``client_order_id`` when ``order_id`` is 0."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    order_id: int
    client_order_id: str


class CancelAll(NamedTuple):
    """Cancel every open order of the account, in one market or ("") in all."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str


class ReduceOrder(NamedTuple):
    """Lower an order's total quantity (filled part included); it keeps its place in the queue.

    At or below the filled part, the rest is cancelled.
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    order_id: int
    client_order_id: str
    qty_lots: int


class ReplaceOrder(NamedTuple):
    """Give an order a new price and a new total quantity (filled part included).

    It goes to the back of its new level and may trade at once; all or nothing, the order id stays.
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    order_id: int
    client_order_id: str
    price_ticks: int
    qty_lots: int


class CreateAsset(NamedTuple):
    """Create an asset whose smallest unit (atom) is ``10**-decimals``; 0 to 18 decimals."""

    command_id: str
    account: str
    valid_until_ns: int
    asset: str
    decimals: int


class CreateMarket(NamedTuple):
    """Create a spot market.

    The tick size is ``tick_mantissa * 10**-tick_decimals`` quote units per base unit; the lot size is
    ``lot_atoms`` base atoms. ``tick_size * lot_size`` must be a whole number of quote atoms. Fees are
    in parts per million (0 to 100,000) of what the account receives.
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    base: str
    quote: str
    tick_mantissa: int
    tick_decimals: int
    lot_atoms: int
    price_ticks_max: int
    qty_lots_max: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class CreateAccount(NamedTuple):
    """Create the account ``new_account``."""

    command_id: str
    account: str
    valid_until_ns: int
    new_account: str


class CreateKey(NamedTuple):
    """Create a log-on key: SCRAM-SHA-256 verifiers only (RFC 7677), never the secret.

    ``roles`` is a bit mask of `Role`; ``accounts`` lists the accounts that its sessions may act for.
    """

    command_id: str
    account: str
    valid_until_ns: int
    key_id: str
    roles: int
    accounts: tuple[str, ...]
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class RevokeKey(NamedTuple):
    """Revoke a key; its sessions end."""

    command_id: str
    account: str
    valid_until_ns: int
    key_id: str


class Deposit(NamedTuple):
    """Add ``amount_atoms`` of an asset to an account's available balance."""

    command_id: str
    account: str
    valid_until_ns: int
    to_account: str
    asset: str
    amount_atoms: int


class Withdraw(NamedTuple):
    """Take ``amount_atoms`` of an asset from an account's available balance."""

    command_id: str
    account: str
    valid_until_ns: int
    from_account: str
    asset: str
    amount_atoms: int


class SetMarketState(NamedTuple):
    """Open or halt a market (`MarketState`)."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    state: int


class SetAccountState(NamedTuple):
    """Block or activate an account (`AccountState`); blocking also cancels its open orders."""

    command_id: str
    account: str
    valid_until_ns: int
    target_account: str
    state: int


class CancelMarket(NamedTuple):
    """Cancel every order of a market, whoever owns it."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str


class OpenLink(NamedTuple):
    """Open a gateway's next link: once executed, nothing sent under an earlier link ever is."""


class StartEngine(NamedTuple):
    """Announce an engine start (made by the engine itself) and set the limits that hold from here on.

    ``limits`` are the values of `engine.state.Limits` in its order: they decide outcomes, so they are
    journalled like everything else that does.
    """

    epoch: int
    rules_version: int
    limits: tuple[int, ...]


class Continue(NamedTuple):
    """Take the next step of work that was too much for one transaction (made by the engine itself)."""


OutsideCommand = (
    PlaceOrder
    | CancelOrder
    | CancelAll
    | ReduceOrder
    | ReplaceOrder
    | CreateAsset
    | CreateMarket
    | CreateAccount
    | CreateKey
    | RevokeKey
    | Deposit
    | Withdraw
    | SetMarketState
    | SetAccountState
    | CancelMarket
)
"""Commands that carry an id, an account and a validity."""

Command = OutsideCommand | OpenLink | StartEngine | Continue

COMMAND_CLASSES: dict[int, type[Command]] = {
    1: PlaceOrder,
    2: CancelOrder,
    3: CancelAll,
    4: ReduceOrder,
    5: ReplaceOrder,
    20: CreateAsset,
    21: CreateMarket,
    22: CreateAccount,
    23: CreateKey,
    24: RevokeKey,
    25: Deposit,
    26: Withdraw,
    27: SetMarketState,
    28: SetAccountState,
    29: CancelMarket,
    40: OpenLink,
    41: StartEngine,
    42: Continue,
}

COMMAND_NUMBERS: dict[type[Command], int] = {cls: number for number, cls in COMMAND_CLASSES.items()}

TRADING = frozenset({1, 2, 3, 4, 5})
"""Wire numbers of the commands an account's own sessions may send."""

ADMIN = frozenset({20, 21, 22, 23, 24, 25, 26, 27, 28, 29})
"""Wire numbers of the administrative commands (role ADMIN, account ``operator``)."""

CONTROL = frozenset({3, 27, 28, 29})
"""Wire numbers that go by the control lane: halts, mass cancels and the kill switch."""

INTERNAL = frozenset({40, 41, 42})
"""Wire numbers that no client may send."""
