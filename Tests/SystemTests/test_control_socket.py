"""The control socket itself: who may open it, what happens to its file, and what clients that
misbehave cannot do."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from harness.operators import Pair, Serve, Start
from harness.process import ManagedProcess, run

pytestmark = pytest.mark.fairlead_only

CONNECTIONS = 32  # ControlLimits.connections
PATIENCE_SECONDS = 10  # ControlLimits.patience_s
REQUEST_BYTES = 4096  # ControlLimits.request


@pytest.fixture
def pair(start: Start, serve: Serve) -> Pair:
    return Pair(start, serve)


def open_socket(control: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_SECONDS + 10)
    client.connect(str(control))
    return client


def line(client: socket.socket) -> dict[str, Any]:
    with client.makefile("rb") as stream:
        found = json.loads(stream.readline())
    assert isinstance(found, dict)
    return found


# MARK: the socket


def test_only_the_owner_may_open_it_and_it_goes_with_the_daemon(pair: Pair) -> None:
    about = os.stat(pair.proxy.control)
    assert stat.S_ISSOCK(about.st_mode) and stat.S_IMODE(about.st_mode) == 0o600
    if os.geteuid() == 0:
        pair.proxy.directory.chmod(0o755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c"]
        script = "import socket, sys; socket.socket(1).connect(sys.argv[1])"
        code, _, errors = run([*command, script, str(pair.proxy.control)])
        assert code != 0 and "Permission" in errors
    assert pair.proxy.stop() == 0
    assert not pair.proxy.control.exists()
    code, _, errors = pair.call("status")
    assert code == 2 and "no fairlead answers" in errors


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(pair: Pair) -> None:
    code, output = attempt(pair)
    assert code == 1 and "another fairlead answers there" in output
    assert pair.status()["version"] == 1, "the first one is not disturbed"
    pair.proxy.process.kill()
    assert pair.proxy.control.exists()
    again = ManagedProcess([*pair.proxy.command()])
    try:
        again.stderr.wait_for_text("fairlead is ready", 10)
        assert pair.status()["pid"] == again.pid
    finally:
        again.kill()


def attempt(pair: Pair) -> tuple[int, str]:
    code, out, errors = run(pair.proxy.command())
    return code, out + errors


def test_something_else_in_its_place_is_left_alone(pair: Pair) -> None:
    pair.proxy.stop()
    pair.proxy.control.write_text("precious")
    code, output = attempt(pair)
    assert code == 1 and "something else has this name" in output
    assert pair.proxy.control.read_text() == "precious"


# MARK: clients that misbehave


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\n",
        b"\x00\xff\n",
        b"[]\n",
        b'{"version":2,"command":"status"}\n',
        b'{"version":1,"command":"explode"}\n',
        b'{"version":1,"command":17}\n',
        b"[" * 2000 + b"\n",
        b"x" * (REQUEST_BYTES + 1),
    ],
)
def test_garbage_is_refused_and_the_connection_closed(pair: Pair, sent: bytes) -> None:
    with open_socket(pair.proxy.control) as client:
        client.sendall(sent)
        with client.makefile("rb") as stream:
            answer = json.loads(stream.readline())
            assert answer["ok"] is False and answer["messages"]
            assert stream.read() == b""
    assert pair.status()["version"] == 1


def test_requests_one_after_the_other_and_in_pieces(pair: Pair) -> None:
    request = b'{"version":1,"command":"status"}\n'
    with open_socket(pair.proxy.control) as client:
        client.sendall(request + request[:9])
        assert line(client)["ok"]
        client.sendall(request[9:])
        assert line(client)["ok"]
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as stream:
            assert json.loads(stream.readline())["ok"]
            assert stream.read() == b""


def test_a_client_that_never_finishes_is_closed(pair: Pair) -> None:
    begin = time.monotonic()
    with open_socket(pair.proxy.control) as client:
        client.settimeout(0.5)
        while True:
            try:
                client.send(b" ")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                assert time.monotonic() - begin < PATIENCE_SECONDS + 5
            except (BrokenPipeError, ConnectionResetError):
                break
    assert time.monotonic() - begin > PATIENCE_SECONDS - 2


def test_many_clients_are_bounded_and_do_not_stay(pair: Pair) -> None:
    clients = [open_socket(pair.proxy.control) for _ in range(CONNECTIONS)]
    with open_socket(pair.proxy.control) as client:
        assert "too many connections" in line(client)["messages"][0]
    assert pair.names(4) == {b"a", b"b"}, "sessions do not notice"
    for client in clients:
        assert client.recv(1) == b"", "its time is over"
        client.close()
    assert pair.status()["version"] == 1


def test_clients_that_do_not_read_cost_nothing(pair: Pair) -> None:
    request = b'{"version":1,"command":"status"}\n'
    with open_socket(pair.proxy.control) as client:
        client.setblocking(False)
        begin = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - begin < PATIENCE_SECONDS + 10:
                try:
                    client.send(request)
                except BlockingIOError:
                    time.sleep(0.05)
    assert pair.status()["version"] == 1
