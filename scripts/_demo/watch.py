"""A client that only watches: follows private streams of some accounts in a process of its own.

Invariant: it tells what it received, a checksum over every event in order, and takes nothing from anyone
else; whether that is all there was is for the reconciliation to say.

Standard input: one JSON line with ``gateway, key, secret, accounts``; later one with ``until``: the last
``account_seq`` of each account. It prints ``watching`` once all streams follow, and in the end one JSON line:
account to ``[account_seq, checksum, images, gaps]``.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from bus.client import Client
from bus.client.reports import Image, Report, Reports
from bus.events import EVENT_NUMBERS

from .told import private_mark

PUMP_S = 0.05
END_S_MAX = 60.0


class Watched:
    """One account's stream, added up."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports
        self.account_seq = self.mark = self.images = 0

    def drain(self) -> None:
        """Take what has come."""
        while (item := self.reports.next()) is not None:
            if isinstance(item, Image):
                self.images += 1
                self.account_seq = item.account_seq
            elif isinstance(item, Report):
                number = EVENT_NUMBERS[type(item.event)] if item.event is not None else 0
                self.mark = private_mark(self.mark, item.account_seq, item.seq, number)
                self.account_seq = item.account_seq


class Watcher:
    """The watching process, seen from the demo."""

    def __init__(self, gateway: str, key: str, secret: str, accounts: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts._demo.watch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say({"gateway": gateway, "key": key, "secret": secret, "accounts": list(accounts)})
        self._hear()

    def finish(self, until: dict[str, int]) -> dict[str, list[int]]:
        """Let it watch up to each account's last ``account_seq``, end, and tell."""
        self._say({"until": until})
        told: dict[str, list[int]] = json.loads(self._hear())
        self.process.wait(END_S_MAX)
        return told

    def kill(self) -> None:
        """End it, if it has not."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _say(self, what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"expected the watching client to answer, was exit {self.process.wait()}")
        return line


def main() -> int:
    """Watch until told to end."""
    first = json.loads(sys.stdin.readline())
    told: list[dict[str, int]] = []

    def listen() -> None:
        line = sys.stdin.readline()
        told.append(json.loads(line)["until"] if line else {})

    with Client(first["gateway"], first["key"], first["secret"], account=first["accounts"][0]) as client:
        watched = {name: Watched(client.follow(name, after=0)) for name in first["accounts"]}
        while any(one.reports.wanted or one.reports.asked for one in watched.values()):
            client.pump(PUMP_S)
        print("watching", flush=True)
        threading.Thread(target=listen, daemon=True).start()
        deadline_s = float("inf")
        while time.monotonic() < deadline_s:
            client.pump(PUMP_S)
            for one in watched.values():
                one.drain()
            if told:
                deadline_s = min(deadline_s, time.monotonic() + END_S_MAX)
                if all(watched[name].account_seq >= last for name, last in told[0].items()):
                    break
    result = {
        name: [one.account_seq, one.mark, one.images, one.reports.gaps] for name, one in watched.items()
    }
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
