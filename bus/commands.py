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
    """Side of an order. In odds, LAY is the side of buyers (filled at its odds or lower, the highest first
    in the book), BACK that of sellers (filled at its odds or higher, the lowest first)."""

    BUY = 1
    SELL = 2
    LAY = 1
    BACK = 2


class MarketModel(IntEnum):
    """What is traded: an asset for another, a binary contract, or odds on one of several runners."""

    SPOT = 1
    BINARY = 2
    ODDS = 3


class OrderType(IntEnum):
    """Order type."""

    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    """How long an order stays: until cancelled, not beyond its first matching, until a time, or to 00:00
    UTC."""

    GTC = 1
    IOC = 2
    FOK = 3
    GTT = 4
    DAY = 5


class Trigger(IntEnum):
    """What an order waits for before it goes to the book: the last trade price at or beyond a price."""

    NONE = 0
    STOP = 1
    """A buy: at or above the trigger price; a sell: at or below."""
    TAKE_PROFIT = 2
    """A buy: at or below the trigger price; a sell: at or above."""
    TRAILING = 3
    """Like STOP, with a trigger price that follows the best price since acceptance at a fixed distance."""


class Prevention(IntEnum):
    """What happens when an order would meet one of the same account or prevention group; the taker's
    counts."""

    ACCOUNT = 0
    """As the account's terms say (orders only)."""
    NONE = 1
    """They trade."""
    CANCEL_MAKER = 2
    CANCEL_TAKER = 3
    CANCEL_BOTH = 4
    DECREMENT = 5
    """Both lose the smaller quantity; the smaller is cancelled."""


class PairKind(IntEnum):
    """How two orders belong together: one cancels the other, or one triggers the other."""

    OCO = 1
    OTO = 2


class MatchingRule(IntEnum):
    """Who trades first at a price: the oldest, or all in proportion."""

    PRICE_TIME = 1
    PRO_RATA = 2


class RemovalRule(IntEnum):
    """What becomes of unmatched lays on the other runners when one is removed."""

    CANCEL_LAYS = 1
    REDUCE_ODDS = 2


class MarketState(IntEnum):
    """Market states; who may do what in each: ``docs/concepts/market-states.md``."""

    OPEN = 1
    HALTED = 2
    """Cancels only; goes back to OPEN or PRE_OPEN."""
    PRE_OPEN = 3
    """Orders gather for a call auction."""
    SUSPENDED = 4
    """Nothing is taken but mass cancels."""
    CANCEL_ONLY = 5
    """Cancels and reduces only."""
    CLOSING = 6
    """The book is being emptied; ends as CLOSED by itself."""
    CLOSED = 7
    SETTLED = 8
    VOIDED = 9


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


class PlaceAdvanced(NamedTuple):
    """Place an order with terms that few have; the first fields are those of `PlaceOrder`.

    ``display_lots``: what the book shows at a time (an iceberg; 0: all). ``min_lots``: what must trade at
    once, else it is cancelled (0: nothing). ``trigger_ticks`` is the price of a STOP or TAKE_PROFIT,
    ``trail_ticks`` the distance of a TRAILING one, each 0 otherwise. ``expires_ns``: UTC, of GTT only.
    ``group``: an order group of the account (`SetGroup`), or "". ``persists``: kept at the turn in-play
    (outcome markets).
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
    display_lots: int = 0
    min_lots: int = 0
    trigger: int = 0
    trigger_ticks: int = 0
    trail_ticks: int = 0
    expires_ns: int = 0
    prevention: int = 0
    group: str = ""
    persists: bool = False


class PlacePair(NamedTuple):
    """Place two orders that belong together (`PairKind`), each the wire array of a place command.

    Both have the account and ``valid_until_ns`` of the pair, and ids of their own.
    """

    command_id: str
    account: str
    valid_until_ns: int
    kind: int
    first: tuple[object, ...]
    second: tuple[object, ...]


class SubmitBatch(NamedTuple):
    """Carry out 1 to 100 places, cancels, reduces and replaces in order, each with its own outcome.

    ``commands`` are wire arrays with the batch's account and ``valid_until_ns`` and ids of their own. With
    ``atomic`` all are carried out or none; then they are cancels and reduces first, places last, no replaces.
    """

    command_id: str
    account: str
    valid_until_ns: int
    atomic: bool
    commands: tuple[tuple[object, ...], ...]


class CancelMatching(NamedTuple):
    """Cancel the account's open orders that match: market ("": any), side (0: any), price range (0: no
    bound)."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    side: int
    price_low_ticks: int
    price_high_ticks: int


class CancelAfter(NamedTuple):
    """Cancel all the account's orders ``timeout_ns`` from now unless it is sent again before; 0 ends that."""

    command_id: str
    account: str
    valid_until_ns: int
    timeout_ns: int


class SetGroup(NamedTuple):
    """Make or reset an order group: once it has traded ``lots_max`` within ``window_ns`` it trips.

    Tripped, its open orders are cancelled and new ones refused until it is set again. ``lots_max`` 0:
    remove it.
    """

    command_id: str
    account: str
    valid_until_ns: int
    group: str
    lots_max: int
    window_ns: int


class CashOut(NamedTuple):
    """Close ``share_ppm`` (1 to 1,000,000) of the account's position against the live books, all or nothing.

    ``worst_atoms``: the least result that is acceptable in any outcome afterwards.
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    share_ppm: int
    worst_atoms: int


class CreateAsset(NamedTuple):
    """Create an asset whose smallest unit (atom) is ``10**-decimals``; 0 to 18 decimals."""

    command_id: str
    account: str
    valid_until_ns: int
    asset: str
    decimals: int


class CreateMarket(NamedTuple):
    """Create a spot market (`CreateOutcomeMarket` creates the others).

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
    """Change a market's state to OPEN, HALTED, PRE_OPEN, SUSPENDED, CANCEL_ONLY or CLOSING
    (`MarketState`)."""

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


class SetMarketRules(NamedTuple):
    """Set how a market matches, and how far a limit price may be from the last trade.

    ``first_share_ppm``: of a PRO_RATA taker, the share that goes to the oldest order at the best price first.
    ``band_ppm``: largest distance from the last trade price (0: none).
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    matching: int
    first_share_ppm: int
    band_ppm: int


class SetFeeTier(NamedTuple):
    """Set the fees of a tier (1 to 9) in a spot market; a negative maker fee is a rebate, at most the
    taker's fee."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    tier: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class SetAccountTerms(NamedTuple):
    """Set what an account is: funded or not, its fee tier, its self-trade prevention.

    An unfunded account's balances may go below zero. Accounts of one ``prevention_group`` ("": none) do not
    trade with each other, as ``prevention`` of the taker says.
    """

    command_id: str
    account: str
    valid_until_ns: int
    target_account: str
    unfunded: bool
    fee_tier: int
    prevention: int
    prevention_group: str


class SetAccountLimits(NamedTuple):
    """Set an account's limits in a market (0: no limit); all 0 removes them.

    ``order_lots_max``, ``order_atoms_max``: of one order, its quantity and what it would hold.
    ``open_orders_max``: in this market. ``position_max``: spot and binary: lots net bought or sold, open
    orders counted where they add to it; odds: atoms of exposure in the outcome market.
    """

    command_id: str
    account: str
    valid_until_ns: int
    target_account: str
    market: str
    order_lots_max: int
    order_atoms_max: int
    open_orders_max: int
    position_max: int


class CreateOutcomeMarket(NamedTuple):
    """Create a binary or odds market in one asset.

    BINARY: ``runners`` is empty; the book has the market's name; ``lot_atoms`` is the payout of one lot, a
    multiple of 10,000. ODDS: 2 to 64 ``runners``, each with a book named ``market:runner``; ``lot_atoms``
    is one lot of stake, a multiple of 100. ``commission_ppm`` is taken of net winnings at settlement.
    ``house`` ("": no cross-matching) is an existing account that takes the other side of cross matches, at
    most losing ``match_loss_max_atoms`` in one and ``house_loss_max_atoms`` in the market.
    """

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    model: int
    asset: str
    runners: tuple[str, ...]
    lot_atoms: int
    qty_lots_max: int
    commission_ppm: int
    removal_rule: int
    house: str
    match_loss_max_atoms: int
    house_loss_max_atoms: int


class TurnInPlay(NamedTuple):
    """Turn an outcome market in-play: orders that do not persist are cancelled, new ones wait
    ``bet_delay_ns``."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    bet_delay_ns: int


class AddRunner(NamedTuple):
    """Add a runner to an odds market."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    runner: str


class RemoveRunner(NamedTuple):
    """Remove a runner: its bets are void; the others' are reduced by ``reduction_ppm`` from 25,000 up."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    runner: str
    reduction_ppm: int


class SettleMarket(NamedTuple):
    """Settle a closed outcome market: one winner, or several (a dead heat); YES or NO of a binary one."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    winners: tuple[str, ...]


class VoidMarket(NamedTuple):
    """Void an outcome market: every trade is undone."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str


class VoidTrades(NamedTuple):
    """Void the trades of an outcome market from ``from_ns`` to before ``to_ns`` (UTC)."""

    command_id: str
    account: str
    valid_until_ns: int
    market: str
    from_ns: int
    to_ns: int


class CancelWhere(NamedTuple):
    """Cancel all open orders that match: account ("": any), market ("": any), side (0: any), price range
    (0: none)."""

    command_id: str
    account: str
    valid_until_ns: int
    target_account: str
    market: str
    side: int
    price_low_ticks: int
    price_high_ticks: int


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
    | PlaceAdvanced
    | PlacePair
    | SubmitBatch
    | CancelMatching
    | CancelAfter
    | SetGroup
    | CashOut
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
    | SetMarketRules
    | SetFeeTier
    | SetAccountTerms
    | SetAccountLimits
    | CreateOutcomeMarket
    | TurnInPlay
    | AddRunner
    | RemoveRunner
    | SettleMarket
    | VoidMarket
    | VoidTrades
    | CancelWhere
)
"""Commands that carry an id, an account and a validity."""

Command = OutsideCommand | OpenLink | StartEngine | Continue

COMMAND_CLASSES: dict[int, type[Command]] = {
    1: PlaceOrder,
    2: CancelOrder,
    3: CancelAll,
    4: ReduceOrder,
    5: ReplaceOrder,
    6: PlaceAdvanced,
    7: PlacePair,
    8: SubmitBatch,
    9: CancelMatching,
    10: CancelAfter,
    11: SetGroup,
    12: CashOut,
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
    30: SetMarketRules,
    31: SetFeeTier,
    32: SetAccountTerms,
    33: SetAccountLimits,
    34: CreateOutcomeMarket,
    35: TurnInPlay,
    36: AddRunner,
    37: RemoveRunner,
    38: SettleMarket,
    39: VoidMarket,
    40: OpenLink,
    41: StartEngine,
    42: Continue,
    50: VoidTrades,
    51: CancelWhere,
}

COMMAND_NUMBERS: dict[type[Command], int] = {cls: number for number, cls in COMMAND_CLASSES.items()}

TRADING = frozenset(range(1, 13))
"""Wire numbers of the commands an account's own sessions may send."""

ADMIN = frozenset({*range(20, 40), 50, 51})
"""Wire numbers of the administrative commands (role ADMIN, account ``operator``)."""

CONTROL = frozenset({3, 9, 27, 28, 29, 51})
"""Wire numbers that go by the control lane: halts, mass cancels and the kill switch."""

INTERNAL = frozenset({40, 41, 42})
"""Wire numbers that no client may send."""
