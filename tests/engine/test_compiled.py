"""The compiled core gives the bytes that plain Python gives, and is never older than the sources."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import bus.compiled
from bus.codec import encode_events, pack
from bus.commands import Continue
from engine.exchange import Exchange
from engine.image import dump
from engine.state import Limits
from tests.conftest import ALL
from tests.engine.venue import SECOND_NS, founding, random_command

COMMANDS = 200_000 if ALL else 20_000


def digest(commands: int) -> str:
    """Return a hash of all events and of the last state of a random run."""
    random, exchange, found = (
        Random(1),
        Exchange(Limits(events_per_transaction_max=9, fills_per_order_max=4)),
        0,
    )
    hasher = hashlib.sha256()
    for command in founding(SECOND_NS):
        hasher.update(pack(encode_events(exchange.execute(command, 1))))
    for number in range(commands):
        now_ns = 1 + number * SECOND_NS // 1000
        command = random_command(random, number, now_ns + random.randrange(SECOND_NS))
        events = exchange.execute(command, now_ns)
        while exchange.has_work:
            events.extend(exchange.execute(Continue(), now_ns))
        found += len(events)
        hasher.update(pack(encode_events(events)))
    for chunk in dump(exchange.state):
        hasher.update(chunk)
    exchange._check()
    return f"{found} {hasher.hexdigest()}"


def _run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_compiled_and_plain_give_the_same_bytes() -> None:
    subprocess.run([sys.executable, "-m", "scripts._compile"], check=True)
    code = (
        f"import bus.compiled, tests.engine.test_compiled as t;print(bus.compiled.mode, t.digest({COMMANDS}))"
    )
    # The tests' own configuration asks for plain Python; the module is loaded before it here.
    compiled = _run("import bus;" + code)
    assert compiled == f"compiled {digest(COMMANDS)}"
    assert bus.compiled.mode == "python"


def test_the_compiled_core_agrees_with_the_naive_exchange() -> None:
    subprocess.run([sys.executable, "-m", "scripts._compile"], check=True)
    seeds = 100 if ALL else 10
    code = (
        "import bus, bus.compiled; from tests.engine.versus import run;"
        f"print(bus.compiled.mode, [d for seed in range({seeds}) if (d := run(seed, 400, 50)[2])])"
    )
    assert _run(code) == "compiled []"


def test_an_edit_is_never_shadowed_by_an_old_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bus.compiled.build_folder()
    edited = tmp_path / "edited.py"
    edited.write_text("# edited\n")
    sources = bus.compiled.sources()
    monkeypatch.setattr(bus.compiled, "sources", lambda: [*sources[:-1], edited])
    assert bus.compiled.build_folder() != before


def test_without_a_build_the_same_modules_run_as_plain_python(tmp_path: Path) -> None:
    code = "import bus.compiled, engine.book; print(bus.compiled.mode, engine.book.__file__[-3:])"
    assert _run(code, ZEROPIT_COMPILED_DIR=str(tmp_path)) == "python .py"
