"""PROXY protocol: headers on the wire, byte for byte as HAProxy writes and accepts them."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import tcplog
from harness.peers import Holding, connect, echo, read_to_end
from harness.proxies import UNDER_TEST, Haproxy, Proxy
from harness.stage import Stage
from harness.waiting import eventually

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


class Recorder:
    """A server that keeps what it received and answers each session with `ok`."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        self.received.append(read_to_end(connection))
        connection.sendall(b"ok")


def one_session(stage: Stage, data: bytes = b"hello") -> tuple[str, int]:
    """Send, half-close, read; returns the client's own address."""
    with stage.connect() as client:
        own = client.getsockname()
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"ok"
        return own[0], own[1]


def sent_header(kind: type[Proxy], options: str) -> bytes:
    """What a server with `options` receives before `hello`, the ports replaced."""
    recorder = Recorder()
    with Stage(kind) as stage:
        stage.run(f"server a {stage.server(recorder).address} {options}")
        _, port = one_session(stage)
        received = recorder.received[0]
        assert received.endswith(b"hello"), received
        for value, name in ((port, b"CLIENTPORT"), (stage.port, b"FRONTPORT")):
            received = received.replace(b"%d" % value, name)
            received = received.replace(struct.pack("!H", value), name)
        return received


def both(call: Callable[[type[Proxy]], object]) -> tuple[object, object]:
    with ThreadPoolExecutor(2) as pool:
        reference, actual = pool.map(call, (Haproxy, UNDER_TEST))
    return reference, actual


V1 = b"PROXY TCP4 127.0.0.1 127.0.0.1 CLIENTPORT FRONTPORT\r\nhello"
V2 = (
    SIGNATURE + b"\x21\x11\x00\x0c" + bytes([127, 0, 0, 1]) * 2 + b"CLIENTPORTFRONTPORThello"
)  # version 2 PROXY, TCP over IPv4, 12 bytes of addresses


@pytest.mark.parametrize(("options", "expected"), [("send-proxy", V1), ("send-proxy-v2", V2)])
def test_header_sent_to_servers(options: str, expected: bytes) -> None:
    reference, actual = both(lambda kind: sent_header(kind, options))
    assert reference == expected
    assert actual == reference


def ipv6_header(kind: type[Proxy], options: str) -> bytes:
    recorder = Recorder()
    with Stage(kind) as stage:
        server = stage.server(recorder)
        stage.run(f"server a {server.address} {options}", frontend=f"bind [::1]:{stage.port}")
        with connect(stage.port, "::1") as client:
            port = client.getsockname()[1]
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            read_to_end(client)
        header = recorder.received[0]
        for value, name in ((port, b"CLIENTPORT"), (stage.port, b"FRONTPORT")):
            header = header.replace(b"%d" % value, name).replace(struct.pack("!H", value), name)
        return header


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2"])
def test_header_for_ipv6_clients(options: str) -> None:
    reference, actual = both(lambda kind: ipv6_header(kind, options))
    assert actual == reference


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2"])
def test_header_is_sent_without_client_data(options: str) -> None:
    """A server that speaks first still gets the header first."""

    def header(kind: type[Proxy]) -> bytes:
        seen: list[bytes] = []
        hold = Holding()

        def script(connection: socket.socket) -> None:
            seen.append(connection.recv(200))
            hold(connection)

        with Stage(kind) as stage:
            stage.run(f"server a {stage.server(script).address} {options}")
            client = stage.connect()
            port = client.getsockname()[1]
            eventually(lambda: seen, 5, "the header")
            hold.release()
            header = seen[0]
            for value, name in ((port, b"CLIENTPORT"), (stage.port, b"FRONTPORT")):
                header = header.replace(b"%d" % value, name)
                header = header.replace(struct.pack("!H", value), name)
            return header

    reference, actual = both(header)
    assert reference
    assert actual == reference


@pytest.mark.parametrize(
    "options",
    ["send-proxy", "send-proxy-v2", "check-send-proxy", "send-proxy port {port}"],
)
def test_header_of_checks(options: str) -> None:
    """What a check sends: a header of its own, LOCAL in version 2."""

    def first_bytes(kind: type[Proxy]) -> bytes:
        seen: list[bytes] = []

        def script(connection: socket.socket) -> None:
            try:
                seen.append(connection.recv(200))
            except ConnectionResetError:
                seen.append(b"")

        with Stage(kind) as stage:
            server = stage.server(script)
            words = options.format(port=server.port)
            stage.run(
                f"option log-health-checks\nserver a {server.address} check inter 100ms {words}"
            )
            stage.logged("Health check for server masters/a succeeded")
            if "port" not in words:
                eventually(lambda: seen, 5, "a check")
            # A plain connect check may be reset before the server ever accepts it.
            return re.sub(rb"\d{4,5}", b"PORT", seen[0] if seen else b"")

    reference, actual = both(first_bytes)
    assert actual == reference


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body


ADDRESSES = bytes([192, 0, 2, 7]) + bytes([198, 51, 100, 9]) + struct.pack("!HH", 4711, 6443)
TLV = b"\x04\x00\x03\x00\x00\x00"  # PP2_TYPE_NOOP with three bytes, to be skipped

ACCEPTED = {
    "v1": (b"PROXY TCP4 192.0.2.7 198.51.100.9 4711 6443\r\n", "192.0.2.7:4711"),
    "v1-ipv6": (b"PROXY TCP6 2001:db8::7 2001:db8::9 4711 6443\r\n", "2001:db8::7:4711"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1:{port}"),
    "v2": (v2(1, 0x11, ADDRESSES), "192.0.2.7:4711"),
    "v2-tlv": (v2(1, 0x11, ADDRESSES + TLV), "192.0.2.7:4711"),
    "v2-local": (v2(0, 0x00, b""), "127.0.0.1:{port}"),
}


def accepted_line(kind: type[Proxy], header: bytes) -> tuple[str, int, bytes]:
    """The log line of a session that began with `header`, and what the server got."""
    recorder = Recorder()
    with Stage(kind) as stage:
        stage.run(
            f"server a {stage.server(recorder).address}",
            frontend=f"bind 127.0.0.2:{stage.port} accept-proxy",
        )
        with connect(stage.port, "127.0.0.2") as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = client.getsockname()[1]
            client.sendall(header + b"hello")
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b"ok"
        line = stage.logged("masters/a")[0]
        return line, port, recorder.received[0]


@pytest.mark.parametrize("name", list(ACCEPTED))
def test_accepted_headers_replace_the_client_address(name: str) -> None:
    header, client = ACCEPTED[name]
    for kind in (Haproxy, UNDER_TEST):
        line, port, received = accepted_line(kind, header)
        assert received == b"hello"
        fields = tcplog.parse(line)
        assert f"{fields['ci']}:{fields['cp']}" == client.format(port=port), kind.kind


REFUSED = {
    "no-header": b"GET / HTTP/1.0\r\n\r\n",
    "v1-broken": b"PROXY TCP4 nonsense\r\n\r\n",
    "v1-endless": b"PROXY TCP4 " + b"1" * 200,
    "v2-broken-version": SIGNATURE + b"\x11\x11\x00\x0c" + ADDRESSES,
    "truncated": ACCEPTED["v2"][0][:20],
    "nothing": b"",
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_bad_headers_are_refused_and_logged(name: str) -> None:
    """The connection is closed, no server sees it, and the log line says why."""

    def line(kind: type[Proxy]) -> str:
        with Stage(kind) as stage:
            server = stage.server(echo)
            stage.run(
                f"server a {server.address}",
                frontend=f"bind 127.0.0.2:{stage.port} accept-proxy name pp",
            )
            with connect(stage.port, "127.0.0.2") as client:
                try:
                    client.sendall(REFUSED[name])
                    client.shutdown(socket.SHUT_WR)
                    assert read_to_end(client) == b""
                except OSError:
                    pass  # refused before the end was sent
            found = stage.logged("127.0.0.1:")[0]
            assert server.accepted == 0
            return re.sub(r"\d+", "9", found)

    reference, actual = both(line)
    assert actual == reference
