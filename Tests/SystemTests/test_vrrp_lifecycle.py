"""Start, stop and reload: what is said on the wire, in which order, and what never flaps."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.process import run
from harness.proxies import FAIRLEAD
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]
FOREIGN = "10.0.0.177"

pytestmark = pytest.mark.limit(90)


def pair(make_cluster: Make, role: str, settings: Settings = FAST) -> tuple[Cluster, Node, Node]:
    cluster = make_cluster(role, "keepalived", family=settings.family)
    cluster.start(settings, settings.with_(priority=100))
    cluster.settle(cluster.nodes[0])
    return cluster, *cluster.nodes


# MARK: stop


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("settings", [FAST, FAST.with_(family=6)], ids=["ipv4", "ipv6"])
def test_a_stop_is_told_before_the_address_goes(
    make_cluster: Make, role: str, settings: Settings
) -> None:
    cluster, master, backup = pair(make_cluster, role, settings)
    since, known = cluster.sniffer.position, len(master.monitor.changes)
    assert master.stop() == 0
    last = cluster.sniffer.adverts(master.host.port, since)[-1]
    gone = [each for each in master.monitor.of(cluster.target, known) if not each.is_there]
    assert last.priority == 0
    assert len(gone) == 1 and last.time < gone[0].time
    cluster.settle(backup)
    first = cluster.sniffer.adverts(backup.host.port, since)[0]
    assert first.time - last.time < 0.3, "the other waits for the skew only: 0.061 s"


@pytest.mark.parametrize("role", ROLES)
def test_a_backup_stops_without_a_word(make_cluster: Make, role: str) -> None:
    cluster = make_cluster("keepalived", role)
    cluster.start(FAST, FAST.with_(priority=100))
    master, backup = cluster.nodes
    cluster.settle(master)
    assert backup.stop() == 0
    assert cluster.sniffer.adverts(backup.host.port) == []
    cluster.settle(master)


# MARK: reload


@pytest.mark.parametrize("role", ROLES)
def test_a_reload_of_the_same_file_changes_nothing(make_cluster: Make, role: str) -> None:
    cluster, master, backup = pair(make_cluster, role)
    since, known = cluster.sniffer.position, len(master.monitor.changes)
    for _ in range(5):
        assert master.reload()
        cluster.stays_calm(master)
    assert backup.reload()
    cluster.stays_calm(master)
    assert all(each.priority == 150 for each in cluster.sniffer.adverts(since=since))
    assert [each for each in master.monitor.of(cluster.target, known) if not each.is_there] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_reload_moves_addresses_without_leaving_the_master_state(
    make_cluster: Make, role: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    both = FAST.with_(addresses=("10.0.0.179/26", "10.0.0.180/26"))
    one = FAST.with_(addresses=("10.0.0.180/26", "10.0.0.181/26"))
    node.start(cluster.text(node, both))
    eventually(lambda: node.holds(both.addresses), 5, "master")
    since, known = cluster.sniffer.position, len(node.monitor.changes)
    assert node.reload(cluster.text(node, one))
    eventually(lambda: node.holds(one.addresses), 5, "the new address is there")
    eventually(lambda: node.address("10.0.0.179") is None, 5, "the old one is gone")
    assert not any(each.priority == 0 for each in cluster.sniffer.adverts(since=since))
    kept = node.monitor.of("10.0.0.180", known)
    assert all(each.is_there for each in kept), "the address in both files never went"
    announced = cluster.sniffer.announcements
    eventually(lambda: announced("10.0.0.181", since=since), 5, "the new address is announced")


@pytest.mark.fairlead_only
def test_a_broken_file_is_refused_and_what_runs_goes_on(make_cluster: Make) -> None:
    cluster, master, _ = pair(make_cluster, "fairlead")
    good = master.file.read_text()
    since, known = cluster.sniffer.position, len(master.monitor.changes)
    assert not master.reload(good.replace("virtual_router_id 51", ""))
    assert master.lines_with(master.file.name, "virtual_router_id"), "it says where and what"
    cluster.stays_calm(master)
    assert all(each.priority == 150 for each in cluster.sniffer.adverts(since=since))
    assert master.monitor.of(cluster.target, known) == []
    assert master.reload(good)
    cluster.stays_calm(master)


@pytest.mark.parametrize("role", ROLES)
def test_an_instance_that_a_reload_removes_gives_its_address_up(
    make_cluster: Make, role: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    second = FAST.with_(name="VI_2", router_id=52, addresses=("10.0.0.180/26",)).text()
    second = second[second.index("vrrp_instance") :]
    node.start(cluster.text(node, FAST.with_(after=second)))
    eventually(lambda: node.holds(("10.0.0.179", "10.0.0.180")), 5, "master of both")
    known = len(node.monitor.changes)
    assert node.reload(cluster.text(node, FAST))
    eventually(lambda: node.address("10.0.0.180") is None, 5, "the removed one's address")
    assert node.holds(("10.0.0.179",))
    assert all(each.is_there for each in node.monitor.of("10.0.0.179", known))


# MARK: after SIGKILL


@pytest.mark.parametrize("role", ROLES)
def test_a_restart_after_a_kill_removes_what_was_left(make_cluster: Make, role: str) -> None:
    """Without this two nodes would answer for the address."""
    cluster, master, backup = pair(make_cluster, role)
    master.kill()
    eventually(lambda: backup.holds(cluster.virtual), 5, "the other takes over")
    assert master.holds(cluster.virtual), "nobody could remove it"
    master.start(cluster.text(master, FAST.with_(priority=50)))
    cluster.client.forget_neighbours()  # both had announced themselves
    cluster.settle(backup)


@pytest.mark.parametrize("role", ROLES)
def test_a_restart_after_a_kill_takes_the_address_back(make_cluster: Make, role: str) -> None:
    cluster, master, backup = pair(make_cluster, role)
    master.kill()
    eventually(lambda: backup.holds(cluster.virtual), 5, "the other takes over")
    master.start()
    cluster.client.forget_neighbours()
    cluster.settle(master)


@pytest.mark.fairlead_only
def test_addresses_carry_the_mark_of_who_added_them(make_cluster: Make) -> None:
    cluster, master, _ = pair(make_cluster, "fairlead")
    held, own = master.address(cluster.target), master.address(master.host.addresses[0])
    assert held is not None and own is not None
    assert held.protocol != 0 and held.protocol != own.protocol


@pytest.mark.fairlead_only
def test_a_restart_with_another_file_removes_what_was_left_too(make_cluster: Make) -> None:
    cluster, master, backup = pair(make_cluster, "fairlead")
    master.host.ip("address", "add", f"{FOREIGN}/26", "dev", "eth0")
    master.kill()
    other = FAST.with_(router_id=77, addresses=("10.0.0.185/26",))
    master.start(cluster.text(master, other))
    eventually(lambda: master.address(cluster.target) is None, 5, "found by its mark")
    assert master.address(FOREIGN) is not None, "what others added stays"
    eventually(lambda: master.holds(other.addresses), 5, "the new address")
    assert backup.holds(cluster.virtual)


@pytest.mark.fairlead_only
def test_the_cleanup_command_removes_what_was_left(make_cluster: Make) -> None:
    cluster, master, backup = pair(make_cluster, "fairlead")
    master.host.ip("address", "add", f"{FOREIGN}/26", "dev", "eth0")
    master.kill()
    assert master.holds(cluster.virtual)
    code, out, errors = run([*master.host.prefix, str(FAIRLEAD), "cleanup"])
    assert code == 0, out + errors
    assert master.address(cluster.target) is None
    assert cluster.target in out + errors, "it says what it removed"
    assert master.address(FOREIGN) is not None and master.address(master.host.addresses[0])
    cluster.client.forget_neighbours()
    cluster.settle(backup)
    code, out, errors = run([*master.host.prefix, str(FAIRLEAD), "cleanup"])
    assert code == 0, "nothing left to remove is fine"


@pytest.mark.parametrize("role", ROLES)
def test_a_node_removes_an_address_that_was_there_before_it_started(
    make_cluster: Make, role: str
) -> None:
    """Somebody tried it out by hand; keepalived removes it as it starts as backup."""
    cluster = make_cluster("keepalived", role)
    master, late = cluster.nodes
    master.start(cluster.text(master, FAST))
    eventually(lambda: master.holds(cluster.virtual), 5, "master")
    late.host.ip("address", "add", "10.0.0.179/26", "dev", "eth0")
    late.start(cluster.text(late, FAST.with_(priority=100)))
    cluster.settle(master)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", ["", "MASTER"], ids=["no-state", "state-master"])
def test_an_owner_is_master_at_once(make_cluster: Make, role: str, state: str) -> None:
    """Priority 255 does not wait for three intervals, unless `state BACKUP` says otherwise."""
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    settings = Settings(version=3, interval="2", priority=255, state=state)
    begin = time.time()
    node.start(cluster.text(node, settings))
    first = cluster.sniffer.wait_for_adverts(1, 10, port=node.host.port)[0]
    assert first.priority == 255
    assert first.time - begin < 2, "a backup would wait for six seconds"
