"""Outcome markets as plain data and back, for images of the state, and the verification of their invariants.

Invariant: a restored market gives every account the results, needs and held funds that it had, in the order
of the accounts' first orders or trades.
"""

from typing import TYPE_CHECKING, Any, Final

from bus.commands import MarketModel, Side
from bus.events import OutcomeMarketCreated

from .outcomes import GONE, Bet, OutcomeMarket, Position, mark_short

if TYPE_CHECKING:
    from .state import State

_BUY: Final = int(Side.BUY)
_ODDS: Final = int(MarketModel.ODDS)


def outcome_row(outcome: OutcomeMarket) -> tuple[Any, ...]:
    """Return an outcome market, apart from positions and bets, as plain data."""
    return (
        tuple(outcome.spec), tuple(outcome.runners), tuple(outcome.live), outcome.created_runners,
        tuple(book.name for book in outcome.books), outcome.in_play, outcome.bet_delay_ns, outcome.anew,
        outcome.cancels_for_funds, outcome.unpaid_atoms,
        tuple((*book_side, *offer) for book_side, offer in outcome.offered.items()),
    )  # fmt: skip


def restore_outcome(state: "State", row: tuple[Any, ...]) -> None:
    """Add the outcome market of a row; its books and accounts are there already."""
    spec, runners, live, created, books, in_play, bet_delay_ns, anew, cancels, unpaid, offered = row
    outcome = OutcomeMarket(state, OutcomeMarketCreated(*spec), list(runners))
    outcome.live = list(live)
    outcome.created_runners = created
    for name in books:
        outcome.books.append(state.markets[name])
        state.markets[name].outcome = outcome
        state.markets[name].watch()
    outcome.in_play, outcome.bet_delay_ns, outcome.anew = in_play, bet_delay_ns, anew
    outcome.cancels_for_funds, outcome.unpaid_atoms = cancels, unpaid
    outcome.offered = {(book, side): (price, lots) for book, side, price, lots in offered}
    state.outcome_markets[outcome.name] = outcome


def position_row(position: Position) -> tuple[Any, ...]:
    """Return a position as plain data."""
    return (
        position.outcome.name, position.account.name, position.base, _packed(position.extra),
        position.worst_base, _packed(position.worst_extra), position.need_atoms, position.held_atoms,
        position.told_atoms, position.traded, position.account.positions.get(position.outcome.name) is None,
    )  # fmt: skip


def restore_position(state: "State", row: tuple[Any, ...]) -> None:
    """Add the position of a row; rows of a market come in the order of its positions."""
    name, account, base, extra, worst_base, worst_extra, need, held, told, traded, settled = row
    outcome = state.outcome_markets[name]
    position = outcome.open_position(state.accounts[account])
    position.base, position.worst_base = base, worst_base
    position.extra = [GONE if e is None else e for e in extra]
    position.worst_extra = [GONE if e is None else e for e in worst_extra]
    position.need_atoms, position.held_atoms, position.told_atoms = need, held, told
    position.traded = traded
    position.born_seq = 0
    if settled:
        del position.account.positions[name]


def restore_shortfalls(state: "State") -> None:
    """Count every account's shortfalls, after all else is restored."""
    for account in state.accounts.values():
        mark_short(account, state)


def _packed(extra: list[int]) -> tuple[int | None, ...]:
    return tuple(None if e >= GONE else e for e in extra)


def bet_row(name: str, bet: Bet) -> tuple[Any, ...]:
    """Return a bet of an outcome market as plain data."""
    return (
        name, bet.time_ns, bet.runner, bet.backer.name, bet.layer.name, bet.win_atoms, bet.stake_atoms,
        bet.void,
    )  # fmt: skip


def restore_bet(state: "State", row: tuple[Any, ...]) -> None:
    """Add the bet of a row."""
    name, time_ns, runner, backer, layer, win, stake, void = row
    bet = Bet(time_ns, runner, state.accounts[backer], state.accounts[layer], win, stake)
    bet.void = void
    state.outcome_markets[name].bets.append(bet)


def check(state: "State") -> None:
    """Verify every position against its bets and open orders; O(bets + orders)."""
    for outcome in state.outcome_markets.values():
        _check_outcome(outcome)
    for account in state.accounts.values():
        short = sum(p.need_atoms > p.held_atoms for p in account.positions.values())
        owes = not account.unfunded and any(b.available < 0 for b in account.balances.values())
        assert account.shortfalls == short + owes, (account.name, account.shortfalls, short, owes)
        assert not account.shortfalls or account.name in state.short


def _check_outcome(outcome: OutcomeMarket) -> None:
    size, live = len(outcome.runners), outcome.live
    matched = [[0] * size for _ in outcome.positions]
    worst = [[0] * size for _ in outcome.positions]
    number = {position.account.name: position.number for position in outcome.positions}
    last_ns = 0
    for bet in outcome.bets:
        assert bet.time_ns >= last_ns
        last_ns = bet.time_ns
        for name, sign in ((bet.backer.name, 1), (bet.layer.name, -1)):
            for results in (matched[number[name]], worst[number[name]]):
                _add_result(results, bet.runner, sign * bet.win_atoms, -sign * bet.stake_atoms)
    for at, position in enumerate(outcome.positions):
        assert position.number == at
        for book in outcome.books:
            for order in position.account.chains.get(book.name) or ():
                lays = (order.side == _BUY) == (book.model == _ODDS)
                loss = -order.held_atoms
                pair = order.terms.pair if order.terms is not None else None
                if pair is not None and pair.first is order:
                    loss += pair.shared_atoms
                _add_result(worst[at], book.runner, *((loss, 0) if lays else (0, loss)))
        found, found_worst = position.results(), position.worst_results()
        assert [found[k] for k in live] == [matched[at][k] for k in live], position.account.name
        assert [found_worst[k] for k in live] == [worst[at][k] for k in live], position.account.name
        if position.account.positions.get(outcome.name) is position and at < outcome.anew:
            assert position.need_atoms == position.worst_case() >= position.held_atoms >= 0
    for runner in live:
        assert sum(position.results()[runner] for position in outcome.positions) == 0


def _add_result(results: list[int], runner: int, if_it_wins: int, if_not: int) -> None:
    for other in range(len(results)):
        results[other] += if_it_wins if other == runner else if_not
