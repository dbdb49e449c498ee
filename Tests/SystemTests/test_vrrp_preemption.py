"""Who takes over from a living master, and when; what else a master owns besides addresses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster, can_make_macvlan
from harness.routers import Node, Settings, block
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]
BOTH_WAYS = [("fairlead", "keepalived"), ("keepalived", "fairlead")]
DELAY_SECONDS = 3

pytestmark = pytest.mark.limit(90)


def weaker_first(
    make_cluster: Make, roles: tuple[str, str], *lines: str
) -> tuple[Cluster, Node, Node]:
    """The weaker node is master already as the stronger one, with `lines`, starts."""
    cluster = make_cluster(*roles)
    stronger, weaker = cluster.nodes
    weaker.start(cluster.text(weaker, FAST.with_(priority=100)))
    cluster.settle(weaker)
    stronger.start(cluster.text(stronger, FAST.with_(lines=lines)))
    return cluster, stronger, weaker


@pytest.mark.parametrize("roles", BOTH_WAYS, ids="-over-".join)
def test_nopreempt_leaves_a_weaker_master_alone(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    cluster, stronger, weaker = weaker_first(make_cluster, roles, "nopreempt")
    cluster.stays_calm(weaker, adverts=10)
    weaker.stop()
    cluster.settle(stronger)


@pytest.mark.parametrize("roles", BOTH_WAYS, ids="-over-".join)
def test_preempt_delay_is_waited_for(make_cluster: Make, roles: tuple[str, str]) -> None:
    begin = time.time()
    line = f"preempt_delay {DELAY_SECONDS}"
    cluster, stronger, weaker = weaker_first(make_cluster, roles, line)
    started = time.time()
    first = cluster.sniffer.wait_for_adverts(1, 15, port=stronger.host.port)[0]
    assert first.time - begin >= DELAY_SECONDS - 0.1
    assert first.time - started < DELAY_SECONDS + 2
    cluster.settle(stronger)


@pytest.mark.parametrize("roles", BOTH_WAYS, ids="-over-".join)
def test_preempt_delay_does_not_wait_when_the_master_dies(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    cluster, stronger, weaker = weaker_first(make_cluster, roles, "preempt_delay 300")
    cluster.stays_calm(weaker, adverts=5)
    cluster.lose_power(weaker)
    cluster.settle(stronger)


@pytest.mark.parametrize("roles", BOTH_WAYS, ids="-over-".join)
def test_state_master_does_not_make_it_a_master_at_once(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    """It listens for the master-down interval first, as keepalived does."""
    cluster = make_cluster(*roles)
    first, second = cluster.nodes
    second.start(cluster.text(second, FAST.with_(priority=200)))
    cluster.settle(second)
    first.start(cluster.text(first, FAST.with_(state="MASTER", priority=100)))
    cluster.stays_calm(second, adverts=8)
    assert cluster.sniffer.adverts(first.host.port) == []


# MARK: routes, rules, attributes


@pytest.mark.parametrize("role", ROLES)
def test_routes_and_rules_come_and_go_with_the_master_state(
    make_cluster: Make, role: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    routes = block("virtual_routes", ["10.99.0.0/24 via 10.0.0.130 dev eth0 metric 50"])
    rules = block("virtual_rules", ["from 10.0.0.179 lookup 77 preference 1234"])
    node.start(cluster.text(node, FAST.with_(lines=(routes, rules))))

    def owned() -> tuple[int, int]:
        routes = json.loads(node.host.ip("-j", "route", "show", "10.99.0.0/24") or "[]")
        rules = json.loads(node.host.ip("-j", "rule", "show", "priority", "1234") or "[]")
        return len(routes), len(rules)

    eventually(lambda: node.holds(cluster.virtual), 10, "master")
    eventually(lambda: owned() == (1, 1), 5, "a route and a rule")
    assert "via 10.0.0.130" in node.host.ip("route", "show", "10.99.0.0/24")
    assert "lookup 77" in node.host.ip("rule", "show", "priority", "1234")
    node.stop()
    eventually(lambda: owned() == (0, 0), 5, "gone with the master")


@pytest.mark.parametrize("role", ROLES)
def test_addresses_have_the_attributes_that_were_written(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    addresses = (
        "10.0.0.179/26 brd + label eth0:vip",
        "10.0.0.180 scope link",
        "10.8.0.1/24 brd 10.8.0.255 dev lo",
    )
    excluded = block("virtual_ipaddress_excluded", ["10.7.0.1/32", "fd00:7::1/64"])
    node.start(cluster.text(node, FAST.with_(addresses=addresses, lines=(excluded,))))
    eventually(lambda: node.holds((*addresses, "10.7.0.1", "fd00:7::1")), 10, "master")
    shown = {
        entry["local"]: entry
        for link in json.loads(node.host.ip("-j", "address", "show"))
        for entry in link["addr_info"]
    }
    first, second, third = (shown[each.split()[0].split("/")[0]] for each in addresses)
    assert (first["label"], first["broadcast"]) == ("eth0:vip", "10.0.0.191")
    assert (second["prefixlen"], second["scope"]) == (32, "link")
    assert "broadcast" not in second
    assert (third["prefixlen"], third["broadcast"]) == (24, "10.8.0.255")
    assert shown["10.7.0.1"]["prefixlen"] == 32
    advert = cluster.sniffer.wait_for_adverts(1, 5, port=node.host.port)[0]
    assert advert.addresses == ("10.0.0.179", "10.0.0.180", "10.8.0.1"), "not the excluded ones"
    node.stop()
    eventually(lambda: node.holds_none((*addresses, "10.7.0.1", "fd00:7::1")), 5, "all gone")


# MARK: virtual MAC addresses


@pytest.mark.parametrize("roles", BOTH_WAYS, ids="-over-".join)
@pytest.mark.parametrize("base", ["", "vmac_xmit_base"], ids=["from-vmac", "from-base"])
def test_use_vmac_moves_the_mac_address_of_the_rfc(
    make_cluster: Make, roles: tuple[str, str], base: str
) -> None:
    cluster = make_cluster(*roles)
    if not can_make_macvlan(cluster):
        pytest.skip("this kernel has no macvlan")
    lines = ("use_vmac vrrp.51", *([base] if base else []))
    settings = FAST.with_(lines=lines)
    for node in cluster.nodes:
        node.mac = "00:00:5e:00:01:33"
        # As keepalived's notes on VMACs ask: else the node itself asks for the client's MAC from
        # eth0 in the name of the virtual address, and the client believes that.
        node.host.set_kernel("ipv4/conf/all/arp_ignore", "1")
        node.host.set_kernel("ipv4/conf/all/arp_announce", "2")
    cluster.start(settings, settings.with_(priority=100))
    first, second = cluster.nodes
    cluster.settle(first)
    links = {link.name: link for link in first.netlink.links()}
    held = first.address(cluster.target)
    assert held is not None and held.interface == links["vrrp.51"].index
    senders = {advert.mac for advert in cluster.sniffer.adverts(first.host.port)}
    assert senders == {links["eth0"].mac if base else first.mac}
    first.stop()
    cluster.settle(second)
    assert "vrrp.51" not in {link.name for link in first.netlink.links()}
