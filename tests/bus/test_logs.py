"""Logs: one line an event, and a bound on what strangers can cause."""

import json

import pytest

from bus import logs


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = logs.set_up("engine-1", "info", "json")
    log.debug("unseen")
    log.info("ready", seq=3, text="two\nlines")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    shown = json.loads(lines[0])
    assert shown.pop("timestamp")
    assert shown == {
        "event": "ready",
        "level": "info",
        "component": "engine-1",
        "seq": 3,
        "text": "two\nlines",
    }


def test_console_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("engine-1").error("internal error", traceback="a\nb\nc")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_flood_is_a_few_lines_and_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 0.0
    limited = logs.RateLimited(logs.set_up("gateway-1", "info", "json"), 3, lambda: now_s)
    assert [limited.warning("MALFORMED") for _ in range(1_000)] == [True] * 3 + [False] * 997
    assert limited.warning("RATE_LIMITED")
    now_s = 1.0
    assert limited.warning("MALFORMED", peer="x")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["MALFORMED"] * 3 + ["RATE_LIMITED", "MALFORMED"]
    assert lines[-1]["left_out"] == 997
