"""The proxy makes the faults that its methods name."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.processes import free_port, wait_until
from tests.proxy import Proxy, proxied


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, and says when its client has gone."""

    gone: list[str]

    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
            self.gone.append("end")
        except ConnectionResetError:
            self.gone.append("reset")


@pytest.fixture
def gone() -> list[str]:
    return []


@pytest.fixture
def proxy(gone: list[str]) -> Iterator[Proxy]:
    handler = type("OneEcho", (Echo,), {"gone": gone})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with proxied("127.0.0.1", server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
        yield client


def echoed(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        answer += client.recv(65_536)
    return answer


def hear(proxy: Proxy) -> bytes:
    """Connect and read; a reset may come at either."""
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
        return client.recv(1)


def silent(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(1) == b"never"
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)


def test_bytes_pass_and_are_counted(proxy: Proxy, client: socket.socket, gone: list[str]) -> None:
    data = bytes(range(256)) * 2000
    assert echoed(client, data) == data
    wait_until(lambda: proxy.count("to_client") == len(data), "all is counted")
    assert proxy.count("to_server") == len(data)
    assert (proxy.connections, proxy.accepted) == (1, 1)
    client.close()
    wait_until(lambda: gone == ["end"] and proxy.connections == 0, "the end is passed on")


def test_a_cut_resets_both_sides_and_the_next_connection_works(
    proxy: Proxy, client: socket.socket, gone: list[str]
) -> None:
    echoed(client, b"x")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    wait_until(lambda: gone == ["reset"], "the server notices")
    assert proxy.connections == 0
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as another:
        assert echoed(another, b"x") == b"x"


def test_refusing_lasts_until_it_is_restored(proxy: Proxy, client: socket.socket) -> None:
    echoed(client, b"x")
    proxy.refuse()
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            hear(proxy)
    proxy.restore()
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as another:
        assert echoed(another, b"x") == b"x"


def test_a_stall_holds_bytes_and_tells_nobody(proxy: Proxy, client: socket.socket, gone: list[str]) -> None:
    echoed(client, b"x")
    before = proxy.count("to_server")
    proxy.stall()
    client.sendall(b"held")
    assert silent(client)
    assert proxy.count("to_server") == before
    assert not gone
    proxy.restore()
    assert client.recv(10) == b"held"


def test_half_open_one_side_hears_and_the_other_does_not(proxy: Proxy, client: socket.socket) -> None:
    echoed(client, b"x")
    proxy.stall("to_client")
    client.sendall(b"heard")
    wait_until(lambda: proxy.count("to_server") == 6, "the server hears")
    assert silent(client)
    proxy.restore()
    assert client.recv(10) == b"heard"


def test_an_abandoned_client_hears_nothing_more(proxy: Proxy, client: socket.socket, gone: list[str]) -> None:
    echoed(client, b"x")
    proxy.abandon()
    wait_until(lambda: gone == ["reset"], "the server's side is gone")
    assert silent(client)
    client.sendall(b"into the void")
    assert silent(client)
    proxy.cut()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.recv(1)


def test_a_delay_is_paid_on_each_way(proxy: Proxy, client: socket.socket) -> None:
    echoed(client, b"x")
    proxy.delay(0.15)
    since = time.monotonic()
    assert echoed(client, b"late") == b"late"
    assert time.monotonic() - since >= 0.3
    proxy.delay(30)
    client.sendall(b"very late")
    proxy.restore()
    assert client.recv(10) == b"very late"


def test_no_server_is_a_reset() -> None:
    with proxied("127.0.0.1", free_port()) as proxy, pytest.raises(ConnectionResetError):
        hear(proxy)
