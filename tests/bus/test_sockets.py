"""Sockets: real addresses, private folders, peers refused by size, silence or key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth

from bus import sockets
from bus.errors import Code, ServiceError, SettingsError
from tests.poll import until

Socket = zmq.Socket[bytes]


class Net:
    """A context and everything that was opened in it."""

    def __init__(self) -> None:
        self.context: zmq.Context[Socket] = zmq.Context()
        self._opened: list[Socket] = []

    def bind(self, *args: Any, **options: Any) -> tuple[Socket, str]:
        """Bind a socket."""
        socket, endpoint = sockets.bind(self.context, *args, **options)
        self._opened.append(socket)
        return socket, endpoint

    def connect(self, *args: Any, **options: Any) -> Socket:
        """Connect a socket."""
        self._opened.append(sockets.connect(self.context, *args, **options))
        return self._opened[-1]


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.context.destroy(linger=0)


@pytest.mark.parametrize("asked", ["tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://[::1]:0"])
def test_free_port_is_told(net: Net, asked: str) -> None:
    server, endpoint = net.bind("PULL", asked)
    assert endpoint.startswith(asked[:-1])
    assert not endpoint.endswith((":0", ":*"))
    client = net.connect("PUSH", endpoint)
    client.send(b"hello")
    assert server.poll(5_000)
    assert server.recv() == b"hello"


def test_ipc_lies_in_a_private_folder(net: Net, short_dir: Path) -> None:
    endpoint = f"ipc://{short_dir}/run/socket"
    assert net.bind("ROUTER", endpoint)[1] == endpoint
    assert (short_dir / "run").stat().st_mode & 0o777 == 0o700


def test_folder_open_to_others_is_closed_or_refused(short_dir: Path) -> None:
    folder = short_dir / "run"
    folder.mkdir(mode=0o755)
    sockets.make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    (folder / "someone's").touch()
    with pytest.raises(ServiceError, match="expected a private folder"):
        sockets.make_private(folder)


def test_address_in_use(net: Net) -> None:
    _, endpoint = net.bind("ROUTER", "tcp://127.0.0.1:0")
    with pytest.raises(ServiceError) as caught:
        net.bind("ROUTER", endpoint)
    assert caught.value.code is Code.ADDRESS_IN_USE


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:x", "udp://127.0.0.1:1", "ipc:///dev/null/x"])
def test_impossible_address_is_a_typed_error(net: Net, endpoint: str) -> None:
    with pytest.raises(ServiceError):
        net.bind("ROUTER", endpoint)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:7001", "tcp://127.0.0.1", "smtp://127.0.0.1:25", ""])
def test_what_is_no_address_is_a_setting_and_not_worth_trying_again(net: Net, endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"expected an address such as tcp://127.0.0.1:7001") as caught:
        sockets.connect(net.context, "DEALER", endpoint)
    assert not caught.value.retryable and repr(endpoint) in caught.value.detail


def test_too_large_message_cuts_its_peer_off_alone(net: Net) -> None:
    limits = sockets.Limits(message_bytes_max=100)
    server, endpoint = net.bind("PULL", "tcp://127.0.0.1:0", limits)
    bad = net.connect("PUSH", endpoint)
    good = net.connect("PUSH", endpoint)
    bad.send(b"x" * 101)
    good.send(b"fine")
    assert server.poll(5_000)
    assert server.recv() == b"fine"


def test_router_tells_of_a_peer_that_is_gone(net: Net) -> None:
    server, endpoint = net.bind("ROUTER", "tcp://127.0.0.1:0", mandatory=True)
    client = net.connect("DEALER", endpoint, identity=b"me")
    client.send(b"hello")
    assert server.recv_multipart() == [b"me", b"hello"]
    client.close(linger=0)

    def refused() -> bool:
        try:
            server.send_multipart([b"me", b"still there?"], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            return error.errno == zmq.EHOSTUNREACH
        return False

    assert until(refused)


def test_full_queue_does_not_block_forever(net: Net) -> None:
    """Both marks are 1: a sender without a reader gets Again, it does not grow."""
    limits = sockets.Limits(sndhwm=1, rcvhwm=1)
    pusher = net.connect("PUSH", "tcp://127.0.0.1:1", limits)
    with pytest.raises(zmq.Again):
        for _ in range(10):
            pusher.send(b"x", zmq.NOBLOCK)


@pytest.fixture
def keys(tmp_path: Path) -> sockets.CurveKeys:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    server_public, server_secret = zmq.auth.create_certificates(tmp_path, "server")
    client_public, client_secret = zmq.auth.create_certificates(tmp_path, "client")
    (allowed / "client.key").write_bytes(Path(client_public).read_bytes())
    return sockets.CurveKeys(str(server_secret), str(server_public), str(client_secret), str(allowed))


def test_curve_takes_listed_keys_only(net: Net, keys: sockets.CurveKeys, tmp_path: Path) -> None:
    checker = sockets.authenticator(net.context, keys)
    try:
        server, endpoint = net.bind("PULL", "tcp://127.0.0.1:0", curve=keys)
        stranger_secret = zmq.auth.create_certificates(tmp_path, "stranger")[1]
        strange = sockets.CurveKeys(
            keys.server_secret_file, keys.server_public_file, str(stranger_secret), ""
        )
        plain = net.connect("PUSH", endpoint)
        stranger = net.connect("PUSH", endpoint, curve=strange)
        listed = net.connect("PUSH", endpoint, curve=keys)
        for socket, text in ((plain, b"plain"), (stranger, b"stranger"), (listed, b"listed")):
            socket.send(text)
        assert server.poll(5_000)
        assert server.recv() == b"listed"
        assert not server.poll(200)
    finally:
        checker.stop()


def test_curve_keys_that_are_missing_are_settings(net: Net, keys: sockets.CurveKeys) -> None:
    wrong = sockets.CurveKeys("none", "none", keys.server_public_file, "none")
    with pytest.raises(SettingsError):
        sockets.authenticator(net.context, wrong)
    with pytest.raises(SettingsError):
        net.bind("PULL", "tcp://127.0.0.1:0", curve=wrong)
    with pytest.raises(SettingsError):
        net.connect("PUSH", "tcp://127.0.0.1:1", curve=wrong)
