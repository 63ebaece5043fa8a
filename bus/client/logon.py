"""The log-on of a client, and what it gives.

Invariant: no token is taken from a gateway that has not proven that the venue knows the key.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..scram import ClientExchange


class Granted(NamedTuple):
    """What a log-on gave: who the session is, what it may do, and the gateway's limits."""

    token: bytes
    session: int
    roles: int
    accounts: tuple[str, ...]
    journal_sync: str
    heartbeat_ms: int
    session_idle_ms: int
    in_flight_max: int
    requests_per_s_max: int
    requests_per_message_max: int
    message_bytes_max: int
    validity_s_max: int
    epoch: int
    gateway: str


class Logon:
    """One log-on under way.

    Parameters
    ----------
    key_id, secret
        The key and its secret.
    nonce
        Fresh random text.
    """

    def __init__(self, key_id: str, secret: str, nonce: str) -> None:
        self._exchange = ClientExchange(key_id, secret, nonce)

    def first(self) -> str:
        """Return the argument of the first request."""
        return self._exchange.first()

    def final(self, result: Sequence[Any]) -> str:
        """Return the argument of the second request, from the result of the first.

        Raises
        ------
        SessionError
            LOGON_FAILED.
        """
        return self._exchange.final(result[0])

    def granted(self, result: Sequence[Any]) -> Granted:
        """Return what the second request gave.

        Raises
        ------
        SessionError
            LOGON_FAILED when the gateway's proof is wrong.
        """
        server_final, token, session, roles, accounts, settings = result[:6]
        self._exchange.check(server_final)
        return Granted(
            token,
            session,
            roles,
            tuple(accounts),
            str(settings.get("journal_sync", "")),
            int(settings.get("heartbeat_ms", 5_000)),
            int(settings.get("session_idle_ms", 30_000)),
            int(settings.get("in_flight_max", 1)),
            int(settings.get("requests_per_s_max", 0)),
            int(settings.get("requests_per_message_max", 1)),
            int(settings.get("message_bytes_max", 65_536)),
            int(settings.get("validity_s_max", 30)),
            int(settings.get("epoch", 0)),
            str(settings.get("gateway", "")),
        )
