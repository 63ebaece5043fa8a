"""Units: decimal strings at the edges, integers inside; exact, or a typed error.

Invariant: no float and no rounding. A price, quantity or amount that is not a whole number of ticks,
lots or atoms is refused, never brought to the nearest.
"""

import re
from decimal import Decimal

from .commands import INT_MAX
from .errors import Code, FormError
from .events import MarketCreated

_is_decimal = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?").fullmatch


def parse_decimal(text: str, name: str) -> tuple[int, int]:
    """Return ``(mantissa, decimals)`` of a plain decimal string such as ``"12.50"``: (1250, 2).

    Raises
    ------
    FormError
        WRONG_TYPE for what is not a string of digits with at most one point (no sign, no exponent).
    """
    if type(text) is not str or not _is_decimal(text):
        raise FormError(
            Code.WRONG_TYPE, f"expected {name} as a decimal string such as '12.50', was {text!r:.60}"
        )
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


def _scaled(text: str, name: str, numerator: int, denominator: int, code: Code, unit: str) -> int:
    """Return ``text * numerator / denominator`` if that is a whole number within the wire's range."""
    mantissa, decimals = parse_decimal(text, name)
    scale: int = 10**decimals
    value, rest = divmod(mantissa * numerator, denominator * scale)
    if rest:
        raise FormError(code, f"expected {name} as a multiple of {unit}, was {text}")
    if value > INT_MAX:
        raise FormError(Code.OUT_OF_RANGE, f"expected {name} of at most {INT_MAX} units, was {text}")
    return value


def atoms_from(text: str, asset_decimals: int, name: str = "amount") -> int:
    """Return an amount in atoms of an asset with ``asset_decimals`` decimals."""
    atom = format_units(1, asset_decimals)
    return _scaled(text, name, 10**asset_decimals, 1, Code.TOO_MANY_DECIMALS, atom)


def format_units(value: int, decimals: int) -> str:
    """Return ``value * 10**-decimals`` as a plain decimal string without trailing zeros."""
    text = f"{Decimal(value).scaleb(-decimals):f}" if abs(value) < 10**27 else _long(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _long(value: int, decimals: int) -> str:
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(decimals + 1, "0")
    return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)


class MarketUnits:
    """Conversions of one market between decimal strings and ticks, lots and quote atoms.

    Parameters
    ----------
    market
        The market's creation event.
    base_decimals, quote_decimals
        Decimals of its assets (0 to 18).
    """

    def __init__(self, market: MarketCreated, base_decimals: int, quote_decimals: int) -> None:
        self.market = market
        self.base_decimals = base_decimals
        self.quote_decimals = quote_decimals
        self.tick_size = format_units(market.tick_mantissa, market.tick_decimals)
        self.lot_size = format_units(market.lot_atoms, base_decimals)

    def price_ticks(self, text: str) -> int:
        """Return a price in ticks; OFF_TICK when it is not a multiple of the tick size."""
        market = self.market
        return _scaled(
            text,
            "price",
            10**market.tick_decimals,
            market.tick_mantissa,
            Code.OFF_TICK,
            f"the tick size {self.tick_size}",
        )

    def qty_lots(self, text: str) -> int:
        """Return a quantity in lots; OFF_LOT when it is not a multiple of the lot size."""
        return _scaled(
            text,
            "quantity",
            10**self.base_decimals,
            self.market.lot_atoms,
            Code.OFF_LOT,
            f"the lot size {self.lot_size}",
        )

    def budget_atoms(self, text: str) -> int:
        """Return a quote budget in atoms."""
        return atoms_from(text, self.quote_decimals, "budget")

    def price(self, price_ticks: int) -> str:
        """Return a price in ticks as a decimal string."""
        return format_units(price_ticks * self.market.tick_mantissa, self.market.tick_decimals)

    def qty(self, qty_lots: int) -> str:
        """Return a quantity in lots as a decimal string."""
        return format_units(qty_lots * self.market.lot_atoms, self.base_decimals)
