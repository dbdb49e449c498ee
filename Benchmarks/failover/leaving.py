"""One planned move under clients: both halves in one process on each of two nodes.

Streams stay open through the virtual address, and a prober connects there every 20 ms.
"""

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "SystemTests"))

from harness import procfs                                            # noqa: E402
from harness.clients import GapMeter                                  # noqa: E402
from harness.cluster import Cluster                                   # noqa: E402
from harness.routers import NAME_PORT, Settings                       # noqa: E402
from harness.streams import BACKEND, EndSniffer, Streams, StreamServer  # noqa: E402
from harness.waiting import eventually                                # noqa: E402

FAST = Settings(version=3, interval="0.1")
HUNG_SECONDS = 0.5      # a lost SYN is repeated after a second
PROXY = f"""\
global
    nbthread 2
    nosplice
defaults
    mode tcp
    timeout connect 5s
    timeout client 300s
    timeout server 300s
listen api
    bind *:{NAME_PORT}
    server s1 {BACKEND[0]}:{BACKEND[1]}
"""


@dataclass
class Outcome:
    """Seconds, except for the counts."""

    longest_gap: float          # of the prober, from one answer to the next
    longest_stream: float       # from a stream's reset until it is established again
    resets: int                 # of streams; more than streams means that some were reset twice
    failed_attempts: int        # of prober and streams, refused or reset at once
    hung: int                   # attempts that nobody answered for half a second
    overlap: float              # from the new holder's announcement until the address has gone


@contextlib.contextmanager
def pair(priorities):
    """Two nodes, the first one master."""
    with contextlib.ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "haproxy.cfg"
        file.write_text(PROXY)
        cluster = stack.enter_context(Cluster(("fairlead", "fairlead"), serves_name=False))
        for node in cluster.nodes:
            node.extra_files = (file,)
            stack.callback(StreamServer(node.host, node.name).close)
        first, second = cluster.nodes
        first.start(cluster.text(first, FAST.with_(priority=priorities[0])))
        eventually(lambda: cluster.holders() == ["a"], 12, "a master")
        yield cluster


def move(event, priorities, count, phase):
    with pair(priorities) as cluster, contextlib.ExitStack() as stack:
        first, second = cluster.nodes
        if event == "stop":
            second.start(cluster.text(second, FAST.with_(priority=priorities[1])))
        streams = Streams(cluster.client, cluster.target, count)
        stack.callback(streams.close)
        eventually(lambda: streams.all_through("a"), 30, "streams")
        with GapMeter(cluster.client, cluster.target, patience=HUNG_SECONDS) as meter:
            eventually(lambda: meter.count("a") >= 25, 10, "answers")
            cluster.sniffer.wait_for_adverts(1, 5, since=cluster.sniffer.position)
            time.sleep(phase * 0.1)
            began = time.time()
            if event == "stop":
                first.request_stop()
            else:
                second.start(cluster.text(second, FAST.with_(priority=254)))
            eventually(lambda: meter.count("b") >= 25, 15, "answers of the other node")
            eventually(lambda: streams.all_through("b"), 15, "streams through the other node")
        gone = first.monitor.wait_for(
            lambda c: not c.is_there and c.address.text == cluster.target and c.time > began,
            5, "the address goes",
        )
        came = cluster.sniffer.announcements(cluster.target, second.host.port)[0]
        failures = [e for s in streams.streams for _, e in s.failures]
        probes = [a for a in meter.attempts if a.answer is None]
        slow = [a for a in meter.attempts if a.finished - a.started >= HUNG_SECONDS]
        return Outcome(
            longest_gap=meter.longest_gap(),
            longest_stream=max(s.established[-1][0] - s.ends[0][0] for s in streams.streams),
            resets=sum(len(s.ends) for s in streams.streams),
            failed_attempts=len(failures) + len(probes),
            hung=len(slow) + failures.count(110),
            overlap=gone.time - came.time,
        )


def crowd(count):
    """How long the resets of `count` idle sessions take, and what they cost."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with pair((150, 100)) as cluster, contextlib.ExitStack() as stack:
        first, second = cluster.nodes
        second.start(cluster.text(second, FAST.with_(priority=100)))
        ends = EndSniffer(cluster.network, cluster.target)
        stack.callback(ends.close)
        stack.enter_context(clients(cluster, count))
        process = first.process
        cpu = procfs.cpu_seconds(process.pid)
        since = cluster.sniffer.position
        first.request_stop()
        zero = cluster.sniffer.wait_for_adverts(
            1, 5, port=first.host.port, since=since, where=lambda a: a.priority == 0)[0]
        eventually(lambda: len(ends.resets(first.host.port)) >= count, 10, "resets")
        resets = sorted(each.time for each in ends.resets(first.host.port))
        came = cluster.sniffer.announcements(cluster.target, second.host.port)[0]
        with contextlib.suppress(OSError, IndexError):
            cpu = procfs.cpu_seconds(process.pid) - cpu
        process.wait(10)
        late = first.lines_with("has not reset all sessions")
        return {
            "sessions": count,
            "priority 0 to announcement": came.time - zero.time,
            "announcement to first reset": resets[0] - came.time,
            "announcement to last reset": resets[-1] - came.time,
            "CPU": cpu,
            "late": bool(late),
        }


@contextlib.contextmanager
def clients(cluster, count):
    """A process of its own, since each process may have so many descriptors only."""
    command = [*cluster.client.host.prefix, sys.executable, "-c", CLIENTS,
               cluster.target, str(NAME_PORT), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        yield
        child.kill()


CLIENTS = """
import socket, sys
open_ones = []
for number in range(int(sys.argv[3])):
    one = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
    assert one.recv(1)
    open_ones.append(one)
print("ready", flush=True)
sys.stdin.read()
"""
