"""Balances derived from events alone are the engine's own, after every command."""

from collections import Counter

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bus.codec import decode_event
from bus.commands import MarketModel, PairKind, Prevention, Side
from bus.effects import balance_changes
from bus.events import (
    AuctionTraded,
    Deposited,
    Event,
    ExposureChanged,
    MarketCreated,
    OutcomeMarketCreated,
    PairPlaced,
    PositionSettled,
    SelfTradePrevented,
    TradeExecuted,
    TradeKind,
    Withdrawn,
)
from engine.exchange import Exchange
from tests.bus.lives import transactions
from tests.conftest import ALL
from tests.engine.sequences import LIMITS, Maker, Sequence, setup_commands


class Books:
    """Balances kept from events, as a consumer of the stream keeps them."""

    def __init__(self) -> None:
        self.markets: dict[str, MarketCreated | OutcomeMarketCreated] = {}
        self.available: Counter[tuple[str, str]] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()

    def see(self, event: Event) -> None:
        """Apply one event; only deposits and withdrawals change what there is in all."""
        if isinstance(event, (MarketCreated, OutcomeMarketCreated)):
            self.markets[event.market] = event
        changes = balance_changes(event, self.markets.get(getattr(event, "market", "")))
        sums: Counter[str] = Counter()
        for change in changes:
            self.available[change.account, change.asset] += change.available_atoms
            self.held[change.account, change.asset] += change.held_atoms
            sums[change.asset] += change.available_atoms + change.held_atoms
        if not isinstance(event, (Deposited, Withdrawn, PositionSettled)):
            assert not any(sums.values()), event

    def of(self, account: str) -> dict[str, tuple[int, int]]:
        """Return asset: (available, held) where any."""
        assets = {asset for owner, asset in [*self.available, *self.held] if owner == account}
        have = {asset: (self.available[account, asset], self.held[account, asset]) for asset in assets}
        return {asset: both for asset, both in have.items() if any(both)}


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=1_000 if ALL else 40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_balances_from_events_are_the_engines(seed: int) -> None:
    """Summed over the events from the first one on."""
    exchange, books, sequence = Exchange(LIMITS), Books(), Sequence()
    for now_ns, command in setup_commands():
        for event in exchange.execute(command, now_ns):
            books.see(event)
    for step in Maker(seed).steps(80):
        events = exchange.execute(sequence.next_command(step), sequence.now_ns)
        sequence.saw(events)
        for event in events:
            books.see(event)
        for account in ("ann", "bob", "cat", "fees", "operator"):
            own = {asset: both for asset, both in exchange.balances(account).items() if any(both)}
            assert books.of(account) == own


@given(st.integers(0, 2**32))
@settings(max_examples=400 if ALL else 20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_they_are_so_in_every_kind_of_market(seed: int) -> None:
    """Auctions, rebates, preventions, pairs, outcome markets from bets to settlement."""
    books = Books()
    for exchange, transaction in transactions(seed, 150):
        for raw in transaction.events:
            event = decode_event(raw)
            assert event is not None
            books.see(event)
        for account in exchange.state.accounts:
            own = {asset: both for asset, both in exchange.balances(account).items() if any(both)}
            assert books.of(account) == own, (account, transaction)


SPOT = MarketCreated("BTC-USD", "BTC", "USD", 1, 0, 100, 10, 10**6, 10**6, 1_000, 2_000)
BINARY = MarketCreated(
    "rain", "USD", "USD", 1, 4, 10_000, 1, 9_999, 10**6, 0, 0, MarketModel.BINARY, "rain", 0
)
RACE = OutcomeMarketCreated("race", MarketModel.ODDS, "USD", ("a", "b"), 100, 10**6, 0, 1, "", 0, 0)
TRADE = TradeExecuted(
    "BTC-USD", 1, 50, 4, Side.BUY, "maker", 1, 7, 0, 0, "taker", 1, 9, 0, 3, 20, 5, 0
)  # fmt: skip
AUCTION = AuctionTraded(
    "BTC-USD", 1, 50, 4, "buyer", 1, 7, 0, 2, 52, 0, 80, "seller", 1, 9, 0, 3, 48, 0, 0, 5
)  # fmt: skip


def changed(event: Event, market: MarketCreated | OutcomeMarketCreated) -> dict[tuple[str, str], list[int]]:
    """Return ``[available, held]`` by account and asset."""
    sums: dict[tuple[str, str], list[int]] = {}
    for account, asset, available, held in balance_changes(event, market):
        both = sums.setdefault((account, asset), [0, 0])
        both[0] += available
        both[1] += held
    return sums


def test_a_rebate_comes_out_of_the_takers_fee() -> None:
    """The maker gets it in what the taker receives: base of a taker that buys, quote of one that sells."""
    assert changed(TRADE._replace(maker_fee_atoms=-2), SPOT) == {
        ("taker", "USD"): [20, -2_020],
        ("taker", "BTC"): [397, 0],
        ("maker", "BTC"): [2, -400],
        ("maker", "USD"): [2_000, 0],
        ("fees", "BTC"): [1, 0],
    }
    sold = TRADE._replace(taker_side=Side.SELL, maker_fee_atoms=-3, refund_atoms=0)
    assert changed(sold, SPOT) == {
        ("maker", "USD"): [3, -2_000],
        ("maker", "BTC"): [400, 0],
        ("taker", "BTC"): [0, -400],
        ("taker", "USD"): [1_997, 0],
        ("fees", "USD"): [0, 0],
    }


def test_both_sides_of_an_auction_pay_their_fee() -> None:
    """The buyer gets back what it held above the one price."""
    assert changed(AUCTION, SPOT) == {
        ("buyer", "USD"): [80, -2_080],
        ("buyer", "BTC"): [398, 0],
        ("seller", "BTC"): [0, -400],
        ("seller", "USD"): [1_997, 0],
        ("fees", "BTC"): [2, 0],
        ("fees", "USD"): [3, 0],
    }


def test_a_trade_of_an_outcome_market_only_releases() -> None:
    """Nothing is paid before the end; a house that takes on a cross match holds more."""
    trade = TRADE._replace(market="rain", taker_fee_atoms=0, maker_released_atoms=70)
    assert changed(trade, BINARY) == {("taker", "USD"): [20, -20], ("maker", "USD"): [70, -70]}
    crossed = trade._replace(refund_atoms=-15, maker_released_atoms=0, kind=TradeKind.CROSS)
    assert changed(crossed, BINARY) == {("taker", "USD"): [-15, 15]}
    uncrossed = AUCTION._replace(market="rain", buy_refund_atoms=6, sell_released_atoms=9)
    assert changed(uncrossed, BINARY) == {("buyer", "USD"): [6, -6], ("seller", "USD"): [9, -9]}


def test_a_pair_and_a_prevention_release_in_the_asset_of_their_side() -> None:
    pair = PairPlaced("ann", 3, "BTC-USD", "p", PairKind.OCO, 1, 2, Side.SELL, 40)
    assert changed(pair, SPOT) == {("ann", "BTC"): [40, -40]}
    assert changed(pair._replace(released_atoms=0), SPOT) == {}
    prevented = SelfTradePrevented(
        "BTC-USD", "ann", 1, "ann", 4, 2, Side.BUY, Prevention.DECREMENT, 3, 1, 150
    )  # fmt: skip
    assert changed(prevented, SPOT) == {("ann", "USD"): [150, -150]}


def test_exposure_and_settlement_are_in_the_asset_of_the_market() -> None:
    """By the record of the market, and by that of a binary one's book."""
    for market, record in (("race", RACE), ("rain", BINARY)):
        assert changed(ExposureChanged("ann", 3, market, 25, 0), record) == {("ann", "USD"): [-25, 25]}
        assert changed(ExposureChanged("ann", 3, market, 0, 10), record) == {}
        assert changed(PositionSettled("ann", 4, market, 500, 300, 15), record) == {
            ("ann", "USD"): [785, -500],
            ("fees", "USD"): [15, 0],
        }
        assert changed(PositionSettled("bob", 4, market, 300, -300, 0), record) == {("bob", "USD"): [0, -300]}
