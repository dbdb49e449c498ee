"""Both halves in one process, with every core busy with its own proxy's traffic: no election.

Version 3 at 100 ms: a backup takes over after 0.36 s of silence. FAILOVER_SATURATION_SECONDS
says how long the load lasts. Run this without other tests beside it (`-m alone`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.process import ManagedProcess
from harness.proxies import HAPROXY, REPOSITORY
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

SECONDS = float(os.environ.get("FAILOVER_SATURATION_SECONDS", "20"))
LONGEST_SILENCE_SECONDS = 0.3
LARGEST_IDLE_SHARE = 0.10
FAST = Settings(version=3, interval="0.1", priority=150)
PORT, BACKEND_PORT, BACKEND = 6443, 9000, "127.0.3.1"
LOADS = (
    ("connections=50", "body=200"),
    ("connections=20", "body=200", "close=client"),
    ("connections=4", "body=1000000", "copy=0"),
)
PROXY = f"""\
global
    nbthread 2
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen api
    bind 0.0.0.0:{PORT}
    server s1 {BACKEND}:{BACKEND_PORT}
"""

pytestmark = [pytest.mark.limit(SECONDS + 90), pytest.mark.alone]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loader and the backend of the benchmarks."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("load", "backend"):
        source = REPOSITORY / f"Benchmarks/relay/{name}.c"
        subprocess.run(["cc", "-O2", "-o", folder / name, source], check=True)
    return folder


class Loader:
    """Says `ready` when warm, measures after a line from us, and prints JSON."""

    def __init__(self, node: Node, tools: Path, words: tuple[str, ...]) -> None:
        self._child = subprocess.Popen(
            [*node.host.prefix, tools / "load", str(PORT), f"seconds={SECONDS}", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._line(30)
        assert self._child.stdin is not None
        self._child.stdin.write(b"\n")
        self._child.stdin.flush()

    def _line(self, within: float) -> str:
        assert self._child.stdout is not None
        assert select.select([self._child.stdout], [], [], within)[0], "the loader says nothing"
        line = self._child.stdout.readline().decode()
        assert line, "the loader gave up"
        return line

    def finish(self) -> dict[str, float]:
        return json.loads(self._line(SECONDS + 30))

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture
def processes() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def cpu_ticks() -> tuple[int, int]:
    """(idle, all) of all cores so far."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def start_proxy(stack: contextlib.ExitStack, node: Node, file: Path) -> None:
    """Fairlead is the proxy itself; beside a keepalived HAProxy does that part."""
    if node.kind == "keepalived":
        process = ManagedProcess([*node.host.prefix, str(HAPROXY), "-db", "-f", str(file)])
        stack.callback(process.kill)


@pytest.mark.parametrize("peer", ["keepalived", "fairlead"])
def test_no_election_while_every_core_is_busy_with_our_traffic(
    make_cluster: Make,
    processes: contextlib.ExitStack,
    tools: Path,
    tmp_path: Path,
    peer: str,
    record_property: Callable[[str, object], None],
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(PROXY)
    cluster = make_cluster("fairlead", peer, serves_name=False)
    first, second = cluster.nodes
    first.extra_files = (file,)
    backend = ManagedProcess(
        [*first.host.prefix, str(tools / "backend"), str(BACKEND_PORT), BACKEND]
    )
    processes.callback(backend.kill)
    cluster.start(FAST, FAST.with_(priority=100))
    start_proxy(processes, first, file)
    cluster.settle(first)

    idle, total = cpu_ticks()
    since = cluster.sniffer.position
    known = {node.name: len(node.monitor.changes) for node in cluster.nodes}
    loaders = [Loader(first, tools, words) for words in LOADS]
    for loader in loaders:
        processes.callback(loader.close)
    done = [loader.finish() for loader in loaders]
    idle_after, total_after = cpu_ticks()
    idle_share = (idle_after - idle) / (total_after - total)

    adverts = cluster.sniffer.adverts(first.host.port, since)
    silences = [b.time - a.time for a, b in zip(adverts, adverts[1:], strict=False)]
    record_property("longest silence", max(silences))
    print(f"longest silence {max(silences) * 1000:.0f} ms, idle {idle_share:.1%}, {done}")
    assert all(each["requests"] > 0 for each in done)
    assert idle_share < LARGEST_IDLE_SHARE, "the machine was not busy: this shows nothing"
    assert len(adverts) > SECONDS / 0.1 * 0.8
    assert max(silences) <= LONGEST_SILENCE_SECONDS
    assert cluster.sniffer.adverts(second.host.port, since) == []
    for node in cluster.nodes:
        assert node.monitor.of(cluster.target, known[node.name]) == []
    eventually(lambda: cluster.holders() == [first.name], 1, "still the same holder")


@pytest.mark.fairlead_only
def test_both_halves_stop_together(make_cluster: Make, tmp_path: Path) -> None:
    """One process: SIGTERM gives the address up and ends the proxy."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(PROXY)
    cluster = make_cluster("fairlead", "keepalived", serves_name=False)
    first, second = cluster.nodes
    first.extra_files = (file,)
    cluster.start(FAST, FAST.with_(priority=100))
    cluster.settle(first)
    assert first.stop() == 0
    cluster.settle(second)
