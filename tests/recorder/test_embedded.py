"""The embedded server: found, adopted, cleaned up after, whatever was left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from bus.errors import Code, HistoryError
from recorder.embedded import EmbeddedPostgres
from tests.poll import until

KILLED_OWNER = """
import os, signal, sys
from pathlib import Path
from recorder.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
os.kill(os.getpid(), signal.SIGKILL)
"""


Make = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the data goes; not in pytest's own folders, which only their owner may pass through."""
    parent = Path(tempfile.mkdtemp(prefix="zpdb"))
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    """Makes servers, which are stopped in the end."""
    made: list[EmbeddedPostgres] = []

    def make_one(of: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(of))
        return made[-1]

    yield make_one
    for server in made:
        server.stop()


def value(server: EmbeddedPostgres) -> int:
    """Return what the table of the test holds."""
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute("SELECT max(n) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def filled(make: Make, folder: Path) -> EmbeddedPostgres:
    """Return a server that holds something."""
    server = make(folder)
    server.start()
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    return server


def postmaster(folder: Path) -> int:
    """Return the server's process."""
    return int((folder / "postmaster.pid").read_text().split()[0])


def test_keeps_its_data_and_its_address(make: Make, folder: Path) -> None:
    server = filled(make, folder)
    dsn = server.dsn
    server.stop()
    assert not (folder / "postmaster.pid").exists()
    server.stop()
    server.start()
    assert value(server) == 42 and server.dsn == dsn


def test_a_running_one_is_adopted(make: Make, folder: Path) -> None:
    filled(make, folder)
    process = postmaster(folder)
    second = make(folder)
    second.start()
    assert postmaster(folder) == process and value(second) == 42
    second.stop()


def test_it_ends_when_its_owner_is_killed(make: Make, folder: Path) -> None:
    filled(make, folder).stop()
    owner = subprocess.run([sys.executable, "-c", KILLED_OWNER, str(folder)], timeout=60, check=False)
    assert owner.returncode == -signal.SIGKILL
    server = make(folder)
    server.start()  # while the other one is still going down
    until(lambda: value(server) == 42)


def test_comes_back_after_it_was_killed(make: Make, folder: Path) -> None:
    server = filled(make, folder)
    os.kill(postmaster(folder), signal.SIGKILL)
    server.start()
    assert value(server) == 42


def test_a_lock_of_another_process_counts_for_nothing(make: Make, folder: Path) -> None:
    server = filled(make, folder)
    server.stop()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n1\n5432\n{folder}\n\n0 0\nready\n")
    server.start()
    assert value(server) == 42


def test_a_half_made_folder_is_made_again(make: Make, folder: Path) -> None:
    unfinished = folder.with_name("data.new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    filled(make, folder)
    assert not unfinished.exists()


def test_a_long_path_has_its_socket_elsewhere(make: Make, folder: Path) -> None:
    deep = folder.parent / ("d" * 80) / ("e" * 30) / "data"
    server = filled(make, deep)
    assert value(server) == 42
    server.stop()


def test_a_damaged_folder_is_said_so(make: Make, folder: Path) -> None:
    filled(make, folder).stop()
    shutil.rmtree(folder / "global")
    with pytest.raises(HistoryError) as refused:
        make(folder).start()
    assert refused.value.code == Code.DATABASE_UNAVAILABLE
    assert str(folder) in refused.value.detail
