"""What others do to a virtual address: strip it, claim it, use its virtual router id."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.forge import claim, replay
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]

pytestmark = pytest.mark.limit(90)


def master(make_cluster: Make, role: str, settings: Settings = FAST) -> tuple[Cluster, Node]:
    cluster = make_cluster(role, family=settings.family)
    node = cluster.nodes[0]
    node.start(cluster.text(node, settings))
    eventually(lambda: node.holds(cluster.virtual), 10, "master")
    return cluster, node


# MARK: stripped addresses


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("settings", [FAST, FAST.with_(family=6)], ids=["ipv4", "ipv6"])
def test_a_stripped_address_comes_back(
    make_cluster: Make, role: str, settings: Settings
) -> None:
    cluster, node = master(make_cluster, role, settings)
    node.host.ip("address", "del", cluster.virtual[-1], "dev", "eth0")
    eventually(lambda: node.holds(cluster.virtual), 10, "put back")
    cluster.settle(node)


@pytest.mark.fairlead_only
def test_a_stripped_address_is_logged_and_the_master_stays_master(make_cluster: Make) -> None:
    cluster, node = master(make_cluster, "fairlead")
    since, known = cluster.sniffer.position, len(node.lines)
    for count in (1, 2):
        node.host.ip("address", "del", cluster.virtual[0], "dev", "eth0")
        eventually(lambda: node.holds(cluster.virtual), 5, "put back")

        def logged(count: int = count) -> bool:
            return sum(cluster.target in line for line in node.lines[known:]) >= count

        eventually(logged, 5, "logged with the address")
    assert cluster.sniffer.announcements(cluster.target, since=since), "announced again"
    assert all(each.priority == 150 for each in cluster.sniffer.adverts(since=since))


@pytest.mark.parametrize("role", ROLES)
def test_flushing_the_interface_does_not_lose_the_address(make_cluster: Make, role: str) -> None:
    """What a network manager does as it configures an interface anew."""
    cluster, node = master(make_cluster, role)
    node.host.ip("address", "flush", "dev", "eth0", "scope", "global")
    node.host.ip("address", "add", node.host.given[0], "dev", "eth0")
    eventually(lambda: node.holds(cluster.virtual), 10, "put back")
    cluster.settle(node)


# MARK: duplicates


@pytest.mark.fairlead_only
@pytest.mark.parametrize("settings", [FAST, FAST.with_(family=6)], ids=["ipv4", "ipv6"])
def test_a_duplicate_holder_is_logged_once_with_its_mac_address(
    make_cluster: Make, settings: Settings
) -> None:
    cluster, node = master(make_cluster, "fairlead", settings)
    intruder = cluster.client
    mac = intruder.netlink.mac()
    intruder.host.ip("address", "add", cluster.virtual[-1], "dev", "eth0")
    claim(intruder.host, mac, cluster.target, count=5)
    node.wait_for_line(cluster.target, mac, within=5)
    claim(intruder.host, mac, cluster.target, count=5)
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(10, 10, port=node.host.port, since=since)
    assert len(node.lines_with(cluster.target, mac)) == 1
    assert node.holds(cluster.virtual)


@pytest.mark.fairlead_only
def test_own_announcements_and_those_of_the_peer_are_no_duplicates(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead", "keepalived")
    first, second = cluster.nodes
    cluster.start(FAST, FAST.with_(priority=100))
    cluster.settle(first)
    first.host.take_link_down()
    cluster.settle(second)
    first.host.take_link_up()
    cluster.settle(first)
    for line in first.lines_with(cluster.target):
        assert first.mac not in line and "duplicate" not in line.lower(), line


# MARK: other virtual routers with the same id


def strangers(make_cluster: Make, own: Settings, theirs: Settings) -> tuple[Cluster, Node, Node]:
    """Two nodes of one virtual router id that do not agree; both have become master.

    The stranger's advert is played again and again: by itself a keepalived that drops such adverts
    starts its timer anew at each, and falls silent beside somebody as fast as itself.
    """
    cluster = make_cluster("fairlead", "keepalived")
    node, stranger = cluster.nodes
    cluster.start(own, theirs)
    port = stranger.host.port
    advert = cluster.sniffer.wait_for_adverts(1, 20, port=port)[0]
    replay(stranger.host, advert, count=5)
    cluster.sniffer.wait_for_adverts(6, 10, port=port)
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(2, 10, port=node.host.port, since=since)
    return cluster, node, stranger


@pytest.mark.fairlead_only
def test_another_password_is_reported_once_with_the_source(make_cluster: Make) -> None:
    own = Settings(password="42Secure")
    cluster, node, stranger = strangers(make_cluster, own, own.with_(password="else"))
    source = stranger.host.addresses[0]
    about = [line for line in node.lines_with(source) if "pass" in line.lower()]
    assert len(about) == 1, about
    assert not any("42Secure" in line or "else" in line for line in about), "no secrets in logs"
    assert node.holds(cluster.virtual), "it was not believed"


@pytest.mark.fairlead_only
def test_a_missing_password_is_reported_once_with_the_source(make_cluster: Make) -> None:
    own = Settings(password="42Secure")
    _, node, stranger = strangers(make_cluster, own, own.with_(password=""))
    about = [line for line in node.lines_with(stranger.host.addresses[0]) if "auth" in line.lower()]
    assert len(about) == 1, about


@pytest.mark.fairlead_only
def test_a_master_that_hears_adverts_it_drops_still_advertises(make_cluster: Make) -> None:
    """Unlike keepalived: somebody twice as fast, with another password, does not silence it."""
    own = Settings(interval="2", password="42Secure")
    cluster = make_cluster("fairlead", "keepalived")
    cluster.start(own, Settings(password="else"))
    first = cluster.nodes[0].host.port
    adverts = cluster.sniffer.wait_for_adverts(4, 20, port=first)
    apart = [b.time - a.time for a, b in zip(adverts, adverts[1:], strict=False)]
    assert all(1.8 < seconds < 2.5 for seconds in apart), apart


@pytest.mark.fairlead_only
def test_another_address_list_is_reported_once_with_the_source(make_cluster: Make) -> None:
    """Heard as backup; keepalived 2.4 and Fairlead take such adverts nevertheless."""
    cluster = make_cluster("fairlead", "keepalived")
    node, stranger = cluster.nodes
    theirs = FAST.with_(priority=200, addresses=("10.0.0.179/26", "10.0.0.180/26"))
    cluster.start(FAST, theirs)
    since = cluster.sniffer.position
    cluster.sniffer.wait_for_adverts(20, 20, port=stranger.host.port, since=since)
    about = [
        line
        for line in node.lines_with(stranger.host.addresses[0])
        if "address" in line.lower()
    ]
    assert len(about) == 1, node.lines


@pytest.mark.fairlead_only
def test_another_version_2_interval_is_reported_once(make_cluster: Make) -> None:
    """Dropped, as RFC 3768 wants it: so both become master, and the log says why."""
    cluster, node, stranger = strangers(make_cluster, Settings(), Settings(interval="2"))
    about = [line for line in node.lines_with(stranger.host.addresses[0]) if "interval" in line]
    assert len(about) == 1, node.lines
    assert node.holds(cluster.virtual) and stranger.holds(cluster.virtual)


@pytest.mark.parametrize("roles", [("fairlead", "keepalived"), ("keepalived", "fairlead")])
def test_a_version_3_backup_adopts_the_masters_interval(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    """Its own 0.1 s would call a master that speaks every 0.5 s dead."""
    cluster = make_cluster(*roles)
    first, second = cluster.nodes
    cluster.start(FAST.with_(interval="0.5"), FAST.with_(priority=100))
    cluster.settle(first)
    cluster.stays_calm(first, adverts=6)
    first.stop()
    cluster.settle(second)


@pytest.mark.parametrize("roles", [("fairlead", "keepalived"), ("keepalived", "fairlead")])
def test_the_higher_address_wins_between_equal_priorities(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    """Both come up without hearing each other; then the network heals."""
    cluster = make_cluster(*roles)
    lower, higher = cluster.nodes
    cluster.network.isolate(lower.host)
    cluster.start(FAST, FAST)
    for node in cluster.nodes:
        eventually(lambda n=node: n.holds(cluster.virtual), 10, "master for itself")
    cluster.network.join(lower.host)
    cluster.client.forget_neighbours()
    cluster.settle(higher)


# MARK: duplicate address detection


@pytest.mark.parametrize("role", ROLES)
def test_ipv6_addresses_are_usable_at_once(make_cluster: Make, role: str) -> None:
    """The kernel of this node probes addresses for a second before it uses them."""
    cluster = make_cluster(role, family=6, detects_duplicates=True)
    node = cluster.nodes[0]
    node.start(cluster.text(node, FAST.with_(family=6)))
    eventually(lambda: node.holds(cluster.virtual), 10, "master")
    for change in node.monitor.of(cluster.target):
        assert not change.address.is_tentative
    held = node.address(cluster.target)
    assert held is not None and held.skips_duplicate_detection
    cluster.settle(node)


@pytest.mark.parametrize("role", ROLES)
def test_duplicate_address_detection_can_be_had(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role, family=6, detects_duplicates=True)
    node = cluster.nodes[0]
    wanted = ("fe80::179/64", "fd00:10::179/64 -nodad")
    node.start(cluster.text(node, FAST.with_(family=6, addresses=wanted)))
    change = node.monitor.wait_for(lambda c: c.address.text == cluster.target, 10, "added")
    assert change.address.is_tentative
    eventually(lambda: not node.address(cluster.target).is_tentative, 10, "found unique")


@pytest.mark.fairlead_only
def test_a_failed_duplicate_address_detection_is_logged(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead", family=6, detects_duplicates=True)
    node = cluster.nodes[0]
    cluster.client.host.ip("address", "add", "fd00:10::179/64", "dev", "eth0", "nodad")
    wanted = ("fe80::179/64", "fd00:10::179/64 -nodad")
    node.start(cluster.text(node, FAST.with_(family=6, addresses=wanted)))

    def told() -> bool:
        lines = node.lines_with(cluster.target)
        return any("duplicate" in line.lower() or "DAD" in line for line in lines)

    eventually(told, 15, "a line about the duplicate")
