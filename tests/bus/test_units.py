"""Units: decimal strings become whole ticks, lots and atoms exactly, or are refused; never rounded."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus.commands import INT_MAX
from bus.errors import Code, FormError
from bus.events import MarketCreated
from bus.units import MarketUnits, atoms_from, format_units, parse_decimal

DECIMALS = st.integers(0, 18)
AMOUNTS = st.integers(0, INT_MAX) | st.sampled_from([0, 1, 10, 100, 10**18, INT_MAX])
TEXTS = st.from_regex(r"[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True)


def market(tick_mantissa: int, tick_decimals: int, lot_atoms: int) -> MarketCreated:
    """Return a market of these sizes."""
    sizes = (tick_mantissa, tick_decimals, lot_atoms, 1, INT_MAX, INT_MAX, 0, 0)
    return MarketCreated("BTC-USD", "BTC", "USD", *sizes)


UNITS = st.builds(
    lambda mantissa, decimals, lot, base, quote: MarketUnits(market(mantissa, decimals, lot), base, quote),
    st.sampled_from([1, 5, 25, 100]),
    DECIMALS,
    st.sampled_from([1, 10, 250, 10**8]),
    DECIMALS,
    DECIMALS,
)
BTC_USD = MarketUnits(market(1, 2, 1_000), 8, 2)


def refusal(parse: object, text: object) -> FormError:
    """Return why a text is refused."""
    assert callable(parse)
    with pytest.raises(FormError) as caught:
        parse(text)
    assert caught.value.detail.startswith("expected ") and ", was " in caught.value.detail
    return caught.value


@given(AMOUNTS, DECIMALS)
def test_atoms_come_back_the_same(atoms: int, decimals: int) -> None:
    """Out as text and in again, for every number of decimals."""
    assert atoms_from(format_units(atoms, decimals), decimals) == atoms


@given(UNITS, AMOUNTS)
def test_prices_and_quantities_come_back_the_same(units: MarketUnits, n: int) -> None:
    """Out as text and in again, for every tick and lot size."""
    assert units.price_ticks(units.price(n)) == n
    assert units.qty_lots(units.qty(n)) == n
    assert Fraction(units.price(n)) == n * Fraction(units.tick_size)
    assert Fraction(units.qty(n)) == n * Fraction(units.lot_size)


@given(UNITS, TEXTS)
def test_a_text_is_exact_or_refused(units: MarketUnits, text: str) -> None:
    """Against fractions: whole and in range, or the error that says which of the two it is not."""
    quote_atom = Fraction(1, 10**units.quote_decimals)
    for parse, step, off in (
        (units.price_ticks, Fraction(units.tick_size), Code.OFF_TICK),
        (units.qty_lots, Fraction(units.lot_size), Code.OFF_LOT),
        (units.budget_atoms, quote_atom, Code.TOO_MANY_DECIMALS),
    ):
        exact = Fraction(text) / step
        if exact.denominator != 1:
            assert refusal(parse, text).code is off
        elif exact > INT_MAX:
            assert refusal(parse, text).code is Code.OUT_OF_RANGE
        else:
            assert parse(text) == exact


@given(st.integers(-(10**40), 10**40), DECIMALS)
@example(-5, 3)
@example(10**27, 18)
@example(-(10**27), 0)
def test_format_is_exact_and_plain(value: int, decimals: int) -> None:
    """No exponent, no trailing zero, no rounding, whatever the size and sign."""
    text = format_units(value, decimals)
    assert Fraction(text) == Fraction(value, 10**decimals)
    assert set(text) <= set("-.0123456789") and not text.endswith(".")
    assert not ("." in text and text.endswith("0"))


@given(TEXTS)
def test_parse_decimal_is_exact(text: str) -> None:
    """Mantissa and decimals as written, trailing zeros included."""
    mantissa, decimals = parse_decimal(text, "price")
    assert Fraction(mantissa, 10**decimals) == Fraction(text)
    assert decimals == len(text.partition(".")[2])


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            " ",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e5",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "1\n",
            "0x1",
            "NaN",
            "inf",
        ],
        *["\u0661", "\uff11", "1.2.3", "1" * 41, "0." + "0" * 41, 1, 1.5, None, b"1", True],
    ],
)
@pytest.mark.parametrize("parse", [BTC_USD.price_ticks, BTC_USD.qty_lots, BTC_USD.budget_atoms])
def test_what_is_no_plain_decimal_string_is_refused(parse: object, text: object) -> None:
    """Signs, exponents, other digits, spaces, numbers that are no text."""
    assert refusal(parse, text).code is Code.WRONG_TYPE


def test_the_message_names_the_step() -> None:
    """So that a person knows what to choose."""
    assert "0.01" in refusal(BTC_USD.price_ticks, "1.005").detail
    assert "0.00001" in refusal(BTC_USD.qty_lots, "0.000015").detail
    assert "0.01" in refusal(BTC_USD.budget_atoms, "0.001").detail


@given(UNITS)
def test_one_step_is_the_size_that_the_market_states(units: MarketUnits) -> None:
    """The price of one tick and the quantity of one lot."""
    assert units.price(1) == units.tick_size and units.qty(1) == units.lot_size
