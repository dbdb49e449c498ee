"""Operator commands over the control socket: what they show, what they do, and what clients
that misbehave cannot do."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.peers import ScriptedServer, connect, named, read_exactly, silent
from harness.ports import free_port
from harness.process import ManagedProcess, run
from harness.proxies import FAIRLEAD, Fairlead, Proxy
from harness.routers import Settings
from harness.waiting import eventually

Start = Callable[..., Proxy]
Serve = Callable[..., ScriptedServer]

pytestmark = pytest.mark.fairlead_only

CONNECTIONS = 32  # ControlLimits.connections
PATIENCE_SECONDS = 10  # ControlLimits.patience_s
REQUEST_BYTES = 4096  # ControlLimits.request

TEXT = """\
global
    nbthread 2
defaults
    mode tcp
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend edge
    bind 127.0.0.1:{port}
    default_backend masters
backend masters
    server a {a}
    server b {b} check inter 100ms
"""


class Pair:
    """A proxy with two servers, `a` without checks and `b` with them."""

    def __init__(self, start: Start, serve: Serve) -> None:
        self.port = free_port()
        self.a, self.b = serve(named("a")), serve(named("b"))
        self.text = TEXT.format(port=self.port, a=self.a.address, b=self.b.address)
        proxy = start(self.text)
        assert isinstance(proxy, Fairlead)
        self.proxy = proxy

    def call(self, *words: str) -> tuple[int, str, str]:
        return call(self.proxy.control, *words)

    def status(self) -> dict[str, Any]:
        return status(self.proxy.control)

    def server(self, name: str) -> dict[str, Any]:
        (backend,) = self.status()["backends"]
        return next(each for each in backend["servers"] if each["name"] == name)

    def names(self, count: int) -> set[bytes]:
        found = set()
        for _ in range(count):
            with connect(self.port) as client:
                found.add(read_exactly(client, 1))
        return found


@pytest.fixture
def pair(start: Start, serve: Serve) -> Pair:
    return Pair(start, serve)


def call(control: Path, *words: str) -> tuple[int, str, str]:
    return run([str(FAIRLEAD), *words, "--control", str(control)])


def status(control: Path) -> dict[str, Any]:
    code, out, errors = call(control, "status", "--json")
    assert code == 0, errors
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


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


# MARK: status


def test_status_tells_what_there_is(pair: Pair) -> None:
    for _ in range(4):
        assert pair.names(1) <= {b"a", b"b"}
    eventually(lambda: pair.server("b").get("check"), 5, "the first check")
    eventually(lambda: pair.status()["sessions"] == 0, 5, "sessions have ended")
    found = pair.status()
    assert found["version"] == 1 and found["pid"] == pair.proxy.process.pid
    assert found["accepted"] == 4 and found["routers"] == []
    (frontend,) = found["frontends"]
    assert frontend["addresses"] == [f"127.0.0.1:{pair.port}"]
    assert frontend["backend"] == "masters" and frontend["traffic"]["total"] == 4
    a, b = found["backends"][0]["servers"]
    assert (a["state"], a["isChecked"], a["traffic"]["total"]) == ("up", False, 2)
    assert "check" not in a and a["address"] == pair.a.address
    assert (b["state"], b["check"]["status"]) == ("up", "L4OK")
    assert b["check"]["words"] == "Layer4 check passed"
    code, out, _ = pair.call("status")
    assert code == 0 and "masters" in out and "Layer4 check passed" in out
    assert "\x1b" not in out, "no colour unless on a terminal"


def test_a_dead_server_is_told_with_its_reason(pair: Pair) -> None:
    pair.b.close()
    eventually(lambda: pair.server("b")["state"] == "down", 10, "down")
    server = pair.server("b")
    assert server["check"]["status"] == "L4CON" and server["since"] <= time.time()
    assert "DOWN" in pair.call("status")[1]


# MARK: drain


def test_drain_moves_new_sessions_and_keeps_old_ones(start: Start, serve: Serve) -> None:
    pair = Pair(start, serve)
    kept = connect(pair.port)  # 'a' is first in turn, and its script ends when we do
    first = read_exactly(kept, 1)
    name = first.decode()
    code, out, errors = pair.call("drain", f"masters/{name}")
    assert code == 0 and f"masters/{name} is drained" in out, errors
    other = {"a": b"b", "b": b"a"}[name]
    eventually(lambda: pair.names(1) == {other}, 5, "the workers know")
    assert pair.names(10) == {other}
    assert pair.server(name)["state"] == "drained"
    assert pair.call("drain", name)[1].strip() == f"masters/{name} is drained already"
    assert pair.proxy.reload(), "a reload keeps it"
    assert pair.names(6) == {other} and pair.server(name)["isDrained"]
    code, out, _ = pair.call("undrain", name)
    assert code == 0 and "no longer" in out
    eventually(lambda: pair.names(2) == {b"a", b"b"}, 5, "both take turns")
    assert pair.server(name)["state"] == "up"
    kept.close()


def test_a_drained_server_keeps_its_sessions(start: Start, serve: Serve) -> None:
    pair = Pair(start, lambda script: serve(silent))
    client = connect(pair.port)
    eventually(lambda: pair.a.accepted + pair.b.accepted > 0, 5, "a session")
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 1, 5, "on a")
    pair.call("drain", "a")
    for _ in range(3):
        assert pair.server("a")["traffic"]["sessions"] == 1
        client.sendall(b"still here")
    client.close()
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 0, 5, "ended by the client")


def test_the_last_server_may_be_drained_and_that_is_said(pair: Pair) -> None:
    pair.call("drain", "a")
    _, out, _ = pair.call("drain", "b")
    assert "warning: no other server of 'masters'" in out


@pytest.mark.parametrize("words", [("drain", "nobody"), ("undrain", "other/a")])
def test_an_unknown_server_is_an_error(pair: Pair, words: tuple[str, str]) -> None:
    code, _, errors = pair.call(*words)
    assert code == 1 and f"there is no server '{words[1]}'" in errors


def test_sessions_are_listed_the_oldest_first(start: Start, serve: Serve) -> None:
    pair = Pair(start, lambda script: serve(silent))
    clients = [connect(pair.port)]
    eventually(lambda: pair.status()["sessions"] == 1, 5, "the first")
    clients += [connect(pair.port) for _ in range(3)]
    clients[0].sendall(b"hello")
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 2, 5, "two on a")

    def listed(*words: str) -> dict[str, Any]:
        return json.loads(pair.call("sessions", "--json", *words)[1])

    def all_there() -> dict[str, Any] | None:
        found = listed()
        states = [each["state"] for each in found["sessions"]]
        first = found["sessions"][0]["bytesIn"] if states else 0
        return found if states == ["established"] * 4 and first == 5 else None

    found = eventually(all_there, 5, "four sessions, and the first one's bytes")
    assert found["matching"] == 4
    first = found["sessions"][0]
    host, port = clients[0].getsockname()
    assert first["client"] == f"{host}:{port}" and first["local"] == f"127.0.0.1:{pair.port}"
    assert first["frontend"] == "edge" and first["backend"] == "masters"
    assert [each["age"] for each in found["sessions"]] == sorted(
        (each["age"] for each in found["sessions"]), reverse=True
    )
    only = listed("--server", "b")
    assert only["matching"] == 2 and {each["server"] for each in only["sessions"]} == {"b"}
    short = listed("--limit", "1")
    assert short["matching"] == 4 and [each["client"] for each in short["sessions"]] == [
        first["client"]
    ]
    code, out, _ = pair.call("sessions", "--limit", "3")
    assert code == 0 and "masters/a" in out and "and 1 more" in out
    code, _, errors = pair.call("sessions", "--server", "nobody")
    assert code == 1 and "there is no server 'nobody'" in errors
    for client in clients:
        client.close()
    eventually(lambda: pair.call("sessions")[1].strip() == "no sessions", 5, "they are gone")


# MARK: reload


def test_reload_tells_its_outcome(pair: Pair) -> None:
    code, out, _ = pair.call("reload")
    assert code == 0 and "reload done" in out
    pair.proxy.file.write_text(pair.text + "    servr c 127.0.0.1:1\n")
    code, _, errors = pair.call("reload")
    assert code == 1 and "servr" in errors and "the running configuration stays" in errors
    assert f"{pair.proxy.file}:14:5: error" in errors
    assert pair.names(2) == {b"a", b"b"}
    taken = pair.text.replace("bind 127", "bind 192.0.2.1:1 interface nowhere\n    bind 127")
    pair.proxy.file.write_text(taken)
    assert pair.call("reload")[0] == 1
    assert pair.names(2) == {b"a", b"b"}


# MARK: events


def test_events_as_they_happen_and_afterwards(pair: Pair) -> None:
    command = [str(FAIRLEAD), "events", "--follow", "--json", "--control"]
    follower = ManagedProcess([*command, str(pair.proxy.control)])
    try:
        assert follower.stdout is not None
        follower.stdout.wait_for_text('"start"', 5)
        pair.call("drain", "a")
        follower.stdout.wait_for_text("masters/a is drained", 5)
        pair.b.close()
        down = json.loads(follower.stdout.wait_for_text('"to":"down"', 10))
        assert (down["kind"], down["subject"], down["from"]) == ("server", "masters/b", "up")
        pair.call("reload")
        follower.stdout.wait_for_text("reload done", 5)
        code, out, _ = pair.call("events")
        assert code == 0 and len(out.splitlines()) == 4
        assert "masters/b is down (Layer4 connection problem" in out
        pair.proxy.stop()
        assert follower.wait(5) == 1, "the daemon's end ends it"
    finally:
        follower.kill()


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


# MARK: virtual routers


@pytest.mark.limit(90)
def test_status_and_events_of_virtual_routers(make_cluster: Callable[..., Cluster]) -> None:
    settings = Settings(version=3, interval="0.1", priority=150)
    cluster = make_cluster("fairlead", "fairlead")
    cluster.start(settings, settings.with_(priority=100))
    master, backup = cluster.nodes
    cluster.settle(master)
    controls = [node.directory / "control.sock" for node in (master, backup)]

    def router(number: int) -> dict[str, Any]:
        (found,) = status(controls[number])["routers"]
        return found

    first = router(0)
    assert (first["state"], first["priority"], first["master"]) == ("master", 150, "this node")
    assert first["addresses"] == ["10.0.0.179/26"] and first["id"] == 51
    assert first["reason"] and 0 <= time.time() - first["since"] < 60
    second = router(1)
    assert (second["state"], second["master"]) == ("backup", "10.0.0.131")
    assert "MASTER" in call(controls[0], "status")[1]
    master.stop()
    eventually(lambda: router(1)["state"] == "master", 10, "the other takes over")
    assert router(1)["reason"] == "the master resigned"
    code, out, _ = call(controls[1], "events", "--json")
    moves = [json.loads(each) for each in out.splitlines()]
    states = [each["to"] for each in moves if each["kind"] == "router"]
    assert code == 0 and states[-2:] == ["backup", "master"], out
