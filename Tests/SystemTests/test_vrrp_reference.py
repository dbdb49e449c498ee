"""The reference deployment's keepalived.conf, unchanged, and the packets it makes.

The packets are the golden ones of Documentation: they are what keepalived sends, octet by octet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.proxies import REPOSITORY
from harness.routers import Settings
from harness.sniffer import Advert

Make = Callable[..., Cluster]

EXAMPLE = REPOSITORY / "Examples/kubernetes-back/keepalived.conf"
INLINE = """\
global_defs {
    router_id lb-1
}

vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.5
    authentication {
        auth_type PASS
        auth_pass 42Secure
    }
    virtual_ipaddress {
        10.0.0.179/26
    }
}
"""
ROLES = [("fairlead", "keepalived"), ("keepalived", "fairlead")]
VIRTUAL = "10.0.0.179"


def reference() -> str:
    return EXAMPLE.read_text() if EXAMPLE.exists() else INLINE


def backup_variant(text: str) -> str:
    """What the other node's file says: BACKUP with a lower priority."""
    changed = re.sub(r"state\s+MASTER", "state BACKUP", text)
    changed = re.sub(r"priority\s+\d+", "priority 100", changed)
    assert changed != text
    return changed


@pytest.fixture(params=ROLES, ids="-".join)
def pair(request: pytest.FixtureRequest, make_cluster: Make) -> Cluster:
    cluster = make_cluster(*request.param)
    cluster.nodes[0].start(reference())
    cluster.nodes[1].start(backup_variant(reference()))
    cluster.settle(cluster.nodes[0])
    return cluster


def test_the_address_is_a_secondary_one_on_exactly_one_node(pair: Cluster) -> None:
    master, backup = pair.nodes
    held = master.address(VIRTUAL)
    assert held is not None and held.prefix_length == 26
    assert held.is_secondary, "the node's own address of the subnet stays the primary one"
    assert backup.address(VIRTUAL) is None
    assert " secondary eth0" in master.host.ip("address", "show", "to", VIRTUAL)


def test_the_backup_takes_over_when_the_master_stops(pair: Cluster) -> None:
    master, backup = pair.nodes
    master.stop()
    pair.settle(backup)
    master.start()
    pair.settle(master)


def test_half_a_second_is_a_whole_one_in_version_2(pair: Cluster) -> None:
    master = pair.nodes[0]
    adverts = pair.sniffer.wait_for_adverts(4, 10, port=master.host.port)
    assert {advert.interval for advert in adverts} == {1.0}
    apart = [b.time - a.time for a, b in zip(adverts, adverts[1:], strict=False)]
    assert all(0.8 < seconds < 1.5 for seconds in apart), apart
    assert master.lines_with("VI_1", "0.5"), "it says so"


# MARK: golden packets (source 10.9.0.1 where the checksum covers it)

GOLDEN_HEADER = "45c0002c00000000ff7000000a090001e0000012"
GOLDEN: dict[str, tuple[Settings, str]] = {
    "v2-password-two-addresses": (
        Settings(
            router_id=51,
            priority=100,
            password="42Secure",
            addresses=("10.9.0.100/24", "10.9.0.101/24"),
        ),
        "213364020101077c0a0900640a0900653432536563757265",
    ),
    "v2-no-authentication": (
        Settings(router_id=52, priority=254, addresses=("10.9.0.102/24",)),
        "2134fe010001d6590a0900660000000000000000",
    ),
    "v3-half-a-second": (
        Settings(
            version=3, router_id=53, priority=254, interval="0.5", addresses=("10.9.0.103/24",)
        ),
        "3135fe010032db8d0a090067",
    ),
    "v3-unicast-quarter-of-a-second": (
        Settings(
            version=3,
            router_id=54,
            priority=254,
            interval="0.25",
            unicast=True,
            addresses=("10.9.0.104/24",),
        ),
        "3136fe010019b1ac0a090068",
    ),
    "v2-unicast": (
        Settings(router_id=55, priority=254, unicast=True, addresses=("10.9.0.105/24",)),
        "2137fe010001d6530a0900690000000000000000",
    ),
    "v2-owner": (
        Settings(router_id=57, priority=255, addresses=("10.9.0.107/24",)),
        "2139ff010001d54f0a09006b0000000000000000",
    ),
}


def first_advert(make_cluster: Make, role: str, settings: Settings) -> Advert:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    node.host.ip("address", "flush", "dev", "eth0", "scope", "global")
    node.host.ip("address", "add", "10.9.0.1/24", "dev", "eth0")
    node.start(settings.text("10.9.0.1", ["10.9.0.2"]))
    if settings.unicast:  # somebody has to be there, or ARP holds the packets back
        cluster.client.host.ip("address", "add", "10.9.0.2/24", "dev", "eth0")
    return cluster.sniffer.wait_for_adverts(1, 15, port=node.host.port)[0]


@pytest.mark.parametrize("role", ["fairlead", "keepalived"])
@pytest.mark.parametrize("case", GOLDEN)
def test_an_advert_is_the_golden_packet(make_cluster: Make, case: str, role: str) -> None:
    settings, message = GOLDEN[case]
    advert = first_advert(make_cluster, role, settings)
    assert advert.message.hex() == message
    assert advert.has_valid_checksum
    header = bytearray(advert.header)
    header[4:6] = header[10:12] = b"\0\0"  # identification and checksum: of each packet
    destination = "10.9.0.2" if settings.unicast else "224.0.0.18"
    expected = bytearray.fromhex(GOLDEN_HEADER)
    expected[2:4] = (20 + len(advert.message)).to_bytes(2, "big")
    expected[16:20] = ipaddress.ip_address(destination).packed
    assert header.hex() == expected.hex(), "TOS 0xc0, not fragmented, TTL 255, protocol 112"
    if not settings.unicast:
        assert advert.mac_destination == "01:00:5e:00:00:12"


@pytest.mark.parametrize("role", ["fairlead", "keepalived"])
def test_an_ipv6_advert_is_the_golden_packet(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role, family=6)
    node = cluster.nodes[0]
    settings = Settings(
        version=3,
        family=6,
        router_id=56,
        priority=254,
        addresses=("fe80::100/64", "fd00::100/64"),
    )
    node.start(cluster.text(node, settings))
    advert = cluster.sniffer.wait_for_adverts(1, 15, port=node.host.port)[0]
    addresses = "fe80" + "0" * 24 + "0100" + "fd00" + "0" * 24 + "0100"
    assert (advert.message[:6] + advert.message[8:]).hex() == "3138fe020064" + addresses
    assert advert.has_valid_checksum, "it covers the link-local source, another one each time"
    assert ipaddress.ip_address(advert.source).is_link_local
    assert (advert.destination, advert.ttl) == ("ff02::12", 255)
    assert advert.traffic_class == 0xC0
    assert advert.mac_destination == "33:33:00:00:00:12"


# MARK: announcements


def first_burst(cluster: Cluster, address: str) -> list:
    port = cluster.nodes[0].host.port
    cluster.sniffer.wait_for_adverts(2, 15, port=port)
    advert = cluster.sniffer.adverts(port)[1]
    return [
        each
        for each in cluster.sniffer.announcements(address, port)
        if each.time < advert.time
    ]


@pytest.mark.parametrize("role", ["fairlead", "keepalived"])
def test_a_new_master_announces_each_address_five_times(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    node.start(cluster.text(node, Settings(version=3, interval="1", priority=254)))
    burst = first_burst(cluster, VIRTUAL)
    requests = [each for each in burst if each.operation == 1]
    assert len(requests) == 5
    for each in burst:
        assert (each.mac, each.announced_mac) == (node.mac, node.mac)
        assert each.mac_destination == "ff:ff:ff:ff:ff:ff"
    begin = cluster.sniffer.adverts(node.host.port)[0].time
    assert begin < requests[0].time, "the advert comes first: it ends the election"


@pytest.mark.fairlead_only
def test_a_new_master_announces_as_request_and_as_reply(make_cluster: Make) -> None:
    """Some hosts take gratuitous ARP of only one kind."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    node.start(cluster.text(node, Settings(version=3, interval="1", priority=254)))
    assert {each.operation for each in first_burst(cluster, VIRTUAL)} == {1, 2}


@pytest.mark.parametrize("role", ["fairlead", "keepalived"])
def test_a_new_ipv6_master_sends_overriding_advertisements(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role, family=6)
    node = cluster.nodes[0]
    settings = Settings(version=3, family=6, interval="1", priority=254)
    node.start(cluster.text(node, settings))
    burst = first_burst(cluster, "fd00:10::179")
    assert len(burst) == 5
    for each in burst:
        assert (each.announced_mac, each.mac_destination) == (node.mac, "33:33:00:00:00:01")
        assert each.flags & 0x60000000 == 0x20000000, "override, not solicited"


@pytest.mark.parametrize("role", ["fairlead", "keepalived"])
def test_announcements_are_repeated_and_refreshed(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    lines = (
        "garp_master_delay 2",
        "garp_master_repeat 3",
        "garp_master_refresh 3",
        "garp_master_refresh_repeat 2",
    )
    settings = Settings(version=3, interval="0.5", priority=254, lines=lines)
    node.start(cluster.text(node, settings))
    begin = cluster.sniffer.wait_for_adverts(1, 15, port=node.host.port)[0].time
    cluster.sniffer.wait_for_adverts(1, 15, where=lambda advert: advert.time > begin + 5)
    seconds = [
        each.time - begin
        for each in cluster.sniffer.announcements(VIRTUAL, node.host.port)
        if each.operation == 1
    ]
    assert sum(each < 1.5 for each in seconds) == 3, "at once"
    assert sum(1.5 <= each < 2.8 for each in seconds) == 3, "after the delay"
    assert sum(2.8 <= each for each in seconds) >= 2, "and refreshed"
