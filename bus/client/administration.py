"""What an operator can ask: assets, markets, accounts, keys, funds, halts and the kill switch.

Invariant: a key's secret never leaves this process; the venue gets verifiers only.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from ..commands import (
    COMMAND_NUMBERS,
    OPERATOR,
    AccountState,
    CancelMarket,
    Command,
    CreateAccount,
    CreateAsset,
    CreateKey,
    CreateMarket,
    Deposit,
    MarketState,
    RevokeKey,
    Role,
    SetAccountState,
    SetMarketState,
    Withdraw,
)
from ..errors import Code, FormError
from ..scram import ITERATIONS_MIN, SALT_BYTES, make_verifier
from ..units import atoms_from, parse_decimal
from .calls import Calls, call
from .pending import CommandAnswer
from .turns import Steps


class Administration(Calls):
    """The calls of a session with the role admin; each raises `Rejected` when the engine refuses it."""

    @call
    def create_asset(self, asset: str, decimals: int) -> Steps[None]:
        """Create an asset whose smallest unit is ``10**-decimals``."""
        yield from self._admin(CreateAsset(*self._operator(), asset, decimals))

    @call
    def create_market(
        self,
        market: str,
        base: str,
        quote: str,
        *,
        tick_size: str,
        lot_size: str,
        price_max: str,
        qty_max: str,
        maker_fee_ppm: int = 0,
        taker_fee_ppm: int = 0,
    ) -> Steps[None]:
        """Create a market; ``tick_size * lot_size`` must be a whole number of quote atoms."""
        base_decimals = yield from self._decimals_of(base)
        mantissa, decimals = parse_decimal(tick_size, "tick_size")
        while decimals and mantissa % 10 == 0:
            mantissa, decimals = mantissa // 10, decimals - 1
        lot_atoms = atoms_from(lot_size, base_decimals, "lot_size")
        if not mantissa or not lot_atoms:
            raise FormError(Code.OUT_OF_RANGE, "expected a tick size and a lot size above 0, was 0")
        price_mantissa, price_decimals = parse_decimal(price_max, "price_max")
        command = CreateMarket(
            *self._operator(),
            market,
            base,
            quote,
            mantissa,
            decimals,
            lot_atoms,
            price_mantissa * 10**decimals // (mantissa * 10**price_decimals),
            atoms_from(qty_max, base_decimals, "qty_max") // lot_atoms,
            maker_fee_ppm,
            taker_fee_ppm,
        )
        yield from self._admin(command)
        yield from self._load_markets()

    @call
    def create_account(self, account: str) -> Steps[None]:
        """Create an account."""
        yield from self._admin(CreateAccount(*self._operator(), account))

    @call
    def create_key(
        self,
        key_id: str,
        secret: str,
        *,
        accounts: Sequence[str],
        roles: int = Role.READER | Role.TRADER,
        iterations: int = ITERATIONS_MIN,
    ) -> Steps[None]:
        """Create a log-on key for accounts; keep the secret, the venue never has it."""
        verifier = make_verifier(secret, secrets.token_bytes(SALT_BYTES), iterations)
        yield from self._admin(
            CreateKey(
                *self._operator(),
                key_id,
                int(roles),
                tuple(accounts),
                verifier.salt,
                verifier.iterations,
                verifier.stored_key,
                verifier.server_key,
            )
        )

    @call
    def revoke_key(self, key_id: str) -> Steps[None]:
        """Revoke a key; its sessions end."""
        yield from self._admin(RevokeKey(*self._operator(), key_id))

    @call
    def deposit(self, account: str, asset: str, amount: str) -> Steps[None]:
        """Add to an account's available balance."""
        atoms = atoms_from(amount, (yield from self._decimals_of(asset)))
        yield from self._admin(Deposit(*self._operator(), account, asset, atoms))

    @call
    def withdraw(self, account: str, asset: str, amount: str) -> Steps[None]:
        """Take from an account's available balance."""
        atoms = atoms_from(amount, (yield from self._decimals_of(asset)))
        yield from self._admin(Withdraw(*self._operator(), account, asset, atoms))

    @call
    def halt(self, market: str) -> Steps[None]:
        """Halt a market: only cancels are taken."""
        yield from self._admin(SetMarketState(*self._operator(), market, int(MarketState.HALTED)))

    @call
    def open(self, market: str) -> Steps[None]:
        """Open a market again."""
        yield from self._admin(SetMarketState(*self._operator(), market, int(MarketState.OPEN)))

    @call
    def cancel_market(self, market: str) -> Steps[None]:
        """Cancel every order of a market, whoever owns it."""
        yield from self._admin(CancelMarket(*self._operator(), market))

    @call
    def block_account(self, account: str) -> Steps[None]:
        """Block an account (the kill switch): its orders are cancelled, only cancels are taken."""
        yield from self._admin(SetAccountState(*self._operator(), account, int(AccountState.BLOCKED)))

    @call
    def activate_account(self, account: str) -> Steps[None]:
        """Let a blocked account trade again."""
        yield from self._admin(SetAccountState(*self._operator(), account, int(AccountState.ACTIVE)))

    def _operator(self) -> tuple[str, str, int]:
        return self.next_id(), OPERATOR, self.valid_until_ns()

    def _admin(self, command: Command) -> Steps[CommandAnswer]:
        fields: tuple[Any, ...] = (COMMAND_NUMBERS[type(command)], *command)
        return (yield from self._command(fields))
