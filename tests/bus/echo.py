"""A small real component for the skeleton's tests: ``python -m tests.bus.echo BEHAVIOUR [arguments]``."""

import sys

import zmq

from bus.errors import Code, JournalError
from bus.metrics import Meters
from bus.service import Host, run


class Echo:
    """Echoes on the endpoint ``feed_query``; a message ``known`` or ``defect`` makes it fail."""

    def __init__(self, host: Host) -> None:
        if BEHAVIOUR == "refuses":
            raise JournalError(Code.JOURNAL_DAMAGED, "expected a record, was noise")
        self._host = host
        self._socket = host.bind("feed_query", "ROUTER")
        self._steps = Meters(host.registry, "feed").counter("steps_total", "Steps.")

    def step(self, timeout_ms: int) -> None:
        """Echo one message."""
        self._steps.value += 1
        if self._socket.poll(timeout_ms):
            peer, text = self._socket.recv_multipart()
            if text == b"known":
                raise JournalError(Code.JOURNAL_WRITE_FAILED, "expected a synced write, was EIO")
            if text == b"defect":
                raise RuntimeError("boom")
            self._socket.send_multipart([peer, text], zmq.NOBLOCK)

    def close(self) -> None:
        """Say how it ended."""
        self._host.log.info("closed", failing=self._host.failing)

    def health(self) -> dict[str, object]:
        """Return the steps made."""
        return {"steps": self._steps.value}


if __name__ == "__main__":
    BEHAVIOUR = sys.argv[1]
    sys.exit(run("feed", Echo, sys.argv[2:]))
