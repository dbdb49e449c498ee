"""The run-time sentences of "the ten things that are easiest to get wrong".

The ten are numbered. What concerns half-close, balancing and retries is compared line by line
in `test_tcplog_parity.py`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.peers import ScriptedServer, echo, named, read_exactly, read_to_end, silent
from harness.ports import RefusingAddress, free_port
from harness.proxies import UNDER_TEST, Proxy

Start = Callable[..., Proxy]
Serve = Callable[..., ScriptedServer]

HEADER = """\
global
    nbthread 2
    log stdout format raw local0
defaults
    log global
    mode tcp
    timeout connect 1s
    timeout client 5s
    timeout server 5s
"""


def listen(bind: str, *lines: str) -> str:
    return HEADER + "".join(f"{x}\n" for x in ("listen edge", f"    bind {bind}", *lines))


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 2) as client:
            client.sendall(b"hi")
            return read_exactly(client, 2) == b"hi"
    except ConnectionRefusedError:
        return False


def test_1_balance_defaults_to_round_robin(start: Start, serve: Serve) -> None:
    port = free_port()
    servers = [f"    server {x} {serve(named(x)).address}" for x in "ABC"]
    start(listen(f"127.0.0.1:{port}", *servers))
    names = []
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", port)) as client:
            names.append(client.recv(1).decode())
    assert "".join(names) == "ABCABC"


def test_2_client_timeout_sends_fin_to_the_server_and_waits(start: Start, serve: Serve) -> None:
    """After `timeout client` the server sees FIN and may still answer; the session then ends."""
    port = free_port()
    seen: list[float] = []

    def answer_after_fin(connection: socket.socket) -> None:
        begin = time.monotonic()
        read_to_end(connection)
        seen.append(time.monotonic() - begin)
        connection.sendall(b"late answer")

    server = serve(answer_after_fin)
    start(listen(f"127.0.0.1:{port}", "    timeout client 500ms", f"    server a {server.address}"))
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"question")
        assert read_to_end(client) == b"late answer"
    assert 0.4 <= seen[0] <= 1.5


@pytest.mark.parametrize("fall", [1, 3, 10])
def test_3_first_failed_check_marks_down_whatever_fall_is(start: Start, fall: int) -> None:
    refusing = RefusingAddress()
    server = f"    server a {refusing.address} check inter 500ms fall {fall}"
    proxy = start(listen(f"127.0.0.1:{free_port()}", server))
    begin = time.monotonic()
    proxy.wait_for_lines(1, "Server edge/a is DOWN", 5)
    assert time.monotonic() - begin < 0.45, "one failed check is enough"
    refusing.close()


def test_4_tcp_check_without_rules_is_a_plain_connect(start: Start, serve: Serve) -> None:
    received: list[bytes] = []

    def note(connection: socket.socket) -> None:
        try:
            received.append(read_to_end(connection))
        except ConnectionResetError:
            received.append(b"")

    server = serve(note)
    proxy = start(
        listen(
            f"127.0.0.1:{free_port()}",
            "    option tcp-check",
            "    option log-health-checks",
            f"    server a {server.address} check inter 200ms",
        )
    )
    proxy.wait_for_lines(1, "Health check for server edge/a succeeded", 5)
    server.close()
    proxy.wait_for_lines(1, "Health check for server edge/a failed", 5)
    # The connection may be reset before the server takes it; but nothing is ever said on it.
    assert set(received) <= {b""}


@pytest.mark.parametrize(
    ("options", "first_bytes"),
    [
        (["option tcp-check", "option httpchk GET /last"], b"GET /last HTTP/1.0\r\n"),
        (["option httpchk", "option ssl-hello-chk"], b"\x16\x03"),
        (["option ssl-hello-chk", "option httpchk"], b"OPTIONS / HTTP/1.0\r\n"),
    ],
)
def test_4_last_check_option_wins(
    start: Start, serve: Serve, options: list[str], first_bytes: bytes
) -> None:
    received: list[bytes] = []

    def note(connection: socket.socket) -> None:
        received.append(connection.recv(4096))

    server = serve(note)
    proxy = start(
        listen(
            f"127.0.0.1:{free_port()}",
            *(f"    {option}" for option in options),
            f"    server a {server.address} check inter 200ms",
        )
    )
    proxy.wait_for_lines(1, "Server edge/a is DOWN", 5)
    assert received[0].startswith(first_bytes), received


def test_4_tcp_check_after_httpchk_is_a_plain_connect(start: Start, serve: Serve) -> None:
    server = serve(silent)
    proxy = start(
        listen(
            f"127.0.0.1:{free_port()}",
            "    option httpchk GET /healthz",
            "    option tcp-check",
            "    option log-health-checks",
            f"    server a {server.address} check inter 200ms",
        )
    )
    proxy.wait_for_lines(1, "succeeded, reason: Layer4 check passed", 5)


@pytest.mark.parametrize(
    ("bind", "ipv4", "ipv6"),
    [
        (":{port}", True, False),
        ("*:{port}", True, False),
        ("0.0.0.0:{port}", True, False),
        (":::{port}", True, True),
        ("[::]:{port}", True, True),
        (":::{port} v4v6", True, True),
        (":::{port} v6only", False, True),
        ("::1:{port}", False, True),
        ("127.0.0.1:{port},[::1]:{port}", True, True),
    ],
)
def test_6_address_families(
    start: Start, serve: Serve, bind: str, ipv4: bool, ipv6: bool
) -> None:
    port = free_port()
    start(listen(bind.format(port=port), f"    server a {serve(echo).address}"))
    assert (answers("127.0.0.1", port), answers("::1", port)) == (ipv4, ipv6)


def test_port_ranges(start: Start, serve: Serve) -> None:
    first = free_port()
    while any(_taken(first + n) for n in range(3)):
        first = free_port()
    start(listen(f"127.0.0.1:{first}-{first + 2}", f"    server a {serve(echo).address}"))
    assert all(answers("127.0.0.1", first + n) for n in range(3))


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def check(folder: Path, text: str) -> tuple[int, str]:
    file = folder / "haproxy.cfg"
    file.write_bytes(text.encode())
    return UNDER_TEST.check(file)


def test_7_missing_final_newline_is_fatal(tmp_path: Path) -> None:
    text = listen("127.0.0.1:1", "    server a 127.0.0.1:2")
    assert check(tmp_path, text)[0] == 0
    code, words = check(tmp_path, text.rstrip("\n"))
    assert code == 1
    assert "missing lf on last line" in words.lower()


def test_7_crlf_is_fine(tmp_path: Path) -> None:
    text = listen("127.0.0.1:1", "    server a 127.0.0.1:2")
    assert check(tmp_path, text.replace("\n", "\r\n"))[0] == 0


LEFTOVERS = """\
    option httplog
    option http-server-close
    option forwardfor except 127.0.0.0/8
    timeout http-request 10s
    timeout http-keep-alive 10s
    timeout tarpit 10s
    errorfile 503 /dev/null
    stats enable
    stats uri /stats
    monitor-uri /healthz
"""


def test_8_http_leftovers_do_not_stop_a_tcp_proxy(start: Start, serve: Serve) -> None:
    port = free_port()
    text = listen(f"127.0.0.1:{port}", LEFTOVERS.replace("    errorfile 503 /dev/null\n", ""))
    start(text + f"    server a {serve(echo).address}\n")
    assert answers("127.0.0.1", port)


def test_8_httplog_falls_back_to_tcplog(start: Start, serve: Serve) -> None:
    port = free_port()
    lines = ("    option httplog", f"    server a {serve(echo).address}")
    proxy = start(listen(f"127.0.0.1:{port}", *lines))
    assert answers("127.0.0.1", port)
    proxy.wait_for_lines(1, " edge edge/a ", 5)


@pytest.mark.parametrize("option", ["check check-ssl"])
def test_10_verify_is_required_by_default(tmp_path: Path, option: str) -> None:
    text = listen("127.0.0.1:1", "    server a 127.0.0.1:2 {}")
    code, words = check(tmp_path, text.format(option))
    assert code == 1
    assert "verify" in words
    assert check(tmp_path, text.format(f"{option} verify none"))[0] == 0
    relaxed = text.format(option).replace("nbthread 2", "ssl-server-verify none")
    assert check(tmp_path, relaxed)[0] == 0
