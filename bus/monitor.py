"""The small HTTP server of each component: ``/metrics`` for Prometheus, ``/health`` for people and scripts.

Invariant: a stranger on this port costs the component nothing that it notices: connections at a time and
the time that one may idle are bounded, and no answer waits for the component's loop.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from .errors import Code, ServiceError

CONNECTIONS_MAX = 16
IDLE_S_MAX = 5.0
STOP_POLL_S = 0.1

Health = Callable[[], dict[str, object]]


class Monitor:
    """Serve a registry and a health function until `close`.

    Parameters
    ----------
    host, port
        Where; port 0 takes a free one, see `port` for the one taken.
    health
        Called in the server's thread: it may only read.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        handler = type("Handler", (_Handler,), {"registry": registry, "health": staticmethod(health)})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise ServiceError(
                Code.ADDRESS_IN_USE, f"expected a free address, was {host}:{port} ({error.strerror})"
            ) from None
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_S,), name="monitor", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """HTTP with a bound on connections; one too many is closed at once."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Drop what a broken client causes; it must not reach the terminal."""


class _Handler(BaseHTTPRequestHandler):
    """Answers GET of two paths, and HEAD without the body."""

    registry: CollectorRegistry
    health: Health
    timeout = IDLE_S_MAX
    server_version = "zeropit"
    sys_version = ""
    error_content_type = "application/json"
    error_message_format = '{"error": "%(message)s", "number": %(code)d}\n'

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(CONTENT_TYPE_LATEST, generate_latest(self.registry))
        elif path == "/health":
            self._answer("application/json", json.dumps(type(self).health(), default=str).encode() + b"\n")
        else:
            self.send_error(404, "expected /metrics or /health")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: scrapes are no events."""

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
