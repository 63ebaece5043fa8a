"""What an operator can ask of outcome markets: make them, turn them in-play, settle or void them.

Invariant: names and decimal strings become one command exactly here, or the call is refused before anything
is sent.
"""

import re
from collections.abc import Sequence
from typing import Any

from ..commands import (
    COMMAND_NUMBERS,
    OPERATOR,
    AddRunner,
    Command,
    CreateOutcomeMarket,
    MarketModel,
    RemovalRule,
    RemoveRunner,
    SettleMarket,
    TurnInPlay,
    VoidMarket,
    VoidTrades,
)
from ..errors import Code, FormError
from ..units import atoms_from
from .calls import Calls, call
from .pending import CommandAnswer
from .terms import Time, nanoseconds, number_of
from .turns import Steps

_MODELS: dict[object, int] = {
    model.name.lower(): int(model) for model in (MarketModel.BINARY, MarketModel.ODDS)
}
_REMOVALS: dict[object, int] = {rule.name.lower(): int(rule) for rule in RemovalRule}

TIME_MARK = "-t"
_until_of = re.compile(rf"[0-9a-f]{{12}}{TIME_MARK}([0-9a-f]{{16}})").fullmatch


class Outcomes(Calls):
    """The calls of a session with the role admin about binary and odds markets."""

    @call
    def create_outcome_market(
        self,
        market: str,
        asset: str,
        *,
        runners: Sequence[str] = (),
        lot_size: str,
        qty_max: str,
        model: str | None = None,
        commission_ppm: int = 0,
        removal_rule: str = "cancel_lays",
        house: str = "",
        match_loss_max: str = "0",
        house_loss_max: str = "0",
    ) -> Steps[None]:
        """Create a binary market, or with ``runners`` an odds market.

        ``lot_size``: the payout of one binary contract, or the step of stakes; ``qty_max``: of one order;
        both in the asset, as are the most that the ``house`` account may lose in one cross match and in all.
        """
        decimals = yield from self._decimals_of(asset)
        lot_atoms = atoms_from(lot_size, decimals, "lot_size")
        if not lot_atoms:
            raise FormError(Code.OUT_OF_RANGE, f"expected a lot size above 0, was {lot_size}")
        kind = model if model is not None else "odds" if runners else "binary"
        command = CreateOutcomeMarket(
            *self._operator(),
            market,
            number_of(kind, _MODELS, "a model"),
            asset,
            tuple(runners),
            lot_atoms,
            atoms_from(qty_max, decimals, "qty_max") // lot_atoms,
            commission_ppm,
            number_of(removal_rule, _REMOVALS, "a removal rule"),
            house,
            atoms_from(match_loss_max, decimals, "match_loss_max"),
            atoms_from(house_loss_max, decimals, "house_loss_max"),
        )
        yield from self._admin(command)
        yield from self._load_markets()

    @call
    def turn_in_play(self, market: str, *, bet_delay_s: float = 0.0) -> Steps[None]:
        """Turn a market in-play: orders that do not persist are cancelled, new ones wait ``bet_delay_s``."""
        if type(bet_delay_s) not in (int, float) or not 0 <= bet_delay_s <= 60:
            raise FormError(Code.OUT_OF_RANGE, f"expected a delay of 0 to 60 s, was {bet_delay_s!r:.40}")
        yield from self._admin(TurnInPlay(*self._operator(), market, round(bet_delay_s * 1e9)))

    @call
    def add_runner(self, market: str, runner: str) -> Steps[None]:
        """Add a runner to an odds market that is halted or suspended."""
        yield from self._admin(AddRunner(*self._operator(), market, runner))
        yield from self._load_markets()

    @call
    def remove_runner(self, market: str, runner: str, *, reduction_ppm: int = 0) -> Steps[None]:
        """Remove a runner: bets on it are void, the winnings of bets on the others are reduced."""
        yield from self._admin(RemoveRunner(*self._operator(), market, runner, reduction_ppm))

    @call
    def settle(self, market: str, *winners: str) -> Steps[None]:
        """Settle a closed market; several winners are a dead heat. A binary market's are YES or NO."""
        yield from self._admin(SettleMarket(*self._operator(), market, winners))

    @call
    def void_market(self, market: str) -> Steps[None]:
        """Void a closed market: every trade is undone."""
        yield from self._admin(VoidMarket(*self._operator(), market))

    @call
    def void_trades(self, market: str, start: Time, end: Time) -> Steps[None]:
        """Void a market's trades from ``start`` to before ``end``."""
        times = nanoseconds(start, "start"), nanoseconds(end, "end")
        yield from self._admin(VoidTrades(*self._operator(), market, *times))

    def _operator(self, command_id: str | None = None) -> tuple[str, str, int]:
        """Return the first fields of an administrative command; a given id says until when it is valid."""
        if command_id is None:
            return self.next_id(), OPERATOR, self.valid_until_ns()
        found = _until_of(command_id) if isinstance(command_id, str) else None
        if found is None:
            raise FormError(Code.OUT_OF_RANGE, f"expected an id of timed_id, was {command_id!r:.40}")
        return command_id, OPERATOR, int(found[1], 16)

    def _admin(self, command: Command) -> Steps[CommandAnswer]:
        fields: tuple[Any, ...] = (COMMAND_NUMBERS[type(command)], *command)
        return (yield from self._command(fields))
