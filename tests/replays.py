"""A venue of real processes, a flow of orders for it, and its reconciliation, for tests that interfere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from bus.client import Client
from bus.fleet import MODULES
from bus.replay.flow import Step, account_of
from bus.replay.player import Player
from scripts._demo import reconcile, reference
from scripts._demo.compare import BROKER_KEY, Compared, account_names, books_now, compare_all, found_venue
from scripts._demo.parts import FeedDoor
from scripts._demo.reference import MARKET
from scripts._demo.venue import OPERATOR_KEY, Venue
from tests.poll import until

ACCOUNTS = 20
MID_TICKS = 7_800_000
CLIENT_S_MAX = 90.0


def synthetic_steps(random: Random, count: int, accounts: int = ACCOUNTS) -> list[Step]:
    """Return a flow in which most rests, much is cancelled and some trades, often through several levels."""
    steps: list[Step] = []
    alive: list[Step] = []
    mid = MID_TICKS
    for order_id in range(1, count + 1):
        kind = random.random()
        if kind < 0.35 and alive:
            cancelled = alive.pop(random.randrange(len(alive)))
            steps.append(cancelled._replace(cancel=True, time_ms=order_id))
            continue
        mid += random.choice((-100, 0, 0, 100))
        side = random.choice((1, 2))
        away = random.randrange(-3, 12) if kind < 0.9 else random.randrange(-10, 0)
        price = mid - away * 100 if side == 1 else mid + away * 100
        qty = random.randrange(1, 50) * 1_000_000
        step = Step(
            False, order_id, account_of(order_id, accounts), order_id, side, price, qty,
            market=kind > 0.98, post_only=0.35 <= kind < 0.5,
        )  # fmt: skip
        steps.append(step)
        alive.append(step)
    return steps


class Replay:
    """One replay on one venue, and what it is compared with.

    Attributes
    ----------
    venue, admin
        The processes, and an administrator's session.
    steps, expected
        What is played, and what the exchange alone makes of it.
    """

    def __init__(self, venue: Venue, admin: Client, steps: Sequence[Step], accounts: int) -> None:
        self.venue = venue
        self.admin = admin
        self.steps = steps
        self.accounts = found_venue(admin, accounts, venue.secret)
        self.expected = reference.decide(steps, self.accounts)

    def client(self) -> Client:
        """Return a session that acts for all accounts (a context manager)."""
        return Client(
            self.venue.settings().endpoints.gateway, BROKER_KEY, self.venue.secret, timeout_s=CLIENT_S_MAX
        )

    def compare(self, player: Player) -> Compared:
        """Wait for every part and compare them all; nothing may differ."""
        venue, found = self.venue, reconcile.Reconciliation()
        feed = FeedDoor(venue.settings().endpoints.feed_query, venue.settings())
        try:
            books = {"at the end": books_now(venue, self.admin, feed)}
            played = reconcile.Played(self.steps, player.outcomes, self.accounts)
            compared = compare_all(found, venue, (self.admin, feed), played, self.expected, books)
        finally:
            feed.close()
        assert found.agree, "\n".join(found.differences)
        assert compared.trades == self.expected.trades
        assert len(found.checks) > 30
        return compared


@contextmanager
def replaying(
    folder: Path,
    steps: Sequence[Step],
    *overrides: str,
    without: Sequence[str] = (),
    accounts: int = ACCOUNTS,
) -> Iterator[Replay]:
    """Start a venue (all components but ``without``), make its market and accounts, play nothing yet."""
    with Venue(folder, "journal.segment_bytes=1048576", *overrides, tcp=False) as venue:
        venue.start_all([component for component in MODULES if component not in without])
        endpoint = venue.settings().endpoints.gateway
        with Client(endpoint, OPERATOR_KEY, venue.secret, timeout_s=CLIENT_S_MAX) as admin:
            yield Replay(venue, admin, steps, accounts)
            venue.check()


class Killer:
    """Kills components with kill -9 as a replay goes on, and starts each again.

    Parameters
    ----------
    random
        Chooses the moments.
    components
        Whom to kill, in this order.
    at_once
        All at the same moment instead of each at its own.
    """

    def __init__(
        self, random: Random, venue: Venue, components: Sequence[str], steps: int, *, at_once: bool = False
    ) -> None:
        moments = sorted(random.randrange(steps) for _ in components)
        if at_once:
            moments = [moments[0]] * len(moments)
        self._due = list(zip(moments, components, strict=True))
        self._venue = venue
        self.killed: list[str] = []

    def watch(self, answered: int) -> None:
        """Kill what is due by this number of answers; whatever ended otherwise is a failure."""
        killed: list[str] = []
        # One that is due twice by now has to be back in between: it is killed again the next time.
        while self._due and answered >= self._due[0][0] and self._due[0][1] not in killed:
            killed.append(self._due.pop(0)[1])
            self._venue.kill(killed[-1])
        for component in killed:
            self._venue.spawn(component)
        self.killed += killed
        self._venue.check()

    def finish(self) -> None:
        """Wait until everything runs again."""
        assert not self._due, f"expected all to be killed in time, was {self._due} left"
        for component in set(self.killed):
            until(lambda name=component: self._venue.is_ready(name), 60.0, f"{component} back")  # type: ignore[misc]


def names() -> list[str]:
    """Return the accounts of these venues."""
    return account_names(ACCOUNTS)


__all__ = ["MARKET", "Killer", "Replay", "names", "replaying", "synthetic_steps"]
