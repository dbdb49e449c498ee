"""Starts and stops that meet an obstacle: a blocked stderr, a slow script, another process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.netlink import Change
from harness.process import ManagedProcess, run
from harness.proxies import FAIRLEAD
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]

pytestmark = pytest.mark.limit(90)


def launch(node: Node, text: str, *shell: str) -> None:
    """Start without waiting for anything; `shell` goes before the command."""
    node.file.write_text(text)
    node.process = ManagedProcess([*node.host.prefix, *shell, *node.command()])
    node.started.append(node.process)


def executable(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def has_ended(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


# MARK: stderr


class FullPipe:
    """A FIFO that holds as much as it can, and that nobody reads."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.descriptor, b"x")

    @property
    def text(self) -> str:
        with contextlib.suppress(BlockingIOError):
            return os.read(self.descriptor, 1 << 16).decode().lstrip("x")
        return ""

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
def full_pipe(tmp_path: Path) -> Iterator[FullPipe]:
    pipe = FullPipe(tmp_path / "stderr")
    yield pipe
    pipe.close()


@pytest.mark.fairlead_only
def test_a_stop_does_not_wait_for_whoever_should_read_stderr(
    make_cluster: Make, full_pipe: FullPipe
) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    blocked = ("sh", "-c", f'exec "$@" 2>{full_pipe.path}', "sh")
    launch(node, cluster.text(node, FAST), *blocked)
    eventually(lambda: node.holds(cluster.virtual), 15, "master without a word")
    # Lines for a change of state and a reload wait as well.
    node.host.take_link_down()
    eventually(lambda: node.holds_none(cluster.virtual), 10, "fault")
    node.host.take_link_up()
    eventually(lambda: node.holds(cluster.virtual), 10, "master again")
    since, known, begin = cluster.sniffer.position, len(node.monitor.changes), time.time()
    node.request_stop()
    last = cluster.sniffer.wait_for_adverts(
        1, 5, port=node.host.port, since=since, where=lambda advert: advert.priority == 0
    )[0]
    eventually(lambda: node.holds_none(cluster.virtual), 5, "the address is given up")

    def removals() -> list[Change]:
        return [each for each in node.monitor.of(cluster.target, known) if not each.is_there]

    gone = eventually(removals, 5, "the monitor has seen it go")[0]
    assert last.time - begin < 2 and gone.time - begin < 2
    assert node.process is not None
    assert node.process.wait(10) == 0
    assert full_pipe.text == "", "it was full all the time"


# MARK: scripts at the start and at the end


@pytest.mark.fairlead_only
def test_a_stop_ends_a_startup_script_and_nobody_becomes_master(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    pid_file = node.directory / "pid"
    slow = executable(node.directory / "slow", f"echo $$ >{pid_file}", "exec sleep 80")
    scripts = (f'startup_script "{slow}"', "startup_script_timeout 100")
    launch(node, cluster.text(node, FAST.with_(globals=scripts)))
    eventually(lambda: pid_file.exists() and pid_file.read_text(), 15, "the script runs")
    assert node.stop(within=10) == 0
    assert has_ended(pid_file.read_text().strip())
    assert cluster.sniffer.adverts() == [] and node.monitor.of(cluster.target) == []


@pytest.mark.parametrize("role", ROLES)
def test_routers_wait_for_the_startup_script(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    begun, may_end = node.directory / "begun", node.directory / "end"
    waiting = f"touch {begun}; until [ -e {may_end} ]; do sleep 0.05; done"
    script = executable(node.directory / "startup", waiting)
    scripts = (f'startup_script "{script}"', "startup_script_timeout 60")
    launch(node, cluster.text(node, FAST.with_(globals=scripts)))
    eventually(begun.exists, 15, "the script runs")
    time.sleep(1)  # ten intervals of silence are what is measured
    assert cluster.sniffer.adverts() == []
    may_end.touch()
    eventually(lambda: node.holds(cluster.virtual), 15, "master after the script")


@pytest.mark.parametrize("role", ROLES)
def test_the_shutdown_script_runs_after_the_address_has_gone(
    make_cluster: Make, role: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    seen = node.directory / "seen"
    script = executable(node.directory / "shutdown", f"ip -o address show >{seen}")
    node.start(cluster.text(node, FAST.with_(globals=(f'shutdown_script "{script}"',))))
    eventually(lambda: node.holds(cluster.virtual), 10, "master")
    assert not seen.exists()
    assert node.stop() == 0
    assert node.host.addresses[0] in seen.read_text(), "it ran on this node"
    assert cluster.target not in seen.read_text()


@pytest.mark.parametrize("role", ROLES)
def test_a_startup_delay_is_silent(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    begin = time.time()
    node.start(cluster.text(node, FAST.with_(globals=("vrrp_startup_delay 2",))))
    first = cluster.sniffer.wait_for_adverts(1, 15, port=node.host.port)[0]
    assert first.time - begin >= 2, "without the delay the first advert comes after 0.4 s"
    eventually(lambda: node.holds(cluster.virtual), 10, "master after all")


# MARK: one process per network namespace


def second_process(cluster: Cluster, node: Node) -> list[str]:
    """A virtual router of its own, on the same node."""
    other = FAST.with_(name="VI_2", router_id=52, addresses=("10.0.0.180/26",))
    file = node.directory / "second.conf"
    file.write_text(cluster.text(node, other))
    return [*node.host.prefix, str(FAIRLEAD), "run", str(file)]


@pytest.mark.fairlead_only
def test_a_second_process_in_a_namespace_is_refused_until_the_first_has_ended(
    make_cluster: Make,
) -> None:
    """At its start it would take the addresses of the first one for left-overs."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    node.start(cluster.text(node, FAST))
    cluster.settle(node)
    known = len(node.monitor.changes)
    command = second_process(cluster, node)
    code, out, errors = run(command)
    assert code == 1, out + errors
    assert "another fairlead" in errors and "network namespace" in errors
    assert "fairlead is ready" not in errors
    cluster.stays_calm(node)
    held = node.monitor.of(cluster.target, known)
    assert all(each.is_there for each in held), "what the first one holds stayed"
    assert node.monitor.of("10.0.0.180") == []
    assert node.stop() == 0
    node.process = ManagedProcess(command)
    node.started.append(node.process)
    node.wait_for_line("fairlead is ready")
    eventually(lambda: node.holds(("10.0.0.180",)), 10, "the second one is master")


@pytest.mark.fairlead_only
def test_a_killed_process_does_not_keep_the_next_one_from_starting(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    node.start(cluster.text(node, FAST))
    cluster.settle(node)
    node.kill()
    node.start()
    cluster.settle(node)


@pytest.mark.fairlead_only
def test_nodes_in_different_namespaces_do_not_exclude_each_other(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead", "fairlead")
    cluster.start(FAST, FAST.with_(priority=100))
    cluster.settle(cluster.nodes[0])


@pytest.mark.fairlead_only
def test_the_cleanup_command_is_refused_while_a_process_runs(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    node.start(cluster.text(node, FAST))
    cluster.settle(node)
    known = len(node.monitor.changes)
    cleanup = [*node.host.prefix, str(FAIRLEAD), "cleanup"]
    code, out, errors = run(cleanup)
    assert code == 1 and "another fairlead" in errors, out + errors
    assert all(each.is_there for each in node.monitor.of(cluster.target, known))
    cluster.stays_calm(node)
    assert node.stop() == 0
    code, out, errors = run(cleanup)
    assert code == 0, out + errors
