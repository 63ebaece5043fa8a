"""Log-on by SCRAM: the keys that exist, and the exchanges under way.

Invariant: a log-on with a key that does not exist looks, up to and including its failure, like one with
a wrong secret; an exchange is good for one proof, at the connection that began it, for a short time.
Memory: one exchange a connection, ``pending_max`` in all; the oldest gives way.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bus.events import KeyCreated
from bus.scram import (
    NONCE_BYTES,
    ServerExchange,
    Verifier,
    made_up_verifier,
    make_nonce,
    read_client_first,
    wrong_secret,
)

from .doors import Doors


class _Exchange(NamedTuple):
    """A log-on between its two steps."""

    scram: ServerExchange
    key_id: str
    key: KeyCreated | None
    until_ns: int


class Logons:
    """Keys and log-ons of one gateway.

    Parameters
    ----------
    doors
        For nonces.
    pending_max, step_ns_max
        Log-ons under way at a time, and how long one may take.
    iterations
        What a key that does not exist pretends to have.
    """

    def __init__(self, doors: Doors, pending_max: int, step_ns_max: int, iterations: int) -> None:
        self._doors = doors
        self._pending_max = pending_max
        self._step_ns_max = step_ns_max
        self._iterations = iterations
        self._process_secret = doors.random_bytes(32)
        self._keys: dict[str, KeyCreated] = {}
        self._exchanges: dict[bytes, _Exchange] = {}

    def trying(self, peer: bytes) -> str:
        """Return the key that a connection's log-on under way is for ("": there is none)."""
        exchange = self._exchanges.get(peer)
        return exchange.key_id if exchange is not None else ""

    @property
    def pending(self) -> int:
        """Log-ons under way."""
        return len(self._exchanges)

    def set_keys(self, keys: Iterable[KeyCreated]) -> None:
        """Take the keys that exist from an image."""
        self._keys = {key.key_id: key for key in keys}

    def add_key(self, key: KeyCreated) -> None:
        """Take in a new key."""
        self._keys[key.key_id] = key

    def remove_key(self, key_id: str) -> None:
        """Forget a key; a log-on under way with it fails."""
        self._keys.pop(key_id, None)

    def first(self, peer: bytes, text: str, now_ns: int) -> str:
        """Begin a log-on (a connection's earlier one is forgotten); return the server-first-message.

        Raises
        ------
        SessionError
            LOGON_FAILED when the text is no client-first-message.
        """
        self._exchanges.pop(peer, None)
        first = read_client_first(text)
        key = self._keys.get(first.key_id)
        if key is None:
            verifier = made_up_verifier(first.key_id, self._process_secret, self._iterations)
        else:
            verifier = Verifier(key.salt, key.iterations, key.stored_key, key.server_key)
        if len(self._exchanges) >= self._pending_max:
            del self._exchanges[next(iter(self._exchanges))]
        scram = ServerExchange(first, verifier, make_nonce(self._doors.random_bytes(NONCE_BYTES)))
        self._exchanges[peer] = _Exchange(scram, first.key_id, key, now_ns + self._step_ns_max)
        return scram.first_message

    def final(self, peer: bytes, text: str, now_ns: int) -> tuple[str, KeyCreated]:
        """End a log-on; return the server-final-message and the key that was proven.

        Raises
        ------
        SessionError
            LOGON_FAILED: no log-on under way, too late, or no proof.
        """
        exchange = self._exchanges.pop(peer, None)
        if exchange is None or now_ns > exchange.until_ns:
            raise wrong_secret()
        message = exchange.scram.final(text)
        if exchange.key is None or self._keys.get(exchange.key.key_id) is not exchange.key:
            raise wrong_secret()
        return message, exchange.key

    def expire(self, now_ns: int) -> None:
        """Forget log-ons that took too long."""
        for peer, exchange in tuple(self._exchanges.items()):
            if now_ns <= exchange.until_ns:
                break
            del self._exchanges[peer]
