"""SCRAM-SHA-256 against the vector of RFC 7677, and against those who do not know the secret."""

import base64

import pytest

from bus.errors import Code, FormError, SessionError
from bus.scram import (
    ClientExchange,
    ServerExchange,
    made_up_verifier,
    make_nonce,
    make_verifier,
    read_client_first,
)

# RFC 7677, section 3: user "user", password "pencil".
CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_FIRST = f"r={CLIENT_NONCE}{SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = f"c=biws,r={CLIENT_NONCE}{SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
VERIFIER = make_verifier("pencil", SALT, 4096)


def server(first: str) -> ServerExchange:
    """Return the server's side as in the RFC."""
    return ServerExchange(read_client_first(first), VERIFIER, SERVER_NONCE)


def test_the_vector_of_rfc_7677_from_the_clients_side() -> None:
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    assert client.first() == f"n,,n=user,r={CLIENT_NONCE}"
    assert client.final(SERVER_FIRST) == CLIENT_FINAL
    client.check(SERVER_FINAL)


def test_the_vector_of_rfc_7677_from_the_servers_side() -> None:
    exchange = server(f"n,,n=user,r={CLIENT_NONCE}")
    assert exchange.first_message == SERVER_FIRST
    assert exchange.final(CLIENT_FINAL) == SERVER_FINAL


def test_a_wrong_secret_proves_nothing() -> None:
    client = ClientExchange("user", "pencils", CLIENT_NONCE)
    exchange = server(client.first())
    with pytest.raises(SessionError) as caught:
        exchange.final(client.final(exchange.first_message))
    assert caught.value.code is Code.LOGON_FAILED


def test_a_log_on_seen_before_cannot_be_played_again() -> None:
    other = ServerExchange(read_client_first(f"n,,n=user,r={CLIENT_NONCE}"), VERIFIER, "another-nonce")
    with pytest.raises(SessionError):
        other.final(CLIENT_FINAL)


@pytest.mark.parametrize(
    "final",
    [
        "",
        "c=biws",
        CLIENT_FINAL[:-5],
        CLIENT_FINAL.replace("biws", "eSws"),
        CLIENT_FINAL.replace("p=dHzb", "p=dHzc"),
        CLIENT_FINAL.replace("p=", "p=AAAA"),
        CLIENT_FINAL + ",x=1",
        "\x00" * 100,
    ],
)
def test_a_broken_proof_is_no_proof(final: str) -> None:
    with pytest.raises(SessionError):
        server(f"n,,n=user,r={CLIENT_NONCE}").final(final)


@pytest.mark.parametrize(
    "first",
    ["", "n,,", "y,,n=user,r=abc", "p=tls-unique,,n=user,r=abc", "n,a=other,n=user,r=abc", "n,,n=,r=abc",
     "n,,n=user,r=", "n,,n=user,r=a b", "n,,n=user,r=abc,x=1", "n,,n=user,r=" + "a" * 300],
)  # fmt: skip
def test_a_broken_client_first_message_is_refused(first: str) -> None:
    with pytest.raises(SessionError) as caught:
        read_client_first(first)
    assert caught.value.code is Code.LOGON_FAILED


@pytest.mark.parametrize(
    "first",
    [
        "",
        SERVER_FIRST.replace("r=r", "r=x"),
        f"r={CLIENT_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        SERVER_FIRST.replace("4096", "1"),
        SERVER_FIRST.replace("4096", "99999999"),
        SERVER_FIRST.replace("s=W22", "s=W2"),
    ],
)
def test_a_client_trusts_no_odd_server(first: str) -> None:
    with pytest.raises(SessionError):
        ClientExchange("user", "pencil", CLIENT_NONCE).final(first)


@pytest.mark.parametrize("final", ["", "v=", SERVER_FINAL[:-4], "e=invalid-proof"])
def test_a_server_that_does_not_know_the_key_is_found_out(final: str) -> None:
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    client.final(SERVER_FIRST)
    with pytest.raises(SessionError):
        client.check(final)


def test_a_made_up_verifier_is_always_the_same_for_a_key_and_looks_like_one() -> None:
    one, again = (made_up_verifier("ghost", b"secret", 4096) for _ in range(2))
    other = made_up_verifier("spook", b"secret", 4096)
    assert one == again and one.salt != other.salt
    assert [len(part) for part in (one.salt, one.stored_key, one.server_key)] == [16, 32, 32]


@pytest.mark.parametrize("secret", ["", "pencil\n", "crayön", "x" * 257])
def test_secrets_are_printable_ascii(secret: str) -> None:
    with pytest.raises(FormError):
        make_verifier(secret, SALT, 4096)


def test_too_few_iterations_are_refused() -> None:
    with pytest.raises(FormError):
        make_verifier("pencil", SALT, 4095)


def test_a_nonce_is_text_without_commas() -> None:
    assert "," not in make_nonce(bytes(range(18)))
