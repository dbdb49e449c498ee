"""Reload in place and drain: no connection refused, no stream broken, errors keep what runs.

Against HAProxy the master process (`-W`) reloads, which forks a worker each time; it gets
fewer reloads and proves the load generator.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.peers import ScriptedServer, connect, echo, named, read_exactly, read_to_end
from harness.ports import free_port
from harness.procfs import descriptor_kinds
from harness.proxies import UNDER_TEST, Proxy
from harness.waiting import eventually

Start = Callable[..., Proxy]
Serve = Callable[..., ScriptedServer]

IS_HAPROXY = UNDER_TEST.kind == "haproxy"
RELOADS = 8 if IS_HAPROXY else 50
STREAMS = 20
CONNECTORS = 4
PAUSE_SECONDS = 0.005  # between new connections of one connector: some 500 per second in all

HEADER = """\
global
    nbthread 2
    log stdout format raw local0
    {options}
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""


def configuration(*listeners: tuple[int, str], options: str = "") -> str:
    text = HEADER.format(options=options)
    for number, (port, servers) in enumerate(listeners):
        text += f"listen l{number}\n    bind 127.0.0.1:{port}\n"
        for name, address in enumerate(servers.split()):
            text += f"    server s{name} {address}\n"
    return text


class Load:
    """New connections and long streams until stopped; keeps every failure."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.failures: list[str] = []
        self.connections = 0
        self.exchanges = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        work = [self._connect] * CONNECTORS + [self._stream] * STREAMS
        self._threads = [threading.Thread(target=call, daemon=True) for call in work]
        for thread in self._threads:
            thread.start()

    def _fail(self, what: str, error: BaseException) -> None:
        with self._lock:
            self.failures.append(f"{what}: {error!r}")

    def _connect(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                with connect(self.port, timeout=10) as client:
                    client.sendall(b"hello")
                    assert read_exactly(client, 5) == b"hello"
                    client.shutdown(socket.SHUT_WR)
                    assert read_to_end(client) == b""
            except (OSError, AssertionError) as error:
                self._fail("new connection", error)
            with self._lock:
                self.connections += 1

    def _stream(self) -> None:
        number = 0
        try:
            with connect(self.port, timeout=10) as client:
                while not self._stop.wait(0.02):
                    number += 1
                    text = b"%08d" % number
                    client.sendall(text)
                    assert read_exactly(client, 8) == text
                    with self._lock:
                        self.exchanges += 1
        except (OSError, AssertionError) as error:
            self._fail(f"stream after {number} exchanges", error)

    def progress(self) -> int:
        with self._lock:
            return min(self.connections, self.exchanges)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)


@pytest.fixture
def load() -> Iterator[Callable[[int], Load]]:
    loads: list[Load] = []

    def starter(port: int) -> Load:
        loads.append(Load(port))
        return loads[-1]

    yield starter
    for item in loads:
        item.stop()


@pytest.mark.limit(120)
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2], ids=lambda number: number.name)
def test_many_reloads_under_load(
    start: Start, serve: Serve, load: Callable[[int], Load], number: signal.Signals
) -> None:
    """Every reload alternates between two sets of servers and of other listeners."""
    port, other = free_port(), free_port()
    first, second = serve(echo), serve(echo)
    texts = [
        configuration((port, first.address)),
        configuration((port, f"{first.address} {second.address}"), (other, second.address)),
    ]
    proxy = start(texts[0], master=IS_HAPROXY)
    before = descriptor_kinds(proxy.serving_pid)
    traffic = load(port)
    eventually(lambda: traffic.progress() > STREAMS, 10, "the load runs")
    for count in range(RELOADS):
        proxy.file.write_text(texts[(count + 1) % 2])
        seen = traffic.progress()
        assert proxy.reload(number)
        eventually(lambda s=seen: traffic.progress() > s, 10, "traffic goes on")
    traffic.stop()
    assert traffic.failures == []
    assert traffic.connections > RELOADS and traffic.exchanges > STREAMS
    if not IS_HAPROXY:
        eventually(
            lambda: descriptor_kinds(proxy.serving_pid)["socket"] <= before["socket"],
            10,
            "no listener or session of an old configuration is left",
        )


def test_reload_adds_and_removes_listeners(start: Start, serve: Serve) -> None:
    kept, removed, added = free_port(), free_port(), free_port()
    server = serve(echo)
    proxy = start(
        configuration((kept, server.address), (removed, server.address)), master=IS_HAPROXY
    )
    with connect(removed) as open_session:
        open_session.sendall(b"x")
        read_exactly(open_session, 1)
        proxy.file.write_text(configuration((kept, server.address), (added, server.address)))
        assert proxy.reload()
        for port in (kept, added):
            with connect(port) as client:
                client.sendall(b"y")
                assert read_exactly(client, 1) == b"y"
        eventually(lambda: is_refused(removed), 5, "the removed listener refuses")
        open_session.sendall(b"z")
        assert read_exactly(open_session, 1) == b"z", "sessions of a removed listener stay"


def is_refused(port: int) -> bool:
    try:
        connect(port, timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def who(port: int) -> str:
    with connect(port) as client:
        return client.recv(1).decode()


def test_reload_changes_servers(start: Start, serve: Serve) -> None:
    port = free_port()
    old, new = serve(named("A")), serve(named("B"))
    proxy = start(configuration((port, old.address)), master=IS_HAPROXY)
    with connect(port) as session:
        assert session.recv(1) == b"A"
        proxy.file.write_text(configuration((port, new.address)))
        assert proxy.reload()
        eventually(lambda: who(port) == "B", 5, "new sessions go to the new server")
        assert [who(port) for _ in range(4)] == ["B"] * 4
        session.settimeout(0.3)
        with pytest.raises(TimeoutError):  # still open: neither data nor end
            session.recv(1)


def test_broken_file_keeps_the_running_configuration(start: Start, serve: Serve) -> None:
    port = free_port()
    server = serve(named("A"))
    proxy = start(configuration((port, server.address)), master=IS_HAPROXY)
    good = proxy.file.read_text()
    with connect(port) as session:
        assert session.recv(1) == b"A"
        proxy.file.write_text(good + "    sever b 127.0.0.1:1\n    balanse first\n")
        assert not proxy.reload()
        errors = proxy.process.stderr.text
        for word in ("sever", "balanse", proxy.file.name):
            assert word in errors
        if not IS_HAPROXY:  # HAProxy's master waits without a worker for the next reload
            assert [who(port) for _ in range(3)] == ["A"] * 3
        proxy.file.write_text(good)
        assert proxy.reload()
        assert who(port) == "A"
        session.settimeout(0.3)
        with pytest.raises(TimeoutError):
            session.recv(1)


@pytest.mark.fairlead_only
def test_reload_that_cannot_bind_keeps_the_running_configuration(
    start: Start, serve: Serve
) -> None:
    port, taken = free_port(), free_port()
    with socket.create_server(("127.0.0.1", taken)):
        server = serve(named("A"))
        proxy = start(configuration((port, server.address)))
        proxy.file.write_text(configuration((port, server.address), (taken, server.address)))
        assert not proxy.reload()
        assert f"127.0.0.1:{taken}" in proxy.process.stderr.text
        assert who(port) == "A"


def test_drain_ends_with_the_last_session(start: Start, serve: Serve) -> None:
    port = free_port()
    server = serve(echo)
    proxy = start(configuration((port, server.address)))
    with connect(port) as first, connect(port) as second:
        for client in (first, second):
            client.sendall(b"x")
            read_exactly(client, 1)
        proxy.process.signal(signal.SIGUSR1)
        eventually(lambda: is_refused(port), 5, "a draining proxy refuses")
        first.close()
        second.sendall(b"still here")
        assert read_exactly(second, 10) == b"still here"
        assert proxy.process.exit_code is None
    assert proxy.process.wait(5) == 0


def test_drain_without_sessions_ends_at_once(start: Start, serve: Serve) -> None:
    proxy = start(configuration((free_port(), serve(echo).address)))
    proxy.process.signal(signal.SIGUSR1)
    assert proxy.process.wait(5) == 0


def test_hard_stop_after_bounds_the_drain(start: Start, serve: Serve) -> None:
    port = free_port()
    proxy = start(configuration((port, serve(echo).address), options="hard-stop-after 1s"))
    with connect(port) as client:
        client.sendall(b"x")
        read_exactly(client, 1)
        begin = time.monotonic()
        proxy.process.signal(signal.SIGUSR1)
        proxy.process.wait(5)
        assert 0.8 <= time.monotonic() - begin <= 3
