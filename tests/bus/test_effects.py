"""Balances derived from events alone are the engine's own, after every command."""

from collections import Counter

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bus.effects import balance_changes
from bus.events import Deposited, Event, MarketCreated, TradeExecuted, Withdrawn
from engine.exchange import Exchange
from tests.conftest import ALL
from tests.engine.sequences import LIMITS, Maker, Sequence, setup_commands


class Books:
    """Balances kept from events, as a consumer of the stream keeps them."""

    def __init__(self) -> None:
        self.markets: dict[str, MarketCreated] = {}
        self.available: Counter[tuple[str, str]] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()

    def see(self, event: Event) -> None:
        """Apply one event; only deposits and withdrawals change what there is in all."""
        if isinstance(event, MarketCreated):
            self.markets[event.market] = event
        changes = balance_changes(event, self.markets.get(getattr(event, "market", "")))
        sums: Counter[str] = Counter()
        for change in changes:
            self.available[change.account, change.asset] += change.available_atoms
            self.held[change.account, change.asset] += change.held_atoms
            sums[change.asset] += change.available_atoms + change.held_atoms
        if not isinstance(event, (Deposited, Withdrawn)):
            assert not any(sums.values()), event
        if isinstance(event, TradeExecuted):
            assert len(changes) >= 4

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
