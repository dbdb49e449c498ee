"""What a reload does to routers that depend on each other, and to what is theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.routers import Node, Settings, block
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
FIRST, SECOND = ("10.0.0.179/26",), ("10.0.0.180/26",)
AT_ONCE_SECONDS = 1.0

pytestmark = pytest.mark.limit(90)


def instance(settings: Settings) -> str:
    """Only the `vrrp_instance`, to stand after another one."""
    text = settings.text()
    return text[text.index("vrrp_instance") :]


def two_routers(
    *, is_grouped: bool, first: tuple[str, ...] = FIRST, second: tuple[str, ...] = SECOND
) -> Settings:
    """VI_1, and VI_2 that tracks the interface `probe0`; in one sync group or not."""
    tracking = block("track_interface", ["probe0"])
    other = FAST.with_(name="VI_2", router_id=52, addresses=second, lines=(tracking,))
    members = block("group", ["VI_1", "VI_2"])
    return FAST.with_(
        addresses=first,
        blocks=block("vrrp_sync_group G", [members]) if is_grouped else "",
        after=instance(other),
    )


def with_probe(make_cluster: Make, role: str) -> tuple[Cluster, Node]:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    node.host.ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
    for name in ("probe1", "probe0"):
        node.host.ip("link", "set", name, "up")
    return cluster, node


def probe(node: Node, state: str) -> None:
    node.host.ip("link", "set", "probe0", state)


# MARK: sync groups


@pytest.mark.fairlead_only
def test_who_was_in_fault_with_a_group_comes_up_without_it(make_cluster: Make) -> None:
    cluster, node = with_probe(make_cluster, "fairlead")
    node.start(cluster.text(node, two_routers(is_grouped=True)))
    eventually(lambda: node.holds(FIRST + SECOND), 10, "both are master")
    probe(node, "down")
    eventually(lambda: node.holds_none(FIRST + SECOND), 10, "both are in fault")
    assert node.reload(cluster.text(node, two_routers(is_grouped=False)))
    eventually(lambda: node.holds(FIRST), 10, "nothing is wrong with the first one")
    since = cluster.sniffer.position
    seen = cluster.sniffer.wait_for_adverts(10, 10, since=since)
    assert {advert.router_id for advert in seen} == {51}
    assert node.holds_none(SECOND), "the second one's interface is down"
    probe(node, "up")
    eventually(lambda: node.holds(FIRST + SECOND), 10, "both are master again")


@pytest.mark.fairlead_only
def test_who_never_started_because_of_a_group_starts_without_it(make_cluster: Make) -> None:
    cluster, node = with_probe(make_cluster, "fairlead")
    probe(node, "down")
    node.start(cluster.text(node, two_routers(is_grouped=True)))
    node.wait_for_line("VI_2", "FAULT")
    assert cluster.sniffer.adverts() == []
    assert node.reload(cluster.text(node, two_routers(is_grouped=False)))
    eventually(lambda: node.holds(FIRST), 10, "nothing is wrong with the first one")
    assert node.holds_none(SECOND)


@pytest.mark.fairlead_only
def test_a_master_that_joins_a_faulty_router_follows_it(make_cluster: Make) -> None:
    cluster, node = with_probe(make_cluster, "fairlead")
    probe(node, "down")
    node.start(cluster.text(node, two_routers(is_grouped=False)))
    eventually(lambda: node.holds(FIRST), 10, "the first one is master")
    since = cluster.sniffer.position
    assert node.reload(cluster.text(node, two_routers(is_grouped=True)))
    cluster.sniffer.wait_for_adverts(
        1, 10, since=since, where=lambda each: (each.router_id, each.priority) == (51, 0)
    )
    eventually(lambda: node.holds_none(FIRST + SECOND), 10, "both are in fault")
    node.wait_for_line("VI_1", "FAULT")
    probe(node, "up")
    eventually(lambda: node.holds(FIRST + SECOND), 10, "both come up together")


# MARK: priorities


@pytest.mark.fairlead_only
def test_a_new_weight_of_a_script_changes_the_priority(make_cluster: Make) -> None:
    """Nothing but the script's own block differs; its result is known already."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]

    def weighing(weight: int) -> str:
        lines = ['script "/bin/true"', "interval 1", f"weight {weight}"]
        script = block("vrrp_script fine", lines)
        tracking = block("track_script", ["fine"])
        return cluster.text(node, FAST.with_(blocks=script, lines=(tracking,)))

    node.start(weighing(20))

    def comes_to(priority: int, since: int) -> None:
        cluster.sniffer.wait_for_adverts(
            1, 10, since=since, where=lambda advert: advert.priority == priority
        )

    comes_to(170, 0)
    for old, weight, new in ((170, 35, 185), (185, 5, 155)):
        since, known = cluster.sniffer.position, len(node.monitor.changes)
        assert node.reload(weighing(weight))
        comes_to(new, since)
        node.wait_for_line("(VI_1) Changing effective priority", f"from {old} to {new}")
        settled = cluster.sniffer.position
        following = cluster.sniffer.wait_for_adverts(5, 10, since=settled)
        assert {advert.priority for advert in following} == {new}
        heard = {advert.priority for advert in cluster.sniffer.adverts(since=since)}
        assert heard <= {old, new}, "not the base priority in between"
        assert all(each.is_there for each in node.monitor.of(cluster.target, known))


# MARK: addresses


@pytest.mark.fairlead_only
@pytest.mark.parametrize("is_forward", [True, False], ids=["to-the-next", "to-the-one-before"])
def test_an_address_moves_from_one_router_to_another(
    make_cluster: Make, is_forward: bool
) -> None:
    cluster, node = with_probe(make_cluster, "fairlead")
    moving = ("10.0.0.185/26",)
    both_ways = (
        two_routers(is_grouped=False, first=FIRST + moving),
        two_routers(is_grouped=False, second=SECOND + moving),
    )
    before, after = both_ways if is_forward else both_ways[::-1]
    everything = FIRST + SECOND + moving
    node.start(cluster.text(node, before))
    eventually(lambda: node.holds(everything), 10, "both are master")
    known, since = len(node.monitor.changes), cluster.sniffer.position
    assert node.reload(cluster.text(node, after))
    new_owner = 52 if is_forward else 51
    for owner, is_listed in ((new_owner, True), (103 - new_owner, False)):
        cluster.sniffer.wait_for_adverts(
            3,
            10,
            since=since,
            where=lambda each, o=owner, i=is_listed: each.router_id == o
            and ("10.0.0.185" in each.addresses) == i,
        )
    eventually(lambda: node.holds(everything), 5, "it is on the interface")
    changes = node.monitor.of("10.0.0.185", known)
    assert not changes or changes[-1].is_there
    for gone, back in zip(changes, changes[1:], strict=False):
        assert gone.is_there or (back.is_there and back.time - gone.time < AT_ONCE_SECONDS)
    assert node.lines_with("was taken") == []
    for each in ("10.0.0.179", "10.0.0.180"):
        others = node.monitor.of(each, known)
        assert all(other.is_there for other in others), "the others were not touched"
    assert not any(each.priority == 0 for each in cluster.sniffer.adverts(since=since))
