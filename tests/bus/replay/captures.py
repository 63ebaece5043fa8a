"""A small recorded market in the format of the real one."""

import gzip
import json
import zipfile
from pathlib import Path

from bus.replay.capture import META, ORDERS, SAMPLE_DIR, TRADES

HEADER = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADES_HEADER = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"

ROWS = [
    # The snapshot: 12 is inside the traded prices and never heard of again, 13 outside.
    "11,1,1,100.0,0.5,created,ask",
    "10,1,1,100.0,0.25,created,ask",
    "12,1,1,100.5,1.0,created,ask",
    "13,1,1,250.0,1.0,created,ask",
    # A taker that fills 10, then half of 11.
    "20,2,2,100.0,0.5,created,bid",
    "10,2,2,100.0,0.0,deleted,ask",
    "11,2,2,100.0,0.25,changed,ask",
    "20,2,2,100.0,0.0,deleted,bid",
    # Would cross and never trades: the venue refused it.
    "21,3,3,101.0,7.18e-06,created,bid",
    "21,3,3,101.0,7.18e-06,deleted,bid",
    # A market order, and one by money.
    "22,4,4,999999999.0,0.125,created,bid",
    "22,4,4,100.0,0.0,deleted,bid",
    "23,5,5,999999999.0,0.0,created,bid",
    "23,5,5,100.0,0.0,deleted,bid",
    "24,6,6,101.0,1.0,created,ask",
    # Added at the end.
    "13,7,7,250.0,1.0,deleted,ask",
    "24,7,7,101.0,1.0,deleted,ask",
]

TRADE_ROWS = [
    "1,2,2,100.0,0.25,20,10,buy",
    "2,2,2,100.0,0.25,20,11,buy",
    "3,4,4,100.0,0.125,22,11,buy",
    "4,5,5,100.5,0.125,23,11,buy",
]
IDENTICAL = 3

SNAPSHOT_ROWS, CLOSING_ROWS = 4, 2


def orders(rows: list[str] | None = None) -> str:
    """Return the text of the orders."""
    return "\n".join([HEADER, *(ROWS if rows is None else rows)]) + "\n"


def trades() -> str:
    """Return the text of the trades."""
    return "\n".join([TRADES_HEADER, *TRADE_ROWS]) + "\n"


def meta() -> str:
    """Return the text of the counts."""
    return json.dumps({"synthetic_created": SNAPSHOT_ROWS, "synthetic_deleted": CLOSING_ROWS})


def files() -> dict[str, bytes]:
    """Return the three files."""
    return {ORDERS: gzip.compress(orders().encode()), TRADES: trades().encode(), META: meta().encode()}


def write_wheel(path: Path) -> Path:
    """Write them as they lie in the wheel."""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files().items():
            wheel.writestr(f"{SAMPLE_DIR}/{name}", content)
    return path
