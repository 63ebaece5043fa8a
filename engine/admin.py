"""Administration: assets, markets, accounts, keys and funds are state made by journalled commands.

Invariant: every creation is bounded by a maximum, every number of a market is checked once here so that
no later product of price, quantity and unit leaves 63 bits.
"""

from bus.commands import (
    INT_MAX,
    CreateAccount,
    CreateAsset,
    CreateKey,
    CreateMarket,
    Deposit,
    RevokeKey,
    Withdraw,
)
from bus.errors import Code
from bus.events import (
    AccountCreated,
    AssetCreated,
    Deposited,
    KeyCreated,
    KeyRevoked,
    MarketCreated,
    Withdrawn,
)

from .accounts import Account
from .book import Market
from .state import Refusal, State
from .trading import Done

_NOTHING: Done = (0, 0, 0)


class Admin:
    """Carries out the administrative commands."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_asset(self, _: Account, command: CreateAsset) -> Done:
        """Create an asset."""
        state = self._state
        _refuse_existing("asset", command.asset, command.asset in state.assets)
        _refuse_full("assets", len(state.assets), state.limits.assets_max)
        if not 0 <= command.decimals <= 18:
            raise Refusal(Code.INVALID_MARKET, f"expected 0 to 18 decimals, was {command.decimals}")
        state.assets[command.asset] = command.decimals
        state.issued[command.asset] = 0
        state.emit(AssetCreated(command.asset, command.decimals))
        return _NOTHING

    def create_market(self, _: Account, command: CreateMarket) -> Done:
        """Create a market after checking its numbers."""
        state = self._state
        _refuse_existing("market", command.market, command.market in state.markets)
        _refuse_full("markets", len(state.markets), state.limits.markets_max)
        base_decimals = state.asset_decimals(command.base)
        quote_decimals = state.asset_decimals(command.quote)
        if command.base == command.quote:
            raise Refusal(Code.INVALID_MARKET, f"expected two different assets, was {command.base} twice")
        numbers = (command.tick_mantissa, command.lot_atoms, command.price_ticks_max, command.qty_lots_max)
        fees = (command.maker_fee_ppm, command.taker_fee_ppm)
        if min(numbers) < 1 or not 0 <= command.tick_decimals <= 18 or min(fees) < 0 or max(fees) > 100_000:
            raise Refusal(
                Code.INVALID_MARKET, f"expected sizes above 0 and fees to 100000 ppm, was {command}"
            )
        unit, rest = divmod(
            command.tick_mantissa * command.lot_atoms * 10**quote_decimals,
            10 ** (command.tick_decimals + base_decimals),
        )
        if rest or not unit:
            raise Refusal(
                Code.INVALID_MARKET,
                f"expected tick size times lot size as a whole number of {command.quote} atoms, was {unit}"
                f" and a fraction",
            )
        largest = command.price_ticks_max * command.qty_lots_max * unit
        if max(largest, command.qty_lots_max * command.lot_atoms) > INT_MAX:
            raise Refusal(
                Code.INVALID_MARKET, f"expected the largest order within {INT_MAX} atoms, was {largest}"
            )
        spec = MarketCreated(
            command.market, command.base, command.quote, command.tick_mantissa, command.tick_decimals,
            command.lot_atoms, unit, command.price_ticks_max, command.qty_lots_max,
            command.maker_fee_ppm, command.taker_fee_ppm,
        )  # fmt: skip
        state.add_book(Market(spec))
        state.emit(spec)
        return _NOTHING

    def create_account(self, _: Account, command: CreateAccount) -> Done:
        """Create an account."""
        state = self._state
        _refuse_existing("account", command.new_account, command.new_account in state.accounts)
        _refuse_full("accounts", len(state.accounts), state.limits.accounts_max)
        state.accounts[command.new_account] = Account(command.new_account)
        state.emit(AccountCreated(command.new_account))
        return _NOTHING

    def create_key(self, _: Account, command: CreateKey) -> Done:
        """Create a log-on key."""
        state = self._state
        _refuse_existing("key", command.key_id, command.key_id in state.keys)
        _refuse_full("keys", len(state.keys), state.limits.keys_max)
        for name in command.accounts:
            state.account(name)
        key = KeyCreated(*command[3:])
        state.keys[key.key_id] = key
        state.emit(key)
        return _NOTHING

    def revoke_key(self, _: Account, command: RevokeKey) -> Done:
        """Revoke a log-on key."""
        if self._state.keys.pop(command.key_id, None) is None:
            raise Refusal(Code.UNKNOWN_KEY, f"expected a key that exists, was {command.key_id}")
        self._state.emit(KeyRevoked(command.key_id))
        return _NOTHING

    def deposit(self, _: Account, command: Deposit) -> Done:
        """Add funds to an account."""
        state = self._state
        account = state.account(command.to_account)
        state.asset_decimals(command.asset)
        room = INT_MAX - state.issued[command.asset]
        if not 0 < command.amount_atoms <= room:
            raise Refusal(
                Code.AMOUNT_OUT_OF_RANGE,
                f"expected an amount from 1 to {room} atoms, was {command.amount_atoms}",
            )
        state.issued[command.asset] += command.amount_atoms
        account.balance(command.asset).available += command.amount_atoms
        account.seq += 1
        state.emit(Deposited(account.name, account.seq, command.asset, command.amount_atoms))
        return _NOTHING

    def withdraw(self, _: Account, command: Withdraw) -> Done:
        """Take available funds from an account."""
        state = self._state
        account = state.account(command.from_account)
        state.asset_decimals(command.asset)
        if account.shortfalls:
            raise Refusal(Code.SHORTFALL, f"expected an account without shortfall, was {account.name}")
        available = account.balance(command.asset).available
        if not 0 < command.amount_atoms <= available:
            raise Refusal(
                Code.INSUFFICIENT_FUNDS,
                f"expected an amount from 1 to {available} atoms, was {command.amount_atoms}",
            )
        state.issued[command.asset] -= command.amount_atoms
        account.balance(command.asset).available -= command.amount_atoms
        account.seq += 1
        state.emit(Withdrawn(account.name, account.seq, command.asset, command.amount_atoms))
        return _NOTHING


def _refuse_existing(what: str, name: str, exists: bool) -> None:
    if exists:
        raise Refusal(Code.ALREADY_EXISTS, f"expected a new {what}, was {name} which exists")


def _refuse_full(what: str, count: int, count_max: int) -> None:
    if count >= count_max:
        raise Refusal(Code.TOO_MANY_ENTRIES, f"expected fewer than {count_max} {what}, was {count}")
