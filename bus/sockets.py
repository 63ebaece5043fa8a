"""Sockets whose queues, messages and handshakes are bounded, and who may reach them.

Invariant: no socket of the venue is made anywhere else, so none holds more messages than its marks,
takes a message larger than its maximum, or keeps a closing process alive for longer than its linger.
An ipc socket lives in a folder that only its owner may enter; a CURVE socket takes listed keys only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from .errors import Code, ServiceError, SettingsError

KINDS = {
    "PUB": zmq.PUB,
    "XPUB": zmq.XPUB,
    "SUB": zmq.SUB,
    "PUSH": zmq.PUSH,
    "PULL": zmq.PULL,
    "ROUTER": zmq.ROUTER,
    "DEALER": zmq.DEALER,
}
"""Socket kinds by name."""

IPV4_MAPPED = re.compile(r"^tcp://\[::ffff:([0-9.]+)\]:")
ADDRESS_IN_USE = frozenset({zmq.EADDRINUSE, zmq.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one socket.

    Attributes
    ----------
    sndhwm, rcvhwm
        Messages held a peer; inexact, since the system's buffers hold more.
    linger_ms
        How long close goes on sending.
    message_bytes_max
        A peer that sends a larger message is disconnected; -1 for no bound (trusted peers only).
    handshake_ms_max
        A peer that connects and says nothing is disconnected after this.
    """

    sndhwm: int = 10_000
    rcvhwm: int = 10_000
    linger_ms: int = 1_000
    message_bytes_max: int = -1
    handshake_ms_max: int = 5_000


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Key files of internal sockets over tcp (made by ``zmq.auth.create_certificates``)."""

    server_secret_file: str
    server_public_file: str
    client_secret_file: str
    allowed_dir: str


DEFAULT_LIMITS = Limits()


def bind(
    context: "zmq.Context[zmq.Socket[bytes]]",
    kind: str,
    endpoint: str,
    limits: Limits = DEFAULT_LIMITS,
    *,
    mandatory: bool = False,
    curve: CurveKeys | None = None,
) -> tuple["zmq.Socket[bytes]", str]:
    """Return a bound socket and the endpoint that it really has (port 0 or * is resolved).

    Parameters
    ----------
    mandatory
        ROUTER only: a message to a peer that is gone raises ``zmq.ZMQError`` (EHOSTUNREACH), one to
        a peer whose queue is full raises ``zmq.Again`` (send with NOBLOCK), instead of vanishing.
    curve
        Demand CURVE from every peer; call `authenticator` once for the context before.

    Raises
    ------
    ServiceError
        ADDRESS_IN_USE when the address is taken or not of this machine.
    """
    if endpoint.startswith("ipc://"):
        make_private(Path(endpoint.removeprefix("ipc://")).parent)
    keys = _certificate(curve.server_secret_file) if curve is not None else None
    socket = _make(context, kind, limits)
    if mandatory:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey = keys
        socket.curve_server = True
    try:
        socket.bind(endpoint[:-2] + ":*" if endpoint.endswith(":0") else endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        if error.errno in ADDRESS_IN_USE:
            raise ServiceError(
                Code.ADDRESS_IN_USE, f"expected a free address, was {endpoint}: {error}"
            ) from None
        raise ServiceError(
            Code.COMPONENT_FAILED, f"expected an address to bind, was {endpoint}: {error}"
        ) from None
    # An IPv4 address is told as mapped into IPv6; people and clients know it as it was written.
    return socket, IPV4_MAPPED.sub(r"tcp://\1:", socket.getsockopt_string(zmq.LAST_ENDPOINT))


def connect(
    context: "zmq.Context[zmq.Socket[bytes]]",
    kind: str,
    endpoint: str,
    limits: Limits = DEFAULT_LIMITS,
    *,
    topics: Iterable[bytes] = (),
    identity: bytes = b"",
    immediate: bool = False,
    conflate: bool = False,
    curve: CurveKeys | None = None,
) -> "zmq.Socket[bytes]":
    """Return a connected socket; the peer need not be there yet.

    Parameters
    ----------
    topics
        SUB only: what to subscribe to (``b""`` for everything).
    identity
        DEALER only: the routing id that a ROUTER sees; empty for a random one.
    immediate
        Queue only for a peer that is there: with none, sending with NOBLOCK raises ``zmq.Again``, so that
        repeated requests do not pile up for it.
    conflate
        SUB only: keep the newest message alone; for who needs the newest head and nothing else.

    Raises
    ------
    SettingsError
        When the endpoint is no address (a scheme is missing, for example).
    """
    keys = _certificate(curve.client_secret_file) if curve is not None else None
    server_key = _public_key(curve.server_public_file) if curve is not None else b""
    socket = _make(context, kind, limits)
    if identity:
        socket.setsockopt(zmq.IDENTITY, identity)
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey = keys
        socket.curve_serverkey = server_key
    if immediate:
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if conflate:
        socket.setsockopt(zmq.CONFLATE, 1)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise _no_address(endpoint, error) from None
    return socket


def authenticator(context: "zmq.Context[zmq.Socket[bytes]]", curve: CurveKeys) -> ThreadAuthenticator:
    """Start checking peers' keys against the allow-list, for all CURVE sockets of the context.

    Stop it before the context ends. Its thread sleeps except while a peer connects.
    """
    if not Path(curve.allowed_dir).is_dir():
        raise SettingsError(f"curve.allowed_dir: expected a folder of keys, was {curve.allowed_dir!r}")
    checker = ThreadAuthenticator(context)
    checker.start()
    checker.configure_curve(domain="*", location=curve.allowed_dir)
    return checker


def _no_address(endpoint: str, error: zmq.ZMQError) -> SettingsError:
    """Return the error of who named what is no address at all: trying again cannot help."""
    reason = str(error).partition(" (addr")[0]
    return SettingsError(f"expected an address such as tcp://127.0.0.1:7001, was {endpoint!r} ({reason})")


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, or check that it is one.

    An empty folder that others may enter is closed to them; one with something in it is refused, since
    it may well be ``/tmp`` or a home.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode & 0o777
        if mode & 0o077 and any(folder.iterdir()):
            raise ServiceError(
                Code.COMPONENT_FAILED,
                f"expected a private folder (mode 700), was {folder} with mode {mode:o}",
            )
        folder.chmod(0o700)
    except OSError as error:
        raise ServiceError(
            Code.COMPONENT_FAILED, f"expected a folder that can be made, was {folder} ({error.strerror})"
        ) from None


def _make(context: "zmq.Context[zmq.Socket[bytes]]", kind: str, limits: Limits) -> "zmq.Socket[bytes]":
    """Return a socket with its bounds set (they only count when set before bind or connect)."""
    socket = context.socket(KINDS[kind])
    socket.setsockopt(zmq.SNDHWM, limits.sndhwm)
    socket.setsockopt(zmq.RCVHWM, limits.rcvhwm)
    socket.setsockopt(zmq.LINGER, limits.linger_ms)
    socket.setsockopt(zmq.MAXMSGSIZE, limits.message_bytes_max)
    socket.setsockopt(zmq.HANDSHAKE_IVL, limits.handshake_ms_max)
    socket.setsockopt(zmq.IPV6, 1)
    return socket


def _certificate(file: str) -> tuple[bytes, bytes]:
    """Return the public and secret key of a certificate file."""
    public, secret = _load(file)
    if secret is None:
        raise SettingsError(f"expected a certificate with a secret key, was {file!r} without one")
    return public, secret


def _public_key(file: str) -> bytes:
    """Return the public key of a certificate file."""
    return _load(file)[0]


def _load(file: str) -> tuple[bytes, bytes | None]:
    """Read a certificate file."""
    try:
        return zmq.auth.load_certificate(file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"expected a CURVE certificate, was {file!r}: {error}") from None
