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
    SELF_TRADE = 11
    MIN_QTY = 12
    EXPIRED = 13
    PAIRED = 14
    """The other order of its pair was filled, triggered or cancelled."""
    GROUP_TRIPPED = 15
    CANCEL_AFTER = 16
    LAPSED = 17
    """It did not persist at the turn in-play."""
    MARKET_CLOSING = 18
    RUNNER_REMOVED = 19
    POST_ONLY = 20
    """It would have crossed when it came to the book (an atomic batch, a trigger, an auction)."""
    FUNDS = 21
    """Its account's shortfall does not allow it to stay."""
    DUST = 22
    """What is left of an implied taker is less than one lot."""


class Waits(IntEnum):
    """What an accepted order waits for before it goes to the book."""

    NOTHING = 0
    TRIGGER = 1
    PAIR = 2
    """The first order of its pair (OTO) must be filled."""
    BET_DELAY = 3


class TradeKind(IntEnum):
    """How two orders met: in one book, over the other runner's book, or through the house account."""

    DIRECT = 0
    IMPLIED = 1
    CROSS = 2


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
    """A market exists and is open. ``unit_atoms``: quote atoms of one tick times one lot.

    ``model`` is a `bus.commands.MarketModel`. The book of a binary market or of a runner has ``base`` equal
    to ``quote``, the name of its ``outcome_market``, and its number ``runner`` there (0: the first).
    """

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
    model: int = 1
    outcome_market: str = ""
    runner: int = 0


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
    """The state of a spot market or a whole outcome market changed (`bus.commands.MarketState`)."""

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

    In an outcome market no funds move before settlement: ``refund_atoms`` and ``maker_released_atoms`` (0
    in spot) are what the trade made available again of the taker's and the maker's held funds. ``kind`` is
    a `TradeKind`: an IMPLIED trade is in the maker's book, runner, odds and stake, its taker's order in the
    other runner's book; a CROSS trade has the house account as maker or taker, with order id 0. A maker's
    left quantity includes what an iceberg hides. A negative ``maker_fee_atoms`` is a rebate in the asset
    that the taker receives.
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
    maker_released_atoms: int = 0
    kind: int = 0


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


class OrderTermsSet(NamedTuple):
    """The terms of an order placed by `bus.commands.PlaceAdvanced` or waiting (``waits``: `Waits`).

    It follows the order's OrderAccepted. ``trigger_ticks`` of a trailing stop is its first one;
    ``expires_ns`` is set for GTT and DAY.
    """

    account: str
    account_seq: int
    market: str
    order_id: int
    display_lots: int
    min_lots: int
    trigger: int
    trigger_ticks: int
    trail_ticks: int
    expires_ns: int
    prevention: int
    group: str
    persists: bool
    waits: int


class OrderTriggered(NamedTuple):
    """An order that waited goes to the book (``waited``: `Waits`); what it does there follows."""

    account: str
    account_seq: int
    market: str
    order_id: int
    waited: int


class PairPlaced(NamedTuple):
    """Two orders are a pair (`bus.commands.PairKind`); ``released_atoms``: held less than their sum (OCO)."""

    account: str
    account_seq: int
    market: str
    command_id: str
    kind: int
    first_order_id: int
    second_order_id: int
    side: int
    released_atoms: int


class SelfTradePrevented(NamedTuple):
    """Two orders of one account or prevention group did not trade (``mode``: `bus.commands.Prevention`).

    For DECREMENT, ``lots`` are taken off both: the taker has ``taker_left_lots`` left and
    ``taker_released_atoms`` of its hold are available again; the maker's OrderReduced or OrderCancelled
    follows. Other modes: ``lots`` and ``taker_released_atoms`` are 0, and the cancels follow.
    """

    market: str
    maker_account: str
    maker_order_id: int
    account: str
    account_seq: int
    order_id: int
    side: int
    mode: int
    lots: int
    taker_left_lots: int
    taker_released_atoms: int


class AuctionIndicated(NamedTuple):
    """What an uncross would do now: ``lots`` at ``price_ticks`` (both 0: nothing).

    ``imbalance_lots``: what would be left at that price, positive of buyers, negative of sellers.
    """

    market: str
    price_ticks: int
    lots: int
    imbalance_lots: int


class AuctionTraded(NamedTuple):
    """Two orders traded in an uncross; there is no taker side, and both pay the maker fee.

    The buyer's level is at ``buy_price_ticks`` and now shows ``buy_level_lots``, the seller's likewise.
    ``buy_refund_atoms`` (and in outcome markets ``sell_released_atoms``) became available again. In an
    account's private stream the other side is blanked.
    """

    market: str
    trade_id: int
    price_ticks: int
    qty_lots: int
    buy_account: str
    buy_account_seq: int
    buy_order_id: int
    buy_left_lots: int
    buy_fee_atoms: int
    buy_price_ticks: int
    buy_level_lots: int
    buy_refund_atoms: int
    sell_account: str
    sell_account_seq: int
    sell_order_id: int
    sell_left_lots: int
    sell_fee_atoms: int
    sell_price_ticks: int
    sell_level_lots: int
    sell_released_atoms: int
    market_seq: int


class AuctionDone(NamedTuple):
    """An uncross ended: ``lots`` traded at ``price_ticks`` (both 0: none)."""

    market: str
    price_ticks: int
    lots: int


class MarketRulesSet(NamedTuple):
    """A market's rules (`bus.commands.SetMarketRules`)."""

    market: str
    matching: int
    first_share_ppm: int
    band_ppm: int


class FeeTierSet(NamedTuple):
    """The fees of a tier in a market."""

    market: str
    tier: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class AccountTermsSet(NamedTuple):
    """An account's terms (`bus.commands.SetAccountTerms`)."""

    account: str
    account_seq: int
    unfunded: bool
    fee_tier: int
    prevention: int
    prevention_group: str


class AccountLimitsSet(NamedTuple):
    """An account's limits in a market (`bus.commands.SetAccountLimits`)."""

    account: str
    account_seq: int
    market: str
    order_lots_max: int
    order_atoms_max: int
    open_orders_max: int
    position_max: int


class CancelAfterSet(NamedTuple):
    """All orders of an account are cancelled at ``due_ns`` (UTC; 0: not)."""

    account: str
    account_seq: int
    due_ns: int


class GroupSet(NamedTuple):
    """An order group was made, reset or (``lots_max`` 0) removed."""

    account: str
    account_seq: int
    group: str
    lots_max: int
    window_ns: int


class GroupTripped(NamedTuple):
    """An order group traded ``lots`` within its window: its orders are cancelled, new ones refused."""

    account: str
    account_seq: int
    group: str
    lots: int


class BatchStarted(NamedTuple):
    """A batch of ``commands`` commands; their events follow, and `BatchDone` at the end."""

    account: str
    command_id: str
    atomic: bool
    commands: int


class BatchDone(NamedTuple):
    """The outcomes of a batch's commands in their order.

    Each ``(code, order_id, filled_lots, left_lots, detail)``; code 0: accepted.
    """

    account: str
    command_id: str
    outcomes: tuple[tuple[int, int, int, int, str], ...]


class OutcomeMarketCreated(NamedTuple):
    """An outcome market exists; the MarketCreated of each of its books follows."""

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


class InPlayTurned(NamedTuple):
    """An outcome market is in-play: bets match only ``bet_delay_ns`` after their acceptance."""

    market: str
    bet_delay_ns: int


class RunnerAdded(NamedTuple):
    """A runner was added; the MarketCreated of its book follows."""

    market: str
    runner: str


class RunnerRemoved(NamedTuple):
    """A runner was removed: its bets are void; those on others were reduced by ``reduction_ppm`` (0: not)."""

    market: str
    runner: str
    reduction_ppm: int


class BestOffered(NamedTuple):
    """The best that a book offers beyond its direct orders has changed (``kind``: IMPLIED or CROSS).

    ``side`` is the side of the orders that it stands for: BACK levels serve who lays. ``lots`` 0: there is
    none.
    """

    market: str
    kind: int
    side: int
    price_ticks: int
    lots: int


class ExposureChanged(NamedTuple):
    """Held funds of an account changed by other than its orders and trades (a removed runner, a void).

    ``held_change_atoms`` went from available to held (negative: back). ``shortfall_atoms`` is what its
    exposure exceeds its held funds by: until it is 0 the account takes no new risk.
    """

    account: str
    account_seq: int
    market: str
    held_change_atoms: int
    shortfall_atoms: int


class PositionSettled(NamedTuple):
    """An account's position in an outcome market is settled.

    ``released_atoms`` went from held to available; then ``net_atoms`` (negative: a loss) less
    ``commission_atoms``, which the fee account receives, was added to available.
    """

    account: str
    account_seq: int
    market: str
    released_atoms: int
    net_atoms: int
    commission_atoms: int


class MarketSettled(NamedTuple):
    """An outcome market is settled (``winners``; none: voided) for ``accounts`` accounts.

    ``dust_atoms``: what the rounding of dead heats left, which the house or else the fee account received.
    """

    market: str
    winners: tuple[str, ...]
    accounts: int
    dust_atoms: int


class TradesVoided(NamedTuple):
    """The ``trades`` of an outcome market from ``from_ns`` to before ``to_ns`` are void."""

    market: str
    from_ns: int
    to_ns: int
    trades: int


class CashedOut(NamedTuple):
    """A position was closed by a share: its results in all outcomes, in atoms, before and after."""

    account: str
    account_seq: int
    market: str
    command_id: str
    share_ppm: int
    before_atoms: tuple[int, ...]
    after_atoms: tuple[int, ...]


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
    | OrderTermsSet
    | OrderTriggered
    | PairPlaced
    | SelfTradePrevented
    | AuctionIndicated
    | AuctionTraded
    | AuctionDone
    | MarketRulesSet
    | FeeTierSet
    | AccountTermsSet
    | AccountLimitsSet
    | CancelAfterSet
    | GroupSet
    | GroupTripped
    | BatchStarted
    | BatchDone
    | OutcomeMarketCreated
    | InPlayTurned
    | RunnerAdded
    | RunnerRemoved
    | BestOffered
    | ExposureChanged
    | PositionSettled
    | MarketSettled
    | TradesVoided
    | CashedOut
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
    28: OrderTermsSet,
    29: OrderTriggered,
    30: PairPlaced,
    31: SelfTradePrevented,
    32: AuctionIndicated,
    33: AuctionTraded,
    34: AuctionDone,
    35: MarketRulesSet,
    36: FeeTierSet,
    37: AccountTermsSet,
    38: AccountLimitsSet,
    39: CancelAfterSet,
    40: GroupSet,
    41: GroupTripped,
    42: BatchStarted,
    43: BatchDone,
    44: OutcomeMarketCreated,
    45: InPlayTurned,
    46: RunnerAdded,
    47: RunnerRemoved,
    48: BestOffered,
    49: ExposureChanged,
    50: PositionSettled,
    51: MarketSettled,
    52: TradesVoided,
    53: CashedOut,
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
