"""What a virtual router watches, and what that does to its priority and state.

The effective priority is read from the adverts: that is what the other node decides by.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.process import ManagedProcess
from harness.routers import Node, Settings, block
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]

pytestmark = pytest.mark.limit(90)


def single(make_cluster: Make, role: str) -> tuple[Cluster, Node]:
    cluster = make_cluster(role)
    return cluster, cluster.nodes[0]


def advertises(cluster: Cluster, priority: int, within: float = 10.0) -> None:
    """From now on there comes an advert of this priority, and the ones after it have it too."""
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(
        1, within, since=since, where=lambda advert: advert.priority == priority
    )
    since = cluster.sniffer.position
    following = cluster.sniffer.wait_for_adverts(3, within, since=since)
    assert {advert.priority for advert in following} == {priority}


def in_fault(cluster: Cluster, node: Node) -> None:
    eventually(lambda: node.holds_none(cluster.virtual), 10, "no address while in fault")
    since = cluster.sniffer.position
    time.sleep(1)  # ten intervals of silence are what is measured
    assert [each for each in cluster.sniffer.adverts(since=since) if each.priority > 0] == []


def file_script(node: Node, name: str, *lines: str) -> str:
    """A script that succeeds while the file `name` exists in the node's directory."""
    command = f'script "/usr/bin/test -e {node.directory / name}"'
    return block(f"vrrp_script {name}", [command, "interval 0.2", *lines])


# MARK: scripts


@pytest.mark.parametrize("role", ROLES)
def test_weights_of_scripts_add_up(make_cluster: Make, role: str) -> None:
    """A positive weight counts while the script succeeds, a negative one while it fails."""
    cluster, node = single(make_cluster, role)
    up, down = node.directory / "up", node.directory / "down"
    scripts = [file_script(node, "up", "weight 20"), file_script(node, "down", "weight -40")]
    tracking = block("track_script", ["up", "down"])
    up.touch()
    down.touch()
    node.start(cluster.text(node, FAST.with_(blocks="\n".join(scripts), lines=(tracking,))))
    advertises(cluster, 170)
    down.unlink()
    advertises(cluster, 130)
    up.unlink()
    advertises(cluster, 110)
    down.touch()
    advertises(cluster, 150)


@pytest.mark.parametrize("role", ROLES)
def test_the_priority_stays_within_1_and_254(make_cluster: Make, role: str) -> None:
    cluster, node = single(make_cluster, role)
    flag = node.directory / "flag"
    script = file_script(node, "flag", "weight -253")
    flag.touch()
    settings = FAST.with_(blocks=script, lines=(block("track_script", ["flag"]),))
    node.start(cluster.text(node, settings))
    advertises(cluster, 150)
    flag.unlink()
    advertises(cluster, 1)
    reverse = block("track_script", ["flag weight 253"])
    assert node.reload(cluster.text(node, settings.with_(lines=(reverse,))))
    flag.touch()
    advertises(cluster, 254)


@pytest.mark.parametrize("role", ROLES)
def test_a_script_without_weight_makes_a_fault(make_cluster: Make, role: str) -> None:
    cluster, node = single(make_cluster, role)
    flag = node.directory / "flag"
    flag.touch()
    tracking = block("track_script", ["flag"])
    script = file_script(node, "flag")
    node.start(cluster.text(node, FAST.with_(blocks=script, lines=(tracking,))))
    advertises(cluster, 150)
    since = cluster.sniffer.position
    flag.unlink()
    cluster.sniffer.wait_for_adverts(1, 5, since=since, where=lambda a: a.priority == 0)
    in_fault(cluster, node)
    flag.touch()
    advertises(cluster, 150)
    assert node.holds(cluster.virtual)


@pytest.mark.parametrize("role", ROLES)
def test_a_failing_script_keeps_a_node_from_starting(make_cluster: Make, role: str) -> None:
    """Without weight, the instance waits for the first result."""
    cluster, node = single(make_cluster, role)
    tracking = block("track_script", ["flag"])
    script = file_script(node, "flag")
    node.start(cluster.text(node, FAST.with_(blocks=script, lines=(tracking,))))
    in_fault(cluster, node)
    assert [each for each in cluster.sniffer.adverts() if each.priority > 0] == []
    (node.directory / "flag").touch()
    advertises(cluster, 150)


@pytest.mark.parametrize("role", ROLES)
def test_rise_and_fall_are_counted(make_cluster: Make, role: str) -> None:
    """Results are counted by the script itself: three failures, then two successes."""
    cluster, node = single(make_cluster, role)
    flag, count = node.directory / "flag", node.directory / "count"
    flag.touch()
    command = node.directory / "probe"
    command.write_text(f"#!/bin/sh\necho >>{count}\nexec test -e {flag}\n")
    command.chmod(0o755)
    script = block(
        "vrrp_script slow",
        [f'script "{command}"', "interval 0.5", "rise 2", "fall 3", "weight -50"],
    )
    tracking = block("track_script", ["slow"])
    node.start(cluster.text(node, FAST.with_(blocks=script, lines=(tracking,))))
    advertises(cluster, 150)

    def runs() -> int:
        return len(count.read_text().splitlines())

    for present, priority, needed in ((False, 100, 3), (True, 150, 2)):
        since, before = cluster.sniffer.position, runs()
        flag.touch() if present else flag.unlink()
        cluster.sniffer.wait_for_adverts(
            1, 10, since=since, where=lambda advert, p=priority: advert.priority == p
        )
        # One run may have looked just before the flag changed, one may begin before we count.
        assert needed <= runs() - before <= needed + 2


@pytest.mark.parametrize("role", ROLES)
def test_a_script_that_hangs_is_killed_and_counts_as_failed(
    make_cluster: Make, role: str
) -> None:
    cluster, node = single(make_cluster, role)
    command = node.directory / "hang"
    flag, pid_file = node.directory / "flag", node.directory / "pid"
    command.write_text(
        f"#!/bin/sh\n[ -e {flag} ] || exit 0\necho $$ >{pid_file}\ntrap '' TERM\n"
        "while :; do sleep 0.1; done\n"
    )
    command.chmod(0o755)
    script = block(
        "vrrp_script hang", [f'script "{command}"', "interval 1", "timeout 1", "weight -50"]
    )
    tracking = block("track_script", ["hang"])
    node.start(cluster.text(node, FAST.with_(blocks=script, lines=(tracking,))))
    advertises(cluster, 150)
    flag.touch()
    advertises(cluster, 100)
    eventually(pid_file.exists, 5, "the script ran")
    process = f"/proc/{pid_file.read_text().strip()}"
    eventually(lambda: not is_running(process), 30, "SIGTERM is ignored; SIGKILL is not")
    adverts = cluster.sniffer.adverts(node.host.port)[1:]
    apart = max(b.time - a.time for a, b in zip(adverts, adverts[1:], strict=False))
    assert apart < 0.35, "the adverts never waited for the script"


def is_running(process: str) -> bool:
    try:
        with open(f"{process}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# MARK: interfaces


def add_probe(node: Node) -> None:
    """An interface that can go down without anybody's traffic."""
    node.host.ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
    for name in ("probe1", "probe0"):
        node.host.ip("link", "set", name, "up")


@pytest.mark.parametrize("role", ROLES)
def test_a_tracked_interface_counts_by_its_weight(make_cluster: Make, role: str) -> None:
    cluster, node = single(make_cluster, role)
    add_probe(node)
    tracking = block("track_interface", ["probe0 weight -30"])
    node.start(cluster.text(node, FAST.with_(lines=(tracking,))))
    advertises(cluster, 150)
    node.host.ip("link", "set", "probe0", "down")
    advertises(cluster, 120)
    node.host.ip("link", "set", "probe0", "up")
    advertises(cluster, 150)
    node.host.ip("link", "set", "probe1", "down")
    advertises(cluster, 120)  # no carrier is down as well


@pytest.mark.parametrize("role", ROLES)
def test_a_tracked_interface_without_weight_makes_a_fault(make_cluster: Make, role: str) -> None:
    cluster, node = single(make_cluster, role)
    add_probe(node)
    tracking = block("track_interface", ["probe0"])
    node.start(cluster.text(node, FAST.with_(lines=(tracking,))))
    advertises(cluster, 150)
    node.host.ip("link", "set", "probe0", "down")
    in_fault(cluster, node)
    node.host.ip("link", "set", "probe0", "up")
    advertises(cluster, 150)


@pytest.mark.parametrize("role", ROLES)
def test_a_pulled_cable_makes_a_fault(make_cluster: Make, role: str) -> None:
    cluster, node = single(make_cluster, role)
    node.start(cluster.text(node, FAST))
    advertises(cluster, 150)
    cluster.network.pull_cable(node.host)
    eventually(lambda: node.holds_none(cluster.virtual), 5, "no address without a carrier")
    cluster.network.plug_cable(node.host)
    advertises(cluster, 150)
    assert node.holds(cluster.virtual)


# MARK: files and processes


@pytest.mark.parametrize("role", ROLES)
def test_a_tracked_file_adds_its_value(make_cluster: Make, role: str) -> None:
    """The value times the weight; a file that goes counts as zero."""
    cluster, node = single(make_cluster, role)
    value = node.directory / "value"
    value.write_text("10\n")
    tracked = block("vrrp_track_file load", [f"file {value}", "weight 2"])
    tracking = block("track_file", ["load"])
    node.start(cluster.text(node, FAST.with_(blocks=tracked, lines=(tracking,))))
    advertises(cluster, 170)
    value.write_text("-15\n")
    advertises(cluster, 120)
    replacement = node.directory / "replacement"
    replacement.write_text("5\n")
    replacement.rename(value)
    advertises(cluster, 160)
    value.unlink()
    advertises(cluster, 150)


@pytest.mark.parametrize("role", ROLES)
def test_a_tracked_file_without_weight_makes_a_fault(make_cluster: Make, role: str) -> None:
    """Any value but zero."""
    cluster, node = single(make_cluster, role)
    value = node.directory / "value"
    value.write_text("0")
    tracked = block("vrrp_track_file maintenance", [f"file {value}", "weight 0"])
    tracking = block("track_file", ["maintenance"])
    node.start(cluster.text(node, FAST.with_(blocks=tracked, lines=(tracking,))))
    advertises(cluster, 150)
    value.write_text("1")
    in_fault(cluster, node)
    value.write_text("0")
    advertises(cluster, 150)


@pytest.mark.fairlead_only
def test_a_tracked_process_counts_while_it_runs(make_cluster: Make) -> None:
    """keepalived hears of processes from the kernel's connector, which is the host's only."""
    cluster, node = single(make_cluster, "fairlead")
    program = node.directory / f"fl{node.host.namespace[2:]}"
    shutil.copy("/bin/sleep", program)
    tracked = block(
        "vrrp_track_process probe", [f"process {program.name}", "weight 25", "delay 0"]
    )
    tracking = block("track_process", ["probe"])
    node.start(cluster.text(node, FAST.with_(blocks=tracked, lines=(tracking,))))
    advertises(cluster, 150)
    process = ManagedProcess([str(program), "120"])
    try:
        advertises(cluster, 175)
    finally:
        process.kill()
    advertises(cluster, 150)
