"""Interfaces, addresses and routes that somebody takes away, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cluster import Cluster, can_make_macvlan
from harness.routers import Node, Settings, bare, block
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]
VIRTUAL_MAC = {4: "00:00:5e:00:01:33", 6: "00:00:5e:00:02:33"}
NAME = "vrrp.51"

pytestmark = pytest.mark.limit(90)


def vmac_cluster(make_cluster: Make, *roles: str, family: int = 4) -> Cluster:
    cluster = make_cluster(*roles, family=family)
    if not can_make_macvlan(cluster):
        pytest.skip("this kernel has no macvlan")
    for node in cluster.nodes:
        node.host.set_kernel("ipv4/conf/all/arp_ignore", "1")
        node.host.set_kernel("ipv4/conf/all/arp_announce", "2")
    return cluster


def on_vmac(family: int = 4) -> Settings:
    return FAST.with_(family=family, lines=(f"use_vmac {NAME}",))


def index_of(node: Node, name: str) -> int | None:
    return next((link.index for link in node.netlink.links() if link.name == name), None)


def is_on_vmac(node: Node, virtual: tuple[str, ...]) -> bool:
    """All of them, on the interface that has the name now."""
    index = index_of(node, NAME)
    mine = {each.text for each in node.netlink.addresses() if each.interface == index}
    return index is not None and all(bare(address) in mine for address in virtual)


def link_local(node: Node) -> str:
    index = index_of(node, "eth0")
    return next(
        each.text
        for each in node.netlink.addresses()
        if each.interface == index and each.text.startswith("fe80:")
    )


# MARK: virtual MAC interfaces


@pytest.mark.parametrize("role", ROLES)
def test_adverts_from_an_ipv6_virtual_mac(make_cluster: Make, role: str) -> None:
    """The source is the base's own link-local address: nobody else has the same."""
    cluster = vmac_cluster(make_cluster, role, family=6)
    node = cluster.nodes[0]
    own = link_local(node)
    node.start(cluster.text(node, on_vmac(6)))
    eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master, on the interface")
    seen = cluster.sniffer.wait_for_adverts(5, 10, port=node.host.port)
    assert {advert.mac for advert in seen} == {VIRTUAL_MAC[6]}
    assert {advert.source for advert in seen} == {own}
    assert all(advert.has_valid_checksum and advert.ttl == 255 for advert in seen)


@pytest.mark.parametrize(
    "roles",
    [("fairlead", "fairlead"), ("fairlead", "keepalived"), ("keepalived", "fairlead")],
    ids="-over-".join,
)
def test_ipv6_virtual_macs_hear_each_other(make_cluster: Make, roles: tuple[str, str]) -> None:
    cluster = vmac_cluster(make_cluster, *roles, family=6)
    first, second = cluster.nodes
    sources = {node.name: link_local(node) for node in cluster.nodes}
    cluster.start(on_vmac(6), on_vmac(6).with_(priority=100))
    for node, other in ((first, second), (second, first)):
        eventually(lambda n=node: is_on_vmac(n, cluster.virtual), 15, f"{node.name} is master")
        eventually(lambda o=other: o.holds_none(cluster.virtual), 10, "the other is not")
        since = cluster.sniffer.position
        seen = cluster.sniffer.wait_for_adverts(10, 10, since=since)
        assert {advert.source for advert in seen} == {sources[node.name]}
        assert {advert.mac for advert in seen} == {VIRTUAL_MAC[6]}
        if node is first:
            first.stop()


@pytest.mark.fairlead_only
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_a_deleted_virtual_mac_interface_is_made_again(make_cluster: Make, family: int) -> None:
    cluster = vmac_cluster(make_cluster, "fairlead", family=family)
    node = cluster.nodes[0]
    node.start(cluster.text(node, on_vmac(family)))
    for _ in range(2):
        eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master, on the interface")
        old, since = index_of(node, NAME), cluster.sniffer.position
        node.host.ip("link", "del", NAME)
        eventually(lambda o=old: index_of(node, NAME) not in (None, o), 10, "made again")
        eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "with the addresses")
        eventually(
            lambda s=since: cluster.sniffer.announcements(cluster.target, since=s),
            10,
            "the address is announced again",
        )
        since = cluster.sniffer.position
        seen = cluster.sniffer.wait_for_adverts(5, 10, port=node.host.port, since=since)
        assert {(each.mac, each.priority) for each in seen} == {(VIRTUAL_MAC[family], 150)}
    node.stop()
    assert index_of(node, NAME) is None


@pytest.mark.parametrize(
    ("role", "family"),
    [
        ("fairlead", 4),
        pytest.param("fairlead", 6, marks=pytest.mark.fairlead_only),
        ("keepalived", 4),
    ],
)
def test_a_virtual_mac_interface_that_is_down_makes_a_fault(
    make_cluster: Make, role: str, family: int
) -> None:
    """With IPv6 the kernel takes the source of the adverts away too: keepalived stays in fault."""
    cluster = vmac_cluster(make_cluster, role, "keepalived", family=family)
    node, peer = cluster.nodes
    cluster.start(on_vmac(family), on_vmac(family).with_(priority=100))
    eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master")
    eventually(lambda: peer.holds_none(cluster.virtual), 10, "alone")
    node.host.ip("link", "set", NAME, "down")
    eventually(lambda: is_on_vmac(peer, cluster.virtual), 15, "the peer takes over")
    eventually(lambda: node.holds_none(cluster.virtual), 5, "in fault")
    since = cluster.sniffer.position
    seen = cluster.sniffer.wait_for_adverts(10, 10, since=since)
    assert {advert.port for advert in seen} == {peer.host.port}
    node.host.ip("link", "set", NAME, "up")
    eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master again")
    eventually(lambda: peer.holds_none(cluster.virtual), 10, "and alone")
    since = cluster.sniffer.position
    seen = cluster.sniffer.wait_for_adverts(10, 10, since=since)
    assert {advert.port for advert in seen} == {node.host.port}


@pytest.mark.fairlead_only
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("is_late", [False, True], ids=["goes-down", "comes-up-late"])
def test_a_virtual_mac_works_again_once_its_base_is_up(
    make_cluster: Make, family: int, is_late: bool
) -> None:
    """The base has its link-local address only while it is up."""
    cluster = vmac_cluster(make_cluster, "fairlead", "fairlead", family=family)
    node, peer = cluster.nodes
    peer.start(cluster.text(peer, on_vmac(family).with_(priority=100)))
    eventually(lambda: is_on_vmac(peer, cluster.virtual), 15, "the peer is master")
    text = cluster.text(node, on_vmac(family))
    if is_late:
        node.host.take_link_down()
        node.start(text)
        node.wait_for_line("VI_1", "FAULT")
    else:
        node.start(text)
        eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master")
        node.host.take_link_down()
        eventually(lambda: is_on_vmac(peer, cluster.virtual), 15, "the peer takes over")
    eventually(lambda: node.holds_none(cluster.virtual), 10, "in fault")
    node.host.take_link_up()
    eventually(lambda: is_on_vmac(node, cluster.virtual), 20, "master")
    eventually(lambda: peer.holds_none(cluster.virtual), 10, "and alone: the peer hears it")
    since = cluster.sniffer.position
    seen = cluster.sniffer.wait_for_adverts(10, 10, since=since)
    assert {(each.port, each.mac) for each in seen} == {(node.host.port, VIRTUAL_MAC[family])}


@pytest.mark.fairlead_only
def test_an_ipv6_virtual_mac_waits_for_duplicate_detection(make_cluster: Make) -> None:
    """The link-local address of a base that has just come up is not to be used yet."""
    cluster = make_cluster("fairlead", family=6, detects_duplicates=True)
    if not can_make_macvlan(cluster):
        pytest.skip("this kernel has no macvlan")
    node = cluster.nodes[0]
    own = link_local(node)
    node.host.take_link_down()
    node.host.take_link_up()
    node.start(cluster.text(node, on_vmac(6)))
    eventually(lambda: is_on_vmac(node, cluster.virtual), 20, "master")
    since = cluster.sniffer.position
    seen = cluster.sniffer.wait_for_adverts(5, 10, port=node.host.port, since=since)
    assert {(each.source, each.mac) for each in seen} == {(own, VIRTUAL_MAC[6])}


@pytest.mark.fairlead_only
def test_somebody_elses_interface_of_the_name_is_a_fault_told_once(make_cluster: Make) -> None:
    cluster = vmac_cluster(make_cluster, "fairlead")
    node = cluster.nodes[0]
    node.host.ip("link", "add", NAME, "type", "veth", "peer", "name", "clash1")
    foreign = index_of(node, NAME)
    node.start(cluster.text(node, on_vmac()))
    node.wait_for_line("VI_1", "FAULT", NAME)
    node.wait_for_line("VI_1", "cannot create interface", NAME)
    for _ in range(5):
        node.host.ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        node.host.ip("link", "set", "probe1", "up")
        node.host.ip("link", "set", "probe0", "up")
        node.host.ip("link", "del", "probe0")
    # Something that comes after all of this has been seen: a reload, answered in order.
    assert node.reload()
    assert len(node.lines_with("cannot create interface", NAME)) == 1
    assert len(node.lines_with("VI_1", "Entering FAULT")) == 1
    assert index_of(node, NAME) == foreign, "it was left alone"
    assert cluster.sniffer.adverts() == [] and node.holds_none(cluster.virtual)
    node.host.ip("link", "del", NAME)
    eventually(lambda: is_on_vmac(node, cluster.virtual), 15, "master once the name is free")


# MARK: the node's own address


@pytest.mark.fairlead_only
@pytest.mark.parametrize("promotes", ["0", "1"], ids=["", "promote-secondaries"])
def test_without_its_own_address_a_master_is_in_fault(make_cluster: Make, promotes: str) -> None:
    cluster = make_cluster("fairlead", "keepalived")
    node, peer = cluster.nodes
    node.host.set_kernel("ipv4/conf/all/promote_secondaries", promotes)
    node.host.set_kernel("ipv4/conf/eth0/promote_secondaries", promotes)
    cluster.start(FAST, FAST.with_(priority=100))
    cluster.settle(node)
    own = node.host.given[0]
    for _ in range(2):
        node.host.ip("address", "del", own, "dev", "eth0")
        node.wait_for_line("VI_1", "FAULT", "no address to send from")
        cluster.settle(peer)
        assert not node.netlink.address(bare(own)), "nothing but the tester puts it back"
        node.host.ip("address", "add", own, "dev", "eth0")
        cluster.settle(node)
    assert node.stop() == 0
    assert node.holds((own,)), "its own address is not the router's to take"
    assert node.holds_none(cluster.virtual)
    cluster.settle(peer)


@pytest.mark.fairlead_only
@pytest.mark.parametrize("promotes", ["0", "1"], ids=["", "promote-secondaries"])
def test_an_own_address_that_came_after_the_virtual_one_survives_a_stop(
    make_cluster: Make, promotes: str
) -> None:
    """A secondary address goes with the first of its network, unless the kernel is told."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    node.host.set_kernel("ipv4/conf/all/promote_secondaries", promotes)
    node.host.set_kernel("ipv4/conf/eth0/promote_secondaries", promotes)
    node.start(cluster.text(node, FAST))
    cluster.settle(node)
    late = "10.0.0.140/26"
    node.host.ip("address", "flush", "dev", "eth0", "scope", "global")
    for address in (node.host.given[0], late):
        node.host.ip("address", "add", address, "dev", "eth0")
    cluster.settle(node)
    assert node.stop() == 0
    assert node.holds((node.host.given[0], late)) and node.holds_none(cluster.virtual)


# MARK: routes and static addresses


@pytest.mark.fairlead_only
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_a_route_that_went_with_its_source_address_comes_back(
    make_cluster: Make, family: int
) -> None:
    cluster = make_cluster("fairlead", family=family)
    node = cluster.nodes[0]
    away = {4: "192.0.2.0/24", 6: "2001:db8:99::/64"}[family]
    routes = block("virtual_routes", [f"{away} dev eth0 src {cluster.target}"])
    node.start(cluster.text(node, FAST.with_(family=family, lines=(routes,))))

    def route() -> str:
        return node.host.ip(f"-{family}", "route", "show", away)

    eventually(lambda: cluster.target in route(), 15, "master, with the route")
    assert node.holds(cluster.virtual)
    for _ in range(2):
        node.host.ip("address", "del", cluster.virtual[-1], "dev", "eth0")
        eventually(lambda: node.holds(cluster.virtual), 10, "the address is back")
        eventually(lambda: cluster.target in route(), 5, "and so is the route")
    assert node.stop() == 0
    assert route() == ""


@pytest.mark.fairlead_only
def test_a_static_address_waits_for_its_interface(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    static = ("10.77.0.1/24",)
    addresses = block("static_ipaddress", [f"{static[0]} dev late0"])
    settings = FAST.with_(globals=("dynamic_interfaces",), blocks=addresses)
    node.start(cluster.text(node, settings))
    cluster.settle(node)
    assert node.holds_none(static)
    for _ in range(2):
        node.host.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
        eventually(lambda: node.holds(static), 10, "added to the interface that came")
        held = node.address(static[0])
        assert held is not None and held.interface == index_of(node, "late0")
        node.host.ip("link", "del", "late0")
        eventually(lambda: node.holds_none(static), 5, "gone with it")
    node.host.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
    eventually(lambda: node.holds(static), 10, "added again")
    assert node.stop() == 0
    assert node.holds_none(static)
