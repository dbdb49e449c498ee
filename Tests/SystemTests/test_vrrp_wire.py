"""TTLs and source addresses that a configuration asks for: what is sent, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]
OTHER = "10.0.0.150"  # another address of the node

pytestmark = pytest.mark.limit(90)


# MARK: TTL


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("settings", [FAST, FAST.with_(family=6)], ids=["ipv4", "ipv6"])
def test_unicast_ttl_is_on_the_wire(make_cluster: Make, role: str, settings: Settings) -> None:
    cluster = make_cluster(role, "keepalived", family=settings.family)
    node = cluster.nodes[0]
    limited = settings.with_(unicast=True, lines=("unicast_ttl 7",))
    node.start(cluster.text(node, limited))
    seen = cluster.sniffer.wait_for_adverts(5, 15, port=node.host.port)
    assert {advert.ttl for advert in seen} == {7}
    assert {advert.destination for advert in seen} == {cluster.nodes[1].host.addresses[0]}
    if node.kind == "keepalived":
        return  # its IPv6 socket keeps the old one
    assert node.reload(cluster.text(node, settings.with_(unicast=True)))
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(1, 10, since=since, where=lambda advert: advert.ttl == 255)


def far_away(make_cluster: Make, role: str, minimum: int, family: int) -> tuple[Cluster, Node]:
    """A node that wants a TTL of `minimum`, and a peer of higher priority that sends 100."""
    cluster = make_cluster(role, "keepalived", family=family)
    node, peer = cluster.nodes
    settings = FAST.with_(family=family, unicast=True, addresses=cluster.virtual)
    sends = settings.with_(priority=200, lines=("unicast_ttl 100",))
    peer.start(cluster.text(peer, sends))
    eventually(lambda: peer.holds(cluster.virtual), 15, "the peer is master")
    asks = [f"{peer.host.addresses[0]} min_ttl {minimum}"]
    node.start(settings.text(node.host.addresses[0], asks))
    return cluster, node


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_packets_of_a_lower_ttl_are_refused(make_cluster: Make, role: str, family: int) -> None:
    cluster, node = far_away(make_cluster, role, 101, family)
    eventually(lambda: node.holds(cluster.virtual), 10, "it does not hear the peer")
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(10, 10, port=cluster.nodes[1].host.port, since=since)
    assert node.holds(cluster.virtual)
    if node.kind == "fairlead":
        told = node.lines_with(cluster.nodes[1].host.addresses[0], "TTL")
        assert len(told) == 1, told


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_packets_of_just_that_ttl_are_taken(make_cluster: Make, role: str, family: int) -> None:
    cluster, node = far_away(make_cluster, role, 100, family)
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(10, 10, port=cluster.nodes[1].host.port, since=since)
    assert node.holds_none(cluster.virtual)
    assert cluster.sniffer.adverts(node.host.port) == []


# MARK: source


@pytest.mark.parametrize("role", ROLES)
def test_mcast_src_ip_is_the_source_on_the_wire(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    node.host.ip("address", "add", f"{OTHER}/26", "dev", "eth0")
    node.start(cluster.text(node, FAST.with_(lines=(f"mcast_src_ip {OTHER}",))))
    seen = cluster.sniffer.wait_for_adverts(5, 15, port=node.host.port)
    assert {advert.source for advert in seen} == {OTHER}
    assert {advert.destination for advert in seen} == {"224.0.0.18"}
    assert all(advert.has_valid_checksum for advert in seen), "the sum covers the source"


def is_in_fault(cluster: Cluster, node: Node) -> None:
    eventually(lambda: node.holds_none(cluster.virtual), 10, "no address while in fault")
    since = cluster.sniffer.position
    time.sleep(1)  # ten intervals of silence are what is measured
    assert [each for each in cluster.sniffer.adverts(since=since) if each.priority > 0] == []


@pytest.mark.fairlead_only
def test_a_tracked_source_that_is_missing_makes_a_fault(make_cluster: Make) -> None:
    """As keepalived's manual says; its version 2.2.7 starts without the address."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    lines = (f"mcast_src_ip {OTHER}", "track_src_ip")
    node.start(cluster.text(node, FAST.with_(lines=lines)))
    is_in_fault(cluster, node)
    assert cluster.sniffer.adverts() == [], "and none before"
    for _ in range(2):
        node.host.ip("address", "add", f"{OTHER}/26", "dev", "eth0")
        eventually(lambda: node.holds(cluster.virtual), 10, "master once it is there")
        since = cluster.sniffer.position
        seen = cluster.sniffer.wait_for_adverts(3, 10, port=node.host.port, since=since)
        assert {(advert.source, advert.priority) for advert in seen} == {(OTHER, 150)}
        node.host.ip("address", "del", f"{OTHER}/26", "dev", "eth0")
        is_in_fault(cluster, node)


@pytest.mark.fairlead_only
def test_an_interface_without_an_address_makes_a_fault(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    text = cluster.text(node, FAST)
    node.host.ip("address", "flush", "dev", "eth0", "scope", "global")
    node.start(text)
    node.wait_for_line("VI_1", "FAULT", "no address to send from")
    is_in_fault(cluster, node)
    node.host.ip("address", "add", node.host.given[0], "dev", "eth0")
    cluster.settle(node)
