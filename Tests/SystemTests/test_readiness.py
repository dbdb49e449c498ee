"""Servers that are not ready: draining, dead, hung, and nobody ready at all."""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import Authority, Certificate
from harness.peers import ScriptedServer
from harness.ports import free_port
from harness.process import run
from harness.proxies import FAIRLEAD, Fairlead, Proxy
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

Start = Callable[..., Proxy]


class Master:
    """A TLS server that answers checks by path, and names itself for every other line."""

    def __init__(self, name: str, certificate: Certificate) -> None:
        self.name = name
        self.ready = self.live = 200
        self.hangs = False
        self.context = certificate.server_context()
        self.server = ScriptedServer(self.serve)

    def serve(self, connection: socket.socket) -> None:
        if self.hangs:
            connection.settimeout(30)
            connection.recv(1 << 16)
            connection.recv(1)
            return
        try:
            with self.context.wrap_socket(connection, server_side=True) as stream:
                while line := stream.recv(4096):
                    text = line.decode("latin-1")
                    if text.startswith("GET "):
                        code = self.live if "livez" in text else self.ready
                        answer = f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n"
                        stream.sendall(answer.encode())
                        return
                    stream.sendall(self.name.encode())
        except (OSError, ssl.SSLError):
            return


class Stage:
    def __init__(self, start: Start, certificate: Certificate, extra: str, count: int) -> None:
        self.port = free_port()
        self.masters = [Master(f"m{number}", certificate) for number in range(count)]
        servers = "\n".join(
            f'      - {{name: {x.name}, address: "{x.server.address}"}}' for x in self.masters
        )
        text = (
            f"process: {{threads: 2}}\nfrontends: [{{listen: '127.0.0.1:{self.port}'}}]\n"
            f"backends:\n  - name: masters\n    balance: roundrobin\n"
            f"    check: {{interval: 200ms, fastInterval: 200ms, timeout: 0, {extra}}}\n"
            f"    servers:\n{servers}\n"
        )
        proxy = start(text)
        assert isinstance(proxy, Fairlead)
        self.proxy = proxy
        eventually(lambda: all("check" in x for x in self.servers()), 10, "first checks")

    def backend(self) -> dict[str, Any]:
        control = str(self.proxy.control)
        code, out, errors = run([str(FAIRLEAD), "status", "--json", "--control", control])
        assert code == 0, errors
        found = json.loads(out)["backends"][0]
        assert isinstance(found, dict)
        return found

    def servers(self) -> list[dict[str, Any]]:
        return list(self.backend()["servers"])

    def state(self, number: int) -> str:
        return str(self.servers()[number]["state"])

    def session(self) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        return context.wrap_socket(plain)

    def ask(self, stream: ssl.SSLSocket) -> str:
        stream.sendall(b"who\n")
        return stream.recv(16).decode()


@pytest.fixture
def stage(start: Start, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    certificate = Authority(tmp_path).issue("master")
    made: list[Stage] = []

    def make(extra: str = "drainOver: 3s", count: int = 2) -> Stage:
        made.append(Stage(start, certificate, extra, count))
        return made[-1]

    yield make
    for each in made:
        for master in each.masters:
            master.server.close()


def ended(stream: ssl.SSLSocket) -> str:
    """How the session ended: `reset`, `closed`, or `` while it lives. Nothing is read."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLRDHUP)
    events = sum(each for _, each in poll.poll(0))
    if events & select.POLLERR:
        return "reset"
    return "closed" if events & (select.POLLRDHUP | select.POLLHUP) else ""


def on(stage: Stage, name: str, count: int) -> list[ssl.SSLSocket]:
    """Sessions on one server; the others are closed again."""
    found: list[ssl.SSLSocket] = []
    while len(found) < count:
        stream = stage.session()
        if stage.ask(stream) == name:
            found.append(stream)
        else:
            stream.close()
    return found


def test_draining_closes_evenly_and_takes_nobody(stage: Callable[..., Stage]) -> None:
    play = stage()
    streams = on(play, "m0", 6)
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 5, "draining")
    begun = time.monotonic()
    names = {play.ask(play.session()) for _ in range(6)}
    assert names == {"m1"}
    eventually(
        lambda: "/readyz 500, /livez 200: draining" in play.servers()[0]["check"]["words"],
        5,
        "words",
    )
    ends: list[float] = []
    left = list(streams)
    while left and time.monotonic() < begun + 15:
        for stream in list(left):
            if ended(stream):
                ends.append(time.monotonic() - begun)
                left.remove(stream)
    assert len(ends) == 6
    assert 2 < ends[-1] < 6, ends
    assert ends[0] > 0.1 and ends[3] - ends[0] > 0.6, f"spread evenly: {ends}"


def test_back_to_ready_stops_the_closing(stage: Callable[..., Stage]) -> None:
    play = stage("drainOver: 60s")
    streams = on(play, "m0", 4)
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 5, "draining")
    play.masters[0].ready = 200
    eventually(lambda: play.state(0) == "up", 5, "up")
    assert "drain" not in play.servers()[0]
    assert all(play.ask(x) == "m0" for x in streams)


def test_a_dead_server_resets_its_sessions(stage: Callable[..., Stage]) -> None:
    play = stage("drainOver: 0")
    streams = on(play, "m0", 4)
    play.masters[0].ready = play.masters[0].live = 500
    assert {eventually(partial(ended, x), 10, "an end") for x in streams} == {"reset"}
    assert play.state(0) == "down"


def test_a_hung_server_is_found_within_interval_times_fall(stage: Callable[..., Stage]) -> None:
    play = stage()
    streams = on(play, "m0", 2)
    play.masters[0].hangs = True
    begun = time.monotonic()
    assert {eventually(partial(ended, x), 10, "an end") for x in streams} == {"reset"}
    # At most 3 × 200 ms, and room for a busy machine.
    assert time.monotonic() - begun < 3


def test_nobody_ready_fails_open_loudly(stage: Callable[..., Stage]) -> None:
    play = stage()
    for master in play.masters:
        master.ready = 500
    eventually(lambda: play.backend().get("isFailedOpen"), 5, "failed open")
    assert {play.ask(play.session()) for _ in range(6)} == {"m0", "m1"}
    play.proxy.wait_for_lines(1, "backend masters fails open", 5)
    play.masters[0].ready = 200
    eventually(lambda: play.state(0) == "up", 5, "ready")
    play.proxy.wait_for_lines(1, "no longer fails open", 5)
    found = play.backend()
    assert not found["isFailedOpen"] and found["failOpens"] == 1


def test_a_master_that_stops_costs_no_request(stage: Callable[..., Stage]) -> None:
    play = stage()
    failures: list[str] = []
    done = threading.Event()

    def load() -> None:
        until = time.monotonic() + 20
        while not done.is_set() and time.monotonic() < until:
            try:
                with play.session() as stream:
                    if play.ask(stream) not in {"m0", "m1"}:
                        failures.append("no answer")
            except OSError as error:
                failures.append(str(error))
            done.wait(0.02)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        play.masters[0].ready = 500
        eventually(lambda: play.state(0) == "draining", 5, "draining")
        # Its shutdown delay is over when its last session is.
        eventually(lambda: play.servers()[0]["traffic"]["sessions"] == 0, 10, "no session")
        play.masters[0].server.close()
        eventually(lambda: play.state(0) == "down", 5, "dead")
    finally:
        done.set()
        thread.join()
    assert failures == []
