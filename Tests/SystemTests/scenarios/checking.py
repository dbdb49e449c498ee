"""Health-check plays: state changes of servers that both proxies must log alike."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

from harness.peers import ScriptedServer, echo, read_exactly, silent
from harness.ports import Blackhole, RefusingAddress, free_port
from harness.proxies import Proxy

HEADER = """\
global
    log stdout format raw local0
defaults
    log global
    mode tcp
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend edge
    bind 127.0.0.1:{port}
    default_backend masters
backend masters
"""


class API:
    """A stand-in API server: HTTP answers by path, and a switch for its health."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.body = "ok"
        self.requests: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        request = connection.recv(4096)
        self.requests.append(request)
        head = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.body)}\r\n\r\n"
        connection.sendall((head + self.body).encode())


class Scene:
    """One proxy with a backend, and what the test may switch while it runs."""

    def __init__(self, kind: type[Proxy]) -> None:
        self.kind = kind
        self.stack = ExitStack()
        self.port = free_port()
        self.proxy: Proxy

    def server(self, script: Callable[[socket.socket], None], **options: object) -> ScriptedServer:
        server = ScriptedServer(script, **options)  # type: ignore[arg-type]
        self.stack.callback(server.close)
        return server

    def refusing(self) -> str:
        address = RefusingAddress()
        self.stack.callback(address.close)
        return address.address

    def blackhole(self) -> str:
        hole = Blackhole()
        self.stack.callback(hole.close)
        return hole.address

    def run(self, backend: str) -> None:
        text = HEADER.format(port=self.port)
        text += "".join(f"    {line.strip()}\n" for line in backend.strip().splitlines())
        self.proxy = self.stack.enter_context(self.kind(text))

    def until(self, words: str, count: int = 1) -> None:
        self.proxy.wait_for_lines(count, words, 10)


Play = Callable[[Scene], None]


def connection_refused(scene: Scene) -> None:
    scene.run(f"server a {scene.refusing()} check inter 100ms")
    scene.until("has no server available")


def connect_timeout(scene: Scene) -> None:
    scene.run(f"server a {scene.blackhole()} check inter 300ms")
    scene.until("has no server available")


def down_and_up(scene: Scene) -> None:
    server = scene.server(silent)
    scene.run(f"server a {server.address} check inter 100ms rise 2 fall 3")
    server.stop()
    scene.until("is DOWN")
    server.start()
    scene.until("is UP")


def one_of_two_down(scene: Scene) -> None:
    scene.run(
        f"""server a {scene.refusing()} check inter 100ms
        server b {scene.server(silent).address} check inter 100ms"""
    )
    scene.until("is DOWN")


def running_on_backup(scene: Scene) -> None:
    scene.run(
        f"""server a {scene.refusing()} check inter 100ms
        server spare {scene.server(silent).address} check inter 100ms backup"""
    )
    scene.until("is DOWN")


def backup_down(scene: Scene) -> None:
    scene.run(
        f"""server a {scene.server(silent).address}
        server spare {scene.refusing()} check inter 100ms backup"""
    )
    scene.until("is DOWN")


def sessions_active_when_down(scene: Scene) -> None:
    server = scene.server(echo)
    scene.run(f"server a {server.address} check inter 200ms fall 2")
    client = scene.stack.enter_context(socket.create_connection(("127.0.0.1", scene.port), 10))
    client.sendall(b"x")
    read_exactly(client, 1)
    server.stop(cut=False)
    scene.until("has no server available")


def logged_checks(scene: Scene) -> None:
    """From the first success through a fall to the revival, every change of a check's result."""
    server = scene.server(silent)
    scene.run(f"option log-health-checks\nserver a {server.address} check inter 100ms")
    scene.until("succeeded", 1)
    server.stop()
    scene.until("is DOWN")
    server.start()
    scene.until("is UP")


def logged_first_failure(scene: Scene) -> None:
    scene.run(f"option log-health-checks\nserver a {scene.refusing()} check inter 100ms fall 5")
    scene.until("has no server available")


def http_wrong_status(scene: Scene) -> None:
    api = API()
    api.status, api.body = "503 Nope", "no"
    address = scene.server(api).address
    scene.run(f"option httpchk GET /healthz\nserver a {address} check inter 100ms")
    scene.until("has no server available")


def http_passes_then_fails(scene: Scene) -> None:
    api = API()
    scene.run(
        f"""option httpchk GET /healthz
        option log-health-checks
        server a {scene.server(api).address} check inter 100ms fall 2 rise 2"""
    )
    scene.until("succeeded")
    api.status = "500 Internal Server Error"
    scene.until("is DOWN")
    api.status = "200 OK"
    scene.until("is UP")


def http_expected_status(scene: Scene) -> None:
    api = API()
    api.status = "204 No Content"
    scene.run(
        f"""option httpchk
        http-check send meth GET uri /healthz
        http-check expect status 200
        server a {scene.server(api).address} check inter 100ms"""
    )
    scene.until("has no server available")


def http_expected_string(scene: Scene) -> None:
    scene.run(
        f"""option httpchk GET /healthz
        http-check expect string healthy
        server a {scene.server(API()).address} check inter 100ms"""
    )
    scene.until("has no server available")


def http_server_is_silent(scene: Scene) -> None:
    scene.run(
        f"""option httpchk GET /healthz
        timeout check 300ms
        server a {scene.server(silent).address} check inter 300ms"""
    )
    scene.until("has no server available")


def http_server_talks_something_else(scene: Scene) -> None:
    def nonsense(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    scene.run(f"option httpchk GET /\nserver a {scene.server(nonsense).address} check inter 100ms")
    scene.until("has no server available")


def http_server_closes(scene: Scene) -> None:
    def close(connection: socket.socket) -> None:
        connection.recv(4096)

    scene.run(f"option httpchk GET /\nserver a {scene.server(close).address} check inter 100ms")
    scene.until("has no server available")


def tls_check_of_plain_server(scene: Scene) -> None:
    def nonsense(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    address = scene.server(nonsense).address
    scene.run(f"server a {address} check check-ssl verify none inter 100ms")
    scene.until("has no server available")


def tcp_check_expect(scene: Scene) -> None:
    def not_pong(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(b"-LOADING\r\n")
        silent(connection)

    scene.run(
        f"""option tcp-check
        timeout check 300ms
        tcp-check send PING\\r\\n
        tcp-check expect string +PONG
        server a {scene.server(not_pong).address} check inter 300ms"""
    )
    scene.until("has no server available")


PLAYS: list[Play] = [
    connection_refused,
    connect_timeout,
    down_and_up,
    one_of_two_down,
    running_on_backup,
    backup_down,
    sessions_active_when_down,
    logged_checks,
    logged_first_failure,
    http_wrong_status,
    http_passes_then_fails,
    http_expected_status,
    http_expected_string,
    http_server_is_silent,
    http_server_talks_something_else,
    http_server_closes,
    tls_check_of_plain_server,
    tcp_check_expect,
]
