"""`no_accept`: a master that is not the owner answers for its addresses, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.process import run
from harness.proxies import FAIRLEAD
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

OPEN = Settings(version=3, interval="0.1", priority=150)
CLOSED = OPEN.with_(lines=("no_accept",))
TABLE = "fairlead_accept"
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
PATIENCE = 2.0  # what does not answer within this time does not answer

pytestmark = [pytest.mark.limit(90), pytest.mark.fairlead_only]


def master(make_cluster: Make, settings: Settings) -> tuple[Cluster, Node]:
    cluster = make_cluster("fairlead", family=settings.family)
    node = cluster.nodes[0]
    node.start(cluster.text(node, settings))
    eventually(lambda: node.holds(cluster.virtual), 10, "master")
    return cluster, node


def nft(node: Node, *arguments: str) -> str:
    code, out, errors = run([*node.host.prefix, "nft", *arguments])
    assert code == 0, errors
    return out


def has_table(node: Node) -> bool:
    return TABLE in nft(node, "list", "tables")


def is_silent(cluster: Cluster, node: Node, address: str) -> None:
    """The client finds out where the address is, and that is all it gets."""
    cluster.client.forget_neighbours()
    assert not cluster.client.ping(address, PATIENCE)
    assert cluster.client.neighbour(address) == node.mac, "resolution is answered"
    assert cluster.client.who(address, PATIENCE) is None


# MARK: what is dropped


@FAMILIES
def test_an_accepting_master_answers_without_a_table(make_cluster: Make, family: int) -> None:
    cluster, node = master(make_cluster, OPEN.with_(family=family))
    cluster.settle(node)
    assert not has_table(node), "nothing is changed in the packet filter"


@FAMILIES
def test_a_master_that_does_not_accept_is_found_and_silent(
    make_cluster: Make, family: int
) -> None:
    cluster, node = master(make_cluster, CLOSED.with_(family=family))
    is_silent(cluster, node, cluster.target)
    own = node.host.addresses[0]
    eventually(lambda: cluster.client.who(own) == node.name, 5, "its own address is open")
    assert cluster.client.ping(own, PATIENCE)
    assert node.lines_with("VI_1", "no_accept"), "the log says why"
    assert len(node.lines_with("Entering MASTER STATE")) == 1


def test_the_host_itself_reaches_its_addresses(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, CLOSED)
    code, out, errors = run([*node.host.prefix, "ping", "-c", "1", "-W", "2", cluster.target])
    assert code == 0, out + errors


def test_excluded_addresses_are_dropped_too(make_cluster: Make) -> None:
    excluded = "10.0.0.180/26"
    lines = ("no_accept", f"virtual_ipaddress_excluded {{\n{excluded}\n}}")
    cluster, node = master(make_cluster, OPEN.with_(lines=lines))
    eventually(lambda: node.holds((excluded,)), 5, "held")
    is_silent(cluster, node, "10.0.0.180")


def test_an_owner_accepts_in_any_mode(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, CLOSED.with_(priority=255, state="MASTER"))
    cluster.settle(node)
    assert not has_table(node)


def test_strict_mode_does_not_accept(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, OPEN.with_(globals=("vrrp_strict",)))
    is_silent(cluster, node, cluster.target)
    assert node.lines_with("VI_1", "strict"), "the log says why"


def test_a_master_with_a_virtual_mac_is_silent(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, CLOSED.with_(lines=("no_accept", "use_vmac")))
    cluster.client.forget_neighbours()
    assert not cluster.client.ping(cluster.target, PATIENCE)
    assert cluster.client.neighbour(cluster.target) == "00:00:5e:00:01:33"
    assert cluster.client.who(cluster.target, PATIENCE) is None


# MARK: coming and going


@FAMILIES
def test_a_reload_changes_it_without_a_transition(make_cluster: Make, family: int) -> None:
    opened, closed = OPEN.with_(family=family), CLOSED.with_(family=family)
    cluster, node = master(make_cluster, opened)
    cluster.answers(node)
    since = cluster.sniffer.position
    known = len(node.monitor.changes)
    assert node.reload(cluster.text(node, closed))
    is_silent(cluster, node, cluster.target)
    assert node.reload(cluster.text(node, opened))
    cluster.answers(node)
    assert not has_table(node)
    assert node.monitor.of(cluster.target, known) == [], "the address stayed"
    assert len(node.lines_with("Entering MASTER STATE")) == 1
    assert all(each.priority == 150 for each in cluster.sniffer.adverts(node.host.port, since))


def test_a_reload_that_fails_leaves_the_rules(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, CLOSED)
    text = cluster.text(node, OPEN).replace("interface eth0", "interface eth9")
    assert not node.reload(text)
    is_silent(cluster, node, cluster.target)


@FAMILIES
def test_a_stop_removes_the_table(make_cluster: Make, family: int) -> None:
    cluster, node = master(make_cluster, CLOSED.with_(family=family))
    assert has_table(node)
    assert node.stop() == 0
    assert not has_table(node) and node.holds_none(cluster.virtual)


@FAMILIES
def test_after_a_kill_the_addresses_stay_closed_until_the_cleanup(
    make_cluster: Make, family: int
) -> None:
    cluster, node = master(make_cluster, CLOSED.with_(family=family))
    node.kill()
    assert node.holds(cluster.virtual)
    is_silent(cluster, node, cluster.target)
    code, out, errors = run([*node.host.prefix, str(FAIRLEAD), "cleanup"])
    assert code == 0 and TABLE in out, out + errors
    assert not has_table(node) and node.holds_none(cluster.virtual)
    code, out, errors = run([*node.host.prefix, str(FAIRLEAD), "cleanup"])
    assert code == 0 and TABLE not in out, out + errors


@pytest.mark.parametrize("settings", [OPEN, CLOSED], ids=["accept", "no_accept"])
def test_a_start_replaces_what_a_killed_run_left(make_cluster: Make, settings: Settings) -> None:
    cluster, node = master(make_cluster, CLOSED)
    node.kill()
    node.start(cluster.text(node, settings))
    eventually(lambda: node.holds(cluster.virtual), 10, "master again")
    assert node.lines_with("removed", "packet filter")
    if settings is OPEN:
        cluster.settle(node)
        assert not has_table(node)
    else:
        is_silent(cluster, node, cluster.target)


def test_a_firewall_that_is_loaded_anew_does_not_open_the_addresses(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, CLOSED)
    if "flags owner" not in nft(node, "list", "table", "inet", TABLE):
        pytest.skip("kernels before 6.9 cannot protect a table from this")
    nft(node, "flush", "ruleset")
    is_silent(cluster, node, cluster.target)


def test_a_table_of_somebody_else_is_not_touched(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, OPEN)
    nft(node, "add", "table", "inet", "firewall")
    assert node.reload(cluster.text(node, CLOSED))
    assert has_table(node)
    assert node.stop() == 0
    assert nft(node, "list", "tables").strip() == "table inet firewall"


def test_a_second_process_with_such_routers_does_not_start(make_cluster: Make) -> None:
    """It would take the first one's addresses and rules for left-overs."""
    cluster, node = master(make_cluster, CLOSED)
    other = CLOSED.with_(router_id=77, name="VI_2", addresses=("10.0.0.185/26",))
    file = node.directory / "second.conf"
    file.write_text(cluster.text(node, other))
    code, out, errors = run([*node.host.prefix, str(FAIRLEAD), "run", str(file)])
    assert code != 0 and "another fairlead" in errors, out + errors
    is_silent(cluster, node, cluster.target)
