"""What a first start creates: a file of assets, markets, accounts and keys turned into commands.

Invariant: a seed is nothing special. It becomes ordinary administrative commands, journalled like any
other; after the first start the file is never read again.
"""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.commands import (
    OPERATOR,
    Command,
    CreateAccount,
    CreateAsset,
    CreateKey,
    CreateMarket,
    Deposit,
    Role,
)
from bus.errors import FormError, SettingsError
from bus.scram import make_verifier
from bus.units import atoms_from, parse_decimal

Text = Annotated[str, Field(min_length=1, max_length=32)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asset(_Strict):
    """An asset and its decimals."""

    asset: Text
    decimals: Annotated[int, Field(ge=0, le=18)]


class MarketSeed(_Strict):
    """A market in decimal strings."""

    market: Text
    base: Text
    quote: Text
    tick_size: Text
    lot_size: Text
    price_max: Text
    qty_max: Text
    maker_fee_ppm: Annotated[int, Field(ge=0, le=100_000)] = 0
    taker_fee_ppm: Annotated[int, Field(ge=0, le=100_000)] = 0


class AccountSeed(_Strict):
    """An account and its first deposits as decimal strings by asset."""

    account: Text
    deposits: dict[Text, Text] = {}


class KeySeed(_Strict):
    """A log-on key; the secret is turned into verifiers and not kept."""

    key_id: Text
    secret: Annotated[str, Field(min_length=8, max_length=256)]
    roles: tuple[Text, ...]
    accounts: tuple[Text, ...]


class Seed(_Strict):
    """The whole file."""

    assets: tuple[Asset, ...] = ()
    markets: tuple[MarketSeed, ...] = ()
    accounts: tuple[AccountSeed, ...] = ()
    keys: tuple[KeySeed, ...] = ()


def read_seed(path: Path) -> Seed:
    """Return the seed in a TOML file.

    Raises
    ------
    SettingsError
        The file cannot be read or has not the form of a seed.
    """
    try:
        return Seed.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"seed.file: expected a readable file, was {path} ({error.strerror})") from None
    except (ValidationError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"seed.file: expected a seed as in config/seed.toml, was {error}") from None


def seed_commands(
    seed: Seed, valid_until_ns: int, iterations: int, salt: Callable[[], bytes]
) -> Iterator[Command]:
    """Yield the commands that make what a seed names.

    Raises
    ------
    SettingsError
        A size or amount does not fit its asset's decimals, or a name is not defined.
    """
    numbers = iter(range(1, 1_000_000_000))

    def head() -> tuple[str, str, int]:
        return f"seed-{next(numbers)}", OPERATOR, valid_until_ns

    decimals = {asset.asset: asset.decimals for asset in seed.assets}
    try:
        for asset in seed.assets:
            yield CreateAsset(*head(), asset.asset, asset.decimals)
        for market in seed.markets:
            yield create_market(head(), market, decimals[market.base])
        for account in seed.accounts:
            yield CreateAccount(*head(), account.account)
            for name, amount in account.deposits.items():
                yield Deposit(*head(), account.account, name, atoms_from(amount, decimals[name]))
        for key in seed.keys:
            roles = sum({Role[role.upper()] for role in key.roles})
            verifier = make_verifier(key.secret, salt(), iterations)
            yield CreateKey(
                *head(), key.key_id, roles, key.accounts, verifier.salt, verifier.iterations,
                verifier.stored_key, verifier.server_key,
            )  # fmt: skip
    except (FormError, KeyError) as error:
        raise SettingsError(f"seed.file: expected names and sizes that fit, was {error}") from None


def create_market(head: tuple[str, str, int], market: MarketSeed, base_decimals: int) -> CreateMarket:
    """Return the command that creates a market given in decimal strings.

    Raises
    ------
    FormError
        A size is not exact in ticks or lots.
    """
    tick_mantissa, tick_decimals = parse_decimal(market.tick_size, "tick_size")
    lot_atoms = atoms_from(market.lot_size, base_decimals, "lot_size")
    price, price_decimals = parse_decimal(market.price_max, "price_max")
    qty = atoms_from(market.qty_max, base_decimals, "qty_max")
    if not tick_mantissa or not lot_atoms:
        raise SettingsError(f"expected sizes above 0, was {market.tick_size} and {market.lot_size}")
    price_ticks_max = price * 10**tick_decimals // (tick_mantissa * 10**price_decimals)
    return CreateMarket(
        *head, market.market, market.base, market.quote, tick_mantissa, tick_decimals, lot_atoms,
        price_ticks_max, qty // lot_atoms, market.maker_fee_ppm, market.taker_fee_ppm,
    )  # fmt: skip
