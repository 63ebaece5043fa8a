"""SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, from `hashlib` and `hmac` alone.

Invariant: the secret never leaves the client and is never needed by the server: the venue keeps salt,
iterations, stored key and server key only, and a log-on seen by others cannot be played again, since
both sides put a fresh nonce into what is proven. There is no channel binding (``n,,``): the sockets are
loopback or CURVE.

Key ids are names and secrets printable ASCII, for which RFC 4013 (SASLprep) is the identity.
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import NamedTuple

from .errors import Code, FormError, SessionError

SALT_BYTES = 16
NONCE_BYTES = 18
NONCE_CHARS_MAX = 256
ITERATIONS_MIN = 4_096
ITERATIONS_MAX = 10_000_000
SECRET_CHARS_MAX = 256

_GS2_HEADER = "n,,"
_BINDING = base64.b64encode(_GS2_HEADER.encode()).decode()

_is_secret = re.compile(rf"[ -~]{{1,{SECRET_CHARS_MAX}}}").fullmatch
_is_nonce = re.compile(rf"[!-+\--~]{{1,{NONCE_CHARS_MAX}}}").fullmatch
_client_first = re.compile(r"n,,(n=([^,=]+),r=([!-+\--~]+))").fullmatch
_server_first = re.compile(r"r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,7})").fullmatch
_client_final = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)),p=([A-Za-z0-9+/=]+)").fullmatch


class Verifier(NamedTuple):
    """What the venue keeps of a secret (fields as in `bus.commands.CreateKey`)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


def make_verifier(secret: str, salt: bytes, iterations: int) -> Verifier:
    """Return the verifier of a secret.

    Parameters
    ----------
    secret
        1 to 256 printable ASCII characters.
    salt
        `SALT_BYTES` random bytes.
    iterations
        4,096 or more; each log-on of a client costs that many hashes, the server's none.

    Raises
    ------
    FormError
        OUT_OF_RANGE when the secret or the iterations are not as said.
    """
    salted = _salted(secret, salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return Verifier(salt, iterations, stored_key, _hmac(salted, b"Server Key"))


class ClientExchange:
    """The client's side of one log-on: `first`, then `final`, then `check`.

    Parameters
    ----------
    key_id, secret
        The key and its secret.
    nonce
        Fresh random text (`make_nonce`).
    """

    def __init__(self, key_id: str, secret: str, nonce: str) -> None:
        self._bare = f"n={key_id},r={nonce}"
        self._nonce = nonce
        self._secret = secret
        self._signature = b""

    def first(self) -> str:
        """Return the client-first-message."""
        return _GS2_HEADER + self._bare

    def final(self, server_first: str) -> str:
        """Return the client-final-message to a server-first-message.

        Raises
        ------
        SessionError
            LOGON_FAILED when the server's message is not one, names another nonce, or demands fewer than
            4,096 or more than 10,000,000 iterations.
        """
        found = _server_first(server_first)
        if found is None:
            raise _failed("a SCRAM server-first-message", server_first)
        nonce, iterations = found[1], int(found[3])
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise _failed("a nonce that begins with ours", nonce)
        if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
            raise _failed(f"{ITERATIONS_MIN} to {ITERATIONS_MAX} iterations", iterations)
        salted = _salted(self._secret, _decoded(found[2]), iterations)
        without_proof = f"c={_BINDING},r={nonce}"
        signed = f"{self._bare},{server_first},{without_proof}".encode()
        client_key = _hmac(salted, b"Client Key")
        proof = _xor(client_key, _hmac(hashlib.sha256(client_key).digest(), signed))
        self._signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def check(self, server_final: str) -> None:
        """Check that the server knows the key too.

        Raises
        ------
        SessionError
            LOGON_FAILED when its signature is wrong.
        """
        wanted = b"v=" + base64.b64encode(self._signature)
        if not self._signature or not hmac.compare_digest(wanted, server_final.encode("utf-8", "replace")):
            raise _failed("the server's signature", "another")


class ClientFirst(NamedTuple):
    """What a client-first-message says."""

    key_id: str
    nonce: str
    bare: str


def read_client_first(text: str) -> ClientFirst:
    """Return the parts of a client-first-message.

    Raises
    ------
    SessionError
        LOGON_FAILED when it is not one, or asks for channel binding or another identity.
    """
    found = _client_first(text)
    if found is None or not _is_nonce(found[3]):
        raise _failed("a SCRAM client-first-message n,,n=KEY,r=NONCE", text)
    return ClientFirst(found[2], found[3], found[1])


class ServerExchange:
    """The server's side of one log-on, after `read_client_first`.

    Parameters
    ----------
    first
        What the client said.
    verifier
        Of the client's key.
    nonce
        Fresh random text of ours.
    """

    __slots__ = ("_bare", "_nonce", "_verifier", "first_message")

    def __init__(self, first: ClientFirst, verifier: Verifier, nonce: str) -> None:
        self._verifier = verifier
        self._nonce = first.nonce + nonce
        self._bare = first.bare
        salt = base64.b64encode(verifier.salt).decode()
        self.first_message = f"r={self._nonce},s={salt},i={verifier.iterations}"

    def final(self, client_final: str) -> str:
        """Return the server-final-message when the client has proven that it knows the secret.

        Raises
        ------
        SessionError
            LOGON_FAILED when it has not; why is not said.
        """
        found = _client_final(client_final)
        if found is None or found[2] != _BINDING or found[3] != self._nonce:
            raise wrong_secret()
        proof = _decoded(found[4])
        signed = f"{self._bare},{self.first_message},{found[1]}".encode()
        stored_key = self._verifier.stored_key
        if len(proof) != len(stored_key):
            raise wrong_secret()
        client_key = _xor(proof, _hmac(stored_key, signed))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key):
            raise wrong_secret()
        return "v=" + base64.b64encode(_hmac(self._verifier.server_key, signed)).decode()


def made_up_verifier(key_id: str, process_secret: bytes, iterations: int) -> Verifier:
    """Return the verifier to use for a key that does not exist: the same salt for the same key each
    time, as a key that exists would have, and no secret that fits."""
    salt = _hmac(process_secret, b"salt" + key_id.encode())[:SALT_BYTES]
    stored_key = _hmac(process_secret, b"key" + key_id.encode())
    return Verifier(salt, iterations, stored_key, stored_key)


def make_nonce(random_bytes: bytes) -> str:
    """Return random bytes (`NONCE_BYTES` of them) as the text of a nonce."""
    return base64.b64encode(random_bytes).decode()


def wrong_secret() -> SessionError:
    """Return the one error of all log-ons that fail, whatever was wrong."""
    return SessionError(Code.LOGON_FAILED, "expected a known key and proof of its secret, was neither or one")


def _failed(expected: str, was: object) -> SessionError:
    return SessionError(Code.LOGON_FAILED, f"expected {expected}, was {was!r:.80}")


def _salted(secret: str, salt: bytes, iterations: int) -> bytes:
    if not _is_secret(secret):
        raise FormError(
            Code.OUT_OF_RANGE,
            f"expected a secret of 1 to {SECRET_CHARS_MAX} printable ASCII characters, was another",
        )
    if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
        raise FormError(
            Code.OUT_OF_RANGE, f"expected {ITERATIONS_MIN} to {ITERATIONS_MAX} iterations, was {iterations}"
        )
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, iterations)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise wrong_secret() from None


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
