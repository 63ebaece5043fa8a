"""A recorded market, order by order, as integers: the format of the ``ob-analytics`` captures.

Invariant: exact or refused. A price or quantity that is no whole number of ticks or lots, a row of another
shape or an unknown word is a typed error that names the line; nothing is skipped or rounded.

A capture is three texts: ``orders.csv`` (one row an order event: ``id, timestamp, exchange_timestamp, price,
volume, action, direction``, times in milliseconds), ``trades.csv`` (the venue's own trades) and
``meta.json``, which tells how many rows at the beginning and end are not events but the snapshot that the
recording began with, and deletes that were added at its end.
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from ..commands import INT_MAX
from ..errors import Code, FormError

ORDERS, TRADES, META = "orders.csv.gz", "trades.csv", "meta.json"
SAMPLE_DIR = "ob_analytics/_sample_data"
"""Where the wheel ``ob-analytics`` keeps its capture."""

TICK_DECIMALS = 2
LOT_DECIMALS = 8

_ORDER_FIELDS = ("id", "timestamp", "exchange_timestamp", "price", "volume", "action", "direction")
_TRADE_FIELDS = ("price", "amount", "buy_order_id", "sell_order_id", "exchange_timestamp")
_SIDES = {"bid": 1, "ask": 2}
_ACTIONS = frozenset({"created", "changed", "deleted"})


class Row(NamedTuple):
    """What the venue said about one order: side 1 bid, 2 ask; ``time_ms`` by the venue's clock, UTC."""

    order_id: int
    time_ms: int
    price_ticks: int
    qty_lots: int
    action: str
    side: int


class VenueTrade(NamedTuple):
    """A trade as the venue reported it."""

    buy_order_id: int
    sell_order_id: int
    price_ticks: int
    qty_lots: int


class Capture(NamedTuple):
    """A recorded market; ``snapshot_rows`` at the beginning and ``closing_rows`` at the end are no events."""

    rows: list[Row]
    trades: list[VenueTrade]
    snapshot_rows: int
    closing_rows: int


def parse_capture(orders: str, trades: str, meta: str) -> Capture:
    """Return the capture in the three texts.

    Raises
    ------
    FormError
        What is wrong, and in which line.
    """
    rows = [_order_row(line, fields) for line, fields in _records(orders, ORDERS, _ORDER_FIELDS)]
    found = [_trade(line, fields) for line, fields in _records(trades, TRADES, _TRADE_FIELDS)]
    try:
        counts = json.loads(meta)
        snapshot_rows, closing_rows = counts["synthetic_created"], counts["synthetic_deleted"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormError(
            Code.MALFORMED, f"expected counts of synthetic rows in {META}, was {error!r}"
        ) from None
    whole = type(snapshot_rows) is int and type(closing_rows) is int
    if not whole or min(snapshot_rows, closing_rows) < 0 or snapshot_rows + closing_rows > len(rows):
        raise FormError(Code.OUT_OF_RANGE, f"expected at most {len(rows)} synthetic rows, was {counts!r:.80}")
    return Capture(rows, found, snapshot_rows, closing_rows)


def read_files(path: Path) -> dict[str, bytes]:
    """Return the three files by name, from a wheel or from the folder (or file in it) named.

    Raises
    ------
    FormError
        When one of them is not there.
    """
    try:
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as wheel:
                return {name: wheel.read(f"{SAMPLE_DIR}/{name}") for name in (ORDERS, TRADES, META)}
        folder = path if path.is_dir() else path.parent
        return {name: (folder / name).read_bytes() for name in (ORDERS, TRADES, META)}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise FormError(
            Code.MALFORMED, f"expected {ORDERS}, {TRADES} and {META} in {path}, was {error}"
        ) from None


def load_capture(files: dict[str, bytes]) -> Capture:
    """Return the capture in the bytes of its three files (the orders compressed by gzip)."""
    try:
        orders = gzip.decompress(files[ORDERS]).decode()
        return parse_capture(orders, files[TRADES].decode(), files[META].decode())
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FormError(Code.MALFORMED, f"expected {ORDERS} as gzipped text, was {error}") from None


def whole_units(text: str, decimals: int) -> int:
    """Return a number such as ``"0.5"`` or ``"7.18e-06"`` as a whole number of ``10**-decimals``.

    Raises
    ------
    ValueError
        When it is not one.
    """
    try:
        value = Decimal(text).scaleb(decimals)
        if 0 <= value <= INT_MAX and value == (whole := int(value)):
            return whole
    except (InvalidOperation, OverflowError):
        pass
    raise ValueError(f"expected a multiple of 10^-{decimals} from 0 on, was {text!r:.40}")


def _records(text: str, name: str, fields: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each record's place and the fields asked for."""
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    if any(field not in header for field in fields):
        raise FormError(
            Code.MISSING_FIELD, f"{name}: expected columns {', '.join(fields)}, was {header!r:.80}"
        )
    columns = [header.index(field) for field in fields]
    for record in reader:
        if len(record) != len(header):
            line = f"{name} line {reader.line_num}"
            raise FormError(Code.MALFORMED, f"{line}: expected {len(header)} fields, was {len(record)}")
        yield f"{name} line {reader.line_num}", tuple([record[column] for column in columns])


def _order_row(line: str, fields: tuple[str, ...]) -> Row:
    order_id, _received_ms, time_ms, price, volume, action, direction = fields
    try:
        if action not in _ACTIONS or direction not in _SIDES:
            raise ValueError(f"expected created, changed or deleted and bid or ask, was {action} {direction}")
        return Row(
            int(order_id),
            int(time_ms),
            whole_units(price, TICK_DECIMALS),
            whole_units(volume, LOT_DECIMALS),
            action,
            _SIDES[direction],
        )
    except ValueError as error:
        raise FormError(Code.MALFORMED, f"{line}: {error}") from None


def _trade(line: str, fields: tuple[str, ...]) -> VenueTrade:
    price, amount, buy_order_id, sell_order_id, _time_ms = fields
    try:
        return VenueTrade(
            int(buy_order_id),
            int(sell_order_id),
            whole_units(price, TICK_DECIMALS),
            whole_units(amount, LOT_DECIMALS),
        )
    except ValueError as error:
        raise FormError(Code.MALFORMED, f"{line}: {error}") from None
