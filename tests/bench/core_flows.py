"""Where `scripts/bench core` trades: one ground for each market model.

Invariant: everything that a model decides is at work in its flow: limits and bands that are checked and hold,
accounts that meet their own family, positions that orders add to and bets that free funds, takers that meet
the other runner's orders, takers that find nothing in their book and cross through the house.
"""

from collections.abc import Iterator

from bus.commands import (
    OPERATOR,
    Command,
    CreateAccount,
    CreateAsset,
    CreateOutcomeMarket,
    Deposit,
    MarketModel,
    MatchingRule,
    Prevention,
    RemovalRule,
    SetAccountLimits,
    SetAccountTerms,
    SetMarketRules,
)
from bus.events import CommandRejected
from engine.exchange import Exchange
from engine.ladder import rungs

from .flow import MARKET, SPOT, START_NS, Ground, account_names, founded

_UNTIL_NS = START_NS + 1_000_000_000
_FAR = 10**15
"""A limit that is checked and never met, and a deposit that is never spent."""
_HOUSE = "house"
_ODDS_GAP = 10


def _run(exchange: Exchange, commands: Iterator[Command]) -> Exchange:
    """Execute what founds a ground; none may be refused."""
    for command in commands:
        for event in exchange.execute(command, START_NS):
            if isinstance(event, CommandRejected):
                raise AssertionError(f"expected {command} to be carried out, was {event}")
    return exchange


class _Heads:
    """Ids for an operator's commands."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> tuple[str, str, int]:
        self._count += 1
        return f"ground-{self._count}", OPERATOR, _UNTIL_NS


def guarded(accounts: int) -> Exchange:
    """Return the spot market with a band, every limit set, and accounts by twos that must not trade."""
    return _run(founded(accounts), _guards(accounts))


def _guards(accounts: int) -> Iterator[Command]:
    head = _Heads()
    yield SetMarketRules(*head(), MARKET, int(MatchingRule.PRICE_TIME), 0, 500_000)
    for number, name in enumerate(account_names(accounts)):
        yield SetAccountTerms(*head(), name, False, 0, int(Prevention.CANCEL_MAKER), f"family-{number // 2}")
        yield SetAccountLimits(*head(), name, MARKET, _FAR, 10**18, 100_000, _FAR)


def binary(accounts: int) -> Exchange:
    """Return an exchange with one binary market."""
    return _run(Exchange(), _outcome(accounts, int(MarketModel.BINARY), (), False))


def two_runners(accounts: int) -> Exchange:
    """Return an exchange with an odds market of two runners, which imply each other."""
    return _run(Exchange(), _outcome(accounts, int(MarketModel.ODDS), ("A", "B"), False))


def three_runners(accounts: int) -> Exchange:
    """Return an exchange with an odds market of three runners and a house account."""
    return _run(Exchange(), _outcome(accounts, int(MarketModel.ODDS), ("A", "B", "C"), True))


def _outcome(accounts: int, model: int, runners: tuple[str, ...], house: bool) -> Iterator[Command]:
    head = _Heads()
    yield CreateAsset(*head(), "USD", 6)
    for name in [*account_names(accounts), *([_HOUSE] if house else [])]:
        yield CreateAccount(*head(), name)
        yield Deposit(*head(), name, "USD", _FAR)
    loss_max = 10**13 if house else 0
    yield CreateOutcomeMarket(
        *head(), "RACE", model, "USD", runners, 10_000, 10**6, 20_000, int(RemovalRule.REDUCE_ODDS),
        _HOUSE if house else "", loss_max, loss_max,
    )  # fmt: skip


_ODDS = rungs()

GROUNDS: dict[str, Ground] = {
    "spot": SPOT,
    "spot_limits": SPOT._replace(found=guarded),
    "binary": Ground(binary, ("RACE",), range(10_000), 5_000, 40, 2_000, (0,), 100),
    "odds_2": Ground(two_runners, ("RACE:A", "RACE:B"), _ODDS, _ODDS.index(200), 8, 60, (0, 0), 100),
    "odds_3": Ground(
        three_runners, ("RACE:A", "RACE:B", "RACE:C"), _ODDS, _ODDS.index(300), 8, 60, (0, 0, _ODDS_GAP), 100
    ),
}
"""By name: plain spot; spot with self-trade prevention, limits and a band; binary; odds with two runners
and implied matching; odds with three runners and a house, where the third
runner's book begins further from the middle."""
