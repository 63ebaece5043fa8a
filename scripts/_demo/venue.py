"""The venue of the demo: all components as real processes in a fresh folder.

Invariant: no failure goes unseen. `Venue.check` names a component that ended and shows the end of its log;
everything that waits calls it.
"""

import hashlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bus import runfile
from bus.errors import Code, ServiceError
from bus.fleet import MODULES
from bus.settings import IPC_PATH_BYTES_MAX
from tests.processes import Processes

T = TypeVar("T")

LOG_LINES = 20
POLL_S = 0.02
SOCKET_NAME_BYTES_MAX = 30
OPERATOR_KEY = "operator"
SEGMENT_BYTES = 64 * 1024 * 1024

SEED = """# The demo's operator; assets, market and accounts are made through the client SDK.
[[keys]]
key_id = "{key}"
secret = "{secret}"
roles = ["reader", "trader", "broker", "admin"]
accounts = ["operator"]
"""


class Venue(Processes):
    """Processes of a fresh venue with one operator and nothing else.

    Attributes
    ----------
    secret
        The operator's.
    """

    detached = True

    def __init__(self, folder: Path, *overrides: str, tcp: bool = True) -> None:
        self.secret = secrets.token_hex(16)
        run_dir = run_dir_of(folder)
        seed = folder / "seed.toml"
        seed.write_text(SEED.format(key=OPERATOR_KEY, secret=self.secret), "utf-8")
        seed.chmod(0o600)
        doors = ("gateway", "feed_stream", "feed_query") if tcp else ()
        super().__init__(
            folder,
            f"venue.run_dir={run_dir}",
            f"seed.file={seed}",
            f"journal.segment_bytes={SEGMENT_BYTES}",
            *(f"endpoints.{door}=tcp://127.0.0.1:0" for door in doors),
            *overrides,
        )

    def check(self) -> None:
        """Raise when a component that was started has ended.

        Raises
        ------
        ServiceError
            COMPONENT_FAILED, with the end of its log.
        """
        for name, code in self.ended().items():
            lines = "\n".join(self.log(name).splitlines()[-LOG_LINES:])
            raise ServiceError(
                Code.COMPONENT_FAILED,
                f"expected the {name} to run, was ended with exit code {code}; its last lines:\n{lines}",
            )

    def until(self, condition: Callable[[], T], what: str, timeout_s: float = 60.0) -> T:
        """Return the condition's first true value, watching the components meanwhile.

        Raises
        ------
        ServiceError
            COMPONENT_FAILED when a component ended, or it did not come true in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not (seen := condition()):
            self.check()
            if time.monotonic() > deadline_s:
                raise ServiceError(
                    Code.COMPONENT_FAILED, f"expected {what} within {timeout_s:.0f} s, was {seen!r}"
                )
            time.sleep(POLL_S)
        return seen

    def endpoint(self, component: str, name: str) -> str:
        """Return where a component really listens."""
        settings = self.settings()
        instance: str = getattr(getattr(settings, component), "name", component)
        running = runfile.read(settings.venue.run_dir, instance)
        if running is None:
            self.check()
            raise ServiceError(Code.COMPONENT_FAILED, f"expected the {component} to run, was not there")
        return running.endpoints[name]

    def stop_all(self) -> None:
        """Stop every component in order, the engine last.

        Raises
        ------
        ServiceError
            COMPONENT_FAILED when one did not end with exit code 0.
        """
        for component in reversed(list(MODULES)):
            code = self.stop(component)
            if code:
                lines = "\n".join(self.log(component).splitlines()[-LOG_LINES:])
                raise ServiceError(
                    Code.COMPONENT_FAILED, f"expected {component} to stop with 0, was {code}:\n{lines}"
                )


def run_dir_of(folder: Path) -> Path:
    """Return the folder for sockets: in ``folder``, or, where that path is too long, one made of its hash."""
    run_dir = folder / "run"
    if len(bytes(run_dir)) + SOCKET_NAME_BYTES_MAX <= IPC_PATH_BYTES_MAX:
        return run_dir
    mark = hashlib.sha256(bytes(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"zeropit-{mark}"


def fresh_folder(folder: Path) -> Path:
    """Return ``folder`` empty, unless a venue runs in it.

    Raises
    ------
    ServiceError
        ADDRESS_IN_USE, naming the processes.
    """
    folder = folder.resolve()
    pids = [str(running.pid) for running in runfile.read_all(run_dir_of(folder))]
    if pids:
        raise ServiceError(
            Code.ADDRESS_IN_USE,
            f"expected no venue running in {folder}, was one; stop it: kill {' '.join(pids)}",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
