"""Both halves in one process: whoever loses the address resets its clients first, and they are
connected through the other node at once. Nobody waits for a timeout.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.namespaces import Host
from harness.peers import read_exactly
from harness.routers import NAME_PORT, Node, Settings
from harness.streams import BACKEND, EndSniffer, Streams, StreamServer
from harness.waiting import eventually

Make = Callable[..., Cluster]

COUNT = 200
FAST = Settings(version=3, interval="0.1", priority=150)
WITHIN_SECONDS = 2.0  # under 0.1 s on a quiet machine; Scripts/bench-leaving measures it
CONNECT_SECONDS = 20.0
PROXY = f"""\
global
    nbthread 2
    log stdout format raw local0
defaults
    log global
    mode tcp
    option tcplog
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen api
    bind :::{NAME_PORT} v4v6
    server s1 {BACKEND[0]}:{BACKEND[1]}
"""

pytestmark = [pytest.mark.limit(90), pytest.mark.fairlead_only]


@dataclass
class Pair:
    cluster: Cluster
    first: Node
    second: Node
    servers: dict[str, StreamServer]
    stack: contextlib.ExitStack
    ends: EndSniffer | None = None

    def streams(self, through: Node) -> Streams:
        """COUNT of them, all established."""
        streams = Streams(self.cluster.client, self.cluster.target, COUNT)
        self.stack.callback(streams.close)
        if self.cluster.family == 4:
            self.ends = EndSniffer(self.cluster.network, self.cluster.target)
            self.stack.callback(self.ends.close)
        eventually(lambda: streams.all_through(through.name), CONNECT_SECONDS, "streams")
        return streams

    def config(self, node: Node, settings: Settings) -> str:
        return self.cluster.text(node, settings)


@pytest.fixture
def pair(make_cluster: Make, tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    file = tmp_path / "haproxy.cfg"
    file.write_text(PROXY)
    with contextlib.ExitStack() as stack:

        def make(*roles: str, **options: int) -> Pair:
            cluster = make_cluster(*(roles or ("fairlead", "fairlead")), serves_name=False, **options)
            servers = {}
            for node in cluster.nodes:
                node.extra_files = (file,)
                servers[node.name] = StreamServer(node.host, node.name)
                stack.callback(servers[node.name].close)
            return Pair(cluster, cluster.nodes[0], cluster.nodes[-1], servers, stack)

        yield make


def check_moved(
    pair: Pair, streams: Streams, old: Node, new: Node, began: float, others: int = 0
) -> None:
    """All were reset by `old` before it lost the address, and go through `new` now. `others`
    sessions of `old` go on."""
    eventually(lambda: streams.all_through(new.name), WITHIN_SECONDS * 5, f"all on {new.name}")
    gone = old.monitor.wait_for(
        lambda change: not change.is_there
        and change.address.text == pair.cluster.target
        and change.time > began,
        5,
        "the address goes",
    )
    for stream in streams.streams:
        ended, problem, name = stream.ends[-1]
        assert (problem, name) == (errno.ECONNRESET, old.name), stream
        assert len(stream.ends) == 1, "nobody lands on a node that is about to lose the address"
        assert not [each for _, each in stream.failures if each == errno.ETIMEDOUT], stream
        assert stream.established[-1][0] - ended < WITHIN_SECONDS, stream
    eventually(lambda: pair.servers[old.name].open == others, 5, "the server's side has ended")
    if pair.ends is not None:
        resets = pair.ends.resets(old.host.port, lambda end: began < end.time)
        assert len({each.client_port for each in resets}) >= COUNT
        last = max(each.time for each in resets)
        assert last < gone.time, f"reset {last - gone.time:.4f} s after the address had gone"


def start_both(pair: Pair, settings: Settings = FAST) -> None:
    pair.cluster.start(settings, settings.with_(priority=100))
    eventually(lambda: pair.cluster.holders() == ["a"], 12, "a holds the address")


@pytest.mark.parametrize("family", [4, 6])
def test_a_planned_stop_resets_everybody_first(pair: Callable[..., Pair], family: int) -> None:
    both = pair(family=family)
    start_both(both, FAST.with_(family=family))
    streams = both.streams(both.first)
    began = time.time()
    assert both.first.stop() == 0
    check_moved(both, streams, both.first, both.second, began)
    said = both.first.lines_with("(VI_1) reset ")
    assert len(said) == 1
    # Whoever came by once more before the address had gone is counted as well.
    count = int(said[0].partition("reset ")[2].split()[0])
    output = both.first.process.stdout if both.first.process else None
    assert output is not None
    assert len([line for line in output.lines if " KD " in line]) >= count >= COUNT


def test_a_stronger_node_takes_over_from_a_living_one(pair: Callable[..., Pair]) -> None:
    both = pair()
    weak, strong = both.first, both.second
    weak.start(both.config(weak, FAST.with_(priority=100)))
    eventually(lambda: both.cluster.holders() == ["a"], 12, "a holds the address")
    streams = both.streams(weak)
    own = stream_to(both, weak)
    began = time.time()
    strong.start(both.config(strong, FAST))
    check_moved(both, streams, weak, strong, began, others=1)
    check_alive(own)

    # The address comes back, and with it the clients.
    streams.streams[0].ends.clear()
    began = time.time()
    assert strong.stop() == 0
    eventually(lambda: streams.all_through(weak.name), WITHIN_SECONDS * 5, "all back")
    check_alive(own)


def test_a_reload_that_removes_the_router(pair: Callable[..., Pair]) -> None:
    both = pair()
    start_both(both)
    streams = both.streams(both.first)
    own = stream_to(both, both.first)
    began = time.time()
    other = FAST.with_(name="VI_2", router_id=52, priority=50, addresses=("10.0.0.180/26",))
    assert both.first.reload(both.config(both.first, other))
    check_moved(both, streams, both.first, both.second, began, others=1)
    check_alive(own)


def test_an_address_that_a_reload_takes_off_a_router(pair: Callable[..., Pair]) -> None:
    """Nobody takes it over: its clients are reset, those of the other address are not."""
    both = pair()
    first = both.first
    two = ("10.0.0.179/26", "10.0.0.180/26")
    first.start(both.config(first, FAST.with_(addresses=two)))
    eventually(lambda: first.holds(two), 12, "a holds both")
    kept, lost = (stream_to(both, first, address) for address in ("10.0.0.179", "10.0.0.180"))
    assert first.reload(both.config(first, FAST.with_(addresses=two[:1], globals=("# one",))))
    with pytest.raises(ConnectionResetError):
        lost.recv(1)
    eventually(lambda: first.holds_none(two[1:]), 5, "the address goes")
    check_alive(kept)
    assert first.holds(two[:1])
    # Somebody makes it the node's own.
    first.host.ip("address", "add", two[1], "dev", "eth0")

    def is_served() -> bool:
        with contextlib.suppress(OSError), connect(both.cluster.client.host, "10.0.0.180") as new:
            return new.recv(1) == b"a"
        return False

    eventually(is_served, 5, "new sessions there")


def test_a_drain_resets_the_address_and_nothing_else(pair: Callable[..., Pair]) -> None:
    both = pair()
    start_both(both)
    streams = both.streams(both.first)
    own = stream_to(both, both.first)
    began = time.time()
    process = both.first.process
    assert process is not None
    process.signal(signal.SIGUSR1)
    eventually(lambda: streams.all_through("b"), WITHIN_SECONDS * 5, "all on b")
    check_alive(own)
    own.close()
    assert process.wait(10) == 0
    check_moved(both, streams, both.first, both.second, began)


def test_a_fault_hands_over_in_the_same_way(pair: Callable[..., Pair], tmp_path: Path) -> None:
    both = pair()
    script = 'vrrp_script chk {\n    script "/usr/bin/test ! -e %s"\n    interval 1\n}' % (
        tmp_path / "broken"
    )
    tracking = block_of("track_script", "chk")
    both.first.start(both.config(both.first, FAST.with_(blocks=script, lines=(tracking,))))
    both.second.start(both.config(both.second, FAST.with_(priority=100)))
    eventually(lambda: both.cluster.holders() == ["a"], 12, "a holds the address")
    streams = both.streams(both.first)
    began = time.time()
    (tmp_path / "broken").touch()
    eventually(lambda: streams.all_through("b"), 15, "all on b")
    check_moved(both, streams, both.first, both.second, began)


def test_without_a_successor_the_address_goes_all_the_same(pair: Callable[..., Pair]) -> None:
    both = pair()
    first = both.first
    first.start(both.config(first, FAST))
    eventually(lambda: both.cluster.holders() == ["a"], 12, "a holds the address")
    client = stream_to(both, first, both.cluster.target)
    began = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - began < 5
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert first.holds_none(both.cluster.virtual)


def test_a_link_that_fails_delays_nothing(pair: Callable[..., Pair]) -> None:
    both = pair()
    start_both(both)
    client = stream_to(both, both.first, both.cluster.target)
    both.first.host.take_link_down()
    eventually(lambda: both.first.holds_none(both.cluster.virtual), 5, "the address goes")
    eventually(lambda: both.servers["a"].open == 0, 5, "the session has ended")
    client.close()


def test_beside_keepalived(pair: Callable[..., Pair]) -> None:
    """keepalived takes over: its announcement is heard like ours. No proxy answers there."""
    both = pair("fairlead", "keepalived")
    both.cluster.start(FAST, FAST.with_(priority=100))
    eventually(lambda: both.cluster.holders() == ["a"], 12, "a holds the address")
    client = stream_to(both, both.first, both.cluster.target)
    assert both.first.stop() == 0
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    eventually(lambda: both.cluster.holders() == ["b"], 5, "b holds the address")


# MARK: single sessions


def block_of(name: str, line: str) -> str:
    return f"{name} {{\n    {line}\n}}"


def stream_to(pair: Pair, node: Node, address: str | None = None) -> socket.socket:
    """A quiet session to the node's own address, or to another one that it holds."""
    connection = connect(pair.cluster.client.host, address or node.host.addresses[0])
    pair.stack.callback(connection.close)
    assert read_exactly(connection, 1).decode() == node.name
    return connection


def connect(host: Host, address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = host.socket(family, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect((address, NAME_PORT))
    return connection


def check_alive(connection: socket.socket) -> None:
    """Its session still carries bytes in both directions."""
    connection.sendall(b"tick")
    assert read_exactly(connection, 1) == b"."
