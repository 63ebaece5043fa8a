"""Reading a recorded market: exact, or refused with the line."""

from pathlib import Path

import pytest

from bus.errors import Code, FormError
from bus.replay.capture import (
    META,
    ORDERS,
    TRADES,
    Row,
    VenueTrade,
    load_capture,
    parse_capture,
    read_files,
    whole_units,
)

from . import captures


def test_rows_and_trades_become_integers() -> None:
    capture = load_capture(captures.files())
    assert capture.rows[0] == Row(11, 1, 10_000, 50_000_000, "created", 2)
    assert capture.rows[8] == Row(21, 3, 10_100, 718, "created", 1)
    assert capture.trades[0] == VenueTrade(20, 10, 10_000, 25_000_000)
    assert (capture.snapshot_rows, capture.closing_rows) == (4, 2)


def test_the_same_from_a_wheel_and_from_a_folder(tmp_path: Path) -> None:
    wheel = captures.write_wheel(tmp_path / "some.whl")
    for name, content in captures.files().items():
        (tmp_path / name).write_bytes(content)
    assert read_files(wheel) == read_files(tmp_path) == read_files(tmp_path / ORDERS) == captures.files()


@pytest.mark.parametrize("missing", [ORDERS, TRADES, META])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    for name, content in captures.files().items():
        if name != missing:
            (tmp_path / name).write_bytes(content)
    with pytest.raises(FormError, match=missing):
        read_files(tmp_path)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("11,1,1,100.001,0.5,created,ask", "100.001"),
        ("11,1,1,100.0,0.000000001,created,ask", "0.000000001"),
        ("11,1,1,nan,0.5,created,ask", "nan"),
        ("11,1,1,-1.0,0.5,created,ask", "-1.0"),
        ("11,1,1,1e30,0.5,created,ask", "1e30"),
        ("x,1,1,100.0,0.5,created,ask", "x"),
        ("11,1,1,100.0,0.5,moved,ask", "moved"),
        ("11,1,1,100.0,0.5,created,up", "up"),
        ("11,1,1,100.0,0.5,created", "7 fields"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(row: str, what: str) -> None:
    rows = [*captures.ROWS[:3], row, *captures.ROWS[4:]]
    with pytest.raises(FormError, match=f"line 5: .*{what}"):
        parse_capture(captures.orders(rows), captures.trades(), captures.meta())


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ("{", Code.MALFORMED),
        ("{}", Code.MALFORMED),
        ('{"synthetic_created": 99, "synthetic_deleted": 1}', Code.OUT_OF_RANGE),
        ('{"synthetic_created": "4", "synthetic_deleted": 1}', Code.OUT_OF_RANGE),
        ('{"synthetic_created": -1, "synthetic_deleted": 1}', Code.OUT_OF_RANGE),
    ],
)
def test_wrong_counts_are_refused(meta: str, code: Code) -> None:
    with pytest.raises(FormError) as refused:
        parse_capture(captures.orders(), captures.trades(), meta)
    assert refused.value.code == code


def test_another_table_and_no_gzip_are_refused() -> None:
    with pytest.raises(FormError, match="columns"):
        parse_capture("a,b\n1,2\n", captures.trades(), captures.meta())
    with pytest.raises(FormError, match="gzip"):
        load_capture({**captures.files(), ORDERS: b"plain"})


def test_whole_units() -> None:
    assert whole_units("7.18e-06", 8) == 718
    assert whole_units("0.0", 8) == 0
    assert whole_units("999999999.0", 2) == 99_999_999_900
