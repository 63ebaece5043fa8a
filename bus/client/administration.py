"""What an operator can ask: assets, markets, accounts, keys, funds, halts and the kill switch.

Invariant: a key's secret never leaves this process; the venue gets verifiers only.
"""

import secrets
from collections.abc import Sequence
from typing import Literal

from ..commands import (
    AccountState,
    CancelMarket,
    CancelWhere,
    CreateAccount,
    CreateAsset,
    CreateKey,
    CreateMarket,
    Deposit,
    MarketState,
    MatchingRule,
    RevokeKey,
    Role,
    SetAccountLimits,
    SetAccountState,
    SetAccountTerms,
    SetFeeTier,
    SetMarketRules,
    SetMarketState,
    Withdraw,
)
from ..errors import Code, FormError
from ..scram import ITERATIONS_MIN, SALT_BYTES, make_verifier
from ..units import atoms_from, parse_decimal
from .calls import call
from .outcomes import TIME_MARK, Outcomes
from .pending import CommandAnswer
from .terms import PREVENTIONS, PreventionName, SideName, number_of
from .turns import Steps

MarketStateName = Literal["open", "halted", "pre_open", "suspended", "cancel_only", "closing"] | MarketState
_STATES: dict[object, int] = {state.name.lower(): int(state) for state in MarketState}
_STATES |= {int(state): int(state) for state in MarketState}
_MATCHING: dict[object, int] = {rule.name.lower(): int(rule) for rule in MatchingRule}


class Administration(Outcomes):
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
    def deposit(
        self, account: str, asset: str, amount: str, *, command_id: str | None = None
    ) -> Steps[CommandAnswer]:
        """Add to an account's available balance.

        With a ``command_id`` of `timed_id` it may be asked for again, by whatever process, with nothing
        changed: it is executed once, and once the id's time is over, never (EXPIRED).
        """
        atoms = atoms_from(amount, (yield from self._decimals_of(asset)))
        return (yield from self._admin(Deposit(*self._operator(command_id), account, asset, atoms)))

    @call
    def withdraw(
        self, account: str, asset: str, amount: str, *, command_id: str | None = None
    ) -> Steps[CommandAnswer]:
        """Take from an account's available balance; ``command_id`` as in `deposit`."""
        atoms = atoms_from(amount, (yield from self._decimals_of(asset)))
        return (yield from self._admin(Withdraw(*self._operator(command_id), account, asset, atoms)))

    def timed_id(self) -> str:
        """Return a new id that says until when its command may be executed.

        Not a coroutine in either client; connect before.
        """
        return f"{secrets.token_hex(6)}{TIME_MARK}{self.valid_until_ns():x}"

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

    @call
    def set_market_state(self, market: str, state: MarketStateName) -> Steps[None]:
        """Bring a market to a state: "open", "halted", "pre_open", "suspended", "cancel_only", "closing"."""
        number = number_of(state, _STATES, "a state")
        yield from self._admin(SetMarketState(*self._operator(), market, number))

    @call
    def set_market_rules(
        self, market: str, *, matching: str = "price_time", first_share_ppm: int = 0, band_ppm: int = 0
    ) -> Steps[None]:
        """Set how a market matches ("price_time", "pro_rata") and its price band; all of them at once."""
        number = number_of(matching, _MATCHING, "a matching rule")
        yield from self._admin(SetMarketRules(*self._operator(), market, number, first_share_ppm, band_ppm))

    @call
    def set_fee_tier(self, market: str, tier: int, *, maker_fee_ppm: int, taker_fee_ppm: int) -> Steps[None]:
        """Set the fees of a tier (1 to 9) in a spot market; a maker fee below 0 is a rebate."""
        yield from self._admin(SetFeeTier(*self._operator(), market, tier, maker_fee_ppm, taker_fee_ppm))

    @call
    def set_account_terms(
        self,
        account: str,
        *,
        unfunded: bool = False,
        fee_tier: int = 0,
        prevention: PreventionName = "none",
        prevention_group: str = "",
    ) -> Steps[None]:
        """Set what an account is: all of its terms at once."""
        number = number_of(prevention, PREVENTIONS, "a prevention")
        yield from self._admin(
            SetAccountTerms(*self._operator(), account, unfunded, fee_tier, number, prevention_group)
        )

    @call
    def set_account_limits(
        self,
        account: str,
        market: str = "",
        *,
        order_lots_max: int = 0,
        order_atoms_max: int = 0,
        open_orders_max: int = 0,
        position_max: int = 0,
    ) -> Steps[None]:
        """Set all of an account's limits in a market ("": where it has none of its own); 0 is no limit."""
        limits = (order_lots_max, order_atoms_max, open_orders_max, position_max)
        yield from self._admin(SetAccountLimits(*self._operator(), account, market, *limits))

    @call
    def cancel_where(
        self,
        *,
        account: str = "",
        market: str = "",
        side: SideName | None = None,
        price_low: str | None = None,
        price_high: str | None = None,
    ) -> Steps[None]:
        """Cancel every open order that matches all that is given; prices need a ``market``."""
        filters = yield from self._filters(market, side, price_low, price_high)
        in_market, number, low, high = filters
        yield from self._admin(CancelWhere(*self._operator(), account, in_market, number, low, high))
