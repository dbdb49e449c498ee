"""Fairlead beside keepalived, in every version, transport and role, through every event.

Each case: the holder is the one with the higher priority; something happens to it; exactly one
node holds the addresses, the right one, and the client follows. Then, where it can, it recovers.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.routers import Node, Settings, block

Make = Callable[..., Cluster]

HIGH, LOW = 150, 100
VARIANTS = {
    "v2-multicast-ipv4": Settings(version=2, interval="1", password="42Secure"),
    "v2-unicast-ipv4": Settings(version=2, interval="1", unicast=True),
    "v3-multicast-ipv4": Settings(version=3, interval="0.1"),
    "v3-unicast-ipv4": Settings(version=3, interval="0.1", unicast=True),
    "v3-multicast-ipv6": Settings(version=3, interval="0.1", family=6),
    "v3-unicast-ipv6": Settings(version=3, interval="0.1", family=6, unicast=True),
}
PAIRS = {
    "fairlead-over-keepalived": ("fairlead", "keepalived"),
    "keepalived-over-fairlead": ("keepalived", "fairlead"),
}

pytestmark = pytest.mark.limit(120)


class Case:
    """A settled pair: `holder` holds, `other` waits."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.holder, self.other = cluster.nodes
        flag = self.holder.directory / "worse"
        self.flag = flag
        script = block(
            "vrrp_script healthy",
            [f"script \"/bin/sh -c 'test ! -e {flag}'\"", "interval 1", "weight -100"],
        )
        tracking = block("track_script", ["healthy"])
        self.settings = settings.with_(priority=HIGH, blocks=script, lines=(tracking,))
        cluster.start(self.settings, settings.with_(priority=LOW))
        cluster.settle(self.holder)

    def moves(self) -> None:
        self.cluster.settle(self.other)

    def returns(self) -> None:
        self.cluster.settle(self.holder)


@pytest.fixture(params=VARIANTS)
def settings(request: pytest.FixtureRequest) -> Settings:
    return VARIANTS[request.param]


@pytest.fixture(params=PAIRS)
def case(request: pytest.FixtureRequest, settings: Settings, make_cluster: Make) -> Case:
    return Case(make_cluster(*PAIRS[request.param], family=settings.family), settings)


def test_the_other_takes_over_when_the_holder_is_stopped(case: Case) -> None:
    since = case.cluster.sniffer.position
    case.holder.stop()
    case.moves()
    last = case.cluster.sniffer.adverts(case.holder.host.port, since)[-1]
    assert last.priority == 0, "it said that it leaves"
    assert case.holder.holds_none(case.cluster.virtual)


def test_the_other_takes_over_when_the_holder_loses_its_power(case: Case) -> None:
    case.cluster.lose_power(case.holder)
    case.moves()


def test_the_other_takes_over_while_the_holders_link_is_down(case: Case) -> None:
    case.holder.host.take_link_down()
    case.moves()
    case.holder.host.take_link_up()
    case.returns()


def test_the_holder_returns_after_a_restart(case: Case) -> None:
    case.holder.stop()
    case.holder.start()
    case.returns()
    case.other.stop()
    case.other.start()
    case.returns()


def test_a_reload_that_lowers_the_priority_hands_over(case: Case) -> None:
    lower = case.cluster.text(case.holder, case.settings.with_(priority=LOW - 50))
    higher = case.holder.file.read_text()
    assert case.holder.reload(lower)
    case.moves()
    assert case.holder.reload(higher)
    case.returns()


def test_a_failing_script_hands_over_until_it_recovers(case: Case) -> None:
    case.flag.touch()
    case.moves()
    case.flag.unlink()
    case.returns()


class Trio:
    """Three nodes; the middle one is keepalived when the others are Fairlead, and vice versa."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.nodes: list[Node] = cluster.nodes
        cluster.start(*(settings.with_(priority=priority) for priority in (150, 120, 90)))
        cluster.settle(self.nodes[0])


@pytest.fixture(params=[("fairlead", "keepalived"), ("keepalived", "fairlead")], ids="-".join)
def trio(request: pytest.FixtureRequest, settings: Settings, make_cluster: Make) -> Trio:
    outer, inner = request.param
    return Trio(make_cluster(outer, inner, outer, family=settings.family), settings)


def test_three_nodes_fail_one_after_the_other_and_come_back(trio: Trio) -> None:
    first, second, third = trio.nodes
    first.stop()
    trio.cluster.settle(second)
    trio.cluster.lose_power(second)
    trio.cluster.settle(third)
    trio.cluster.join(second)
    second.start()
    trio.cluster.settle(second)
    first.start()
    trio.cluster.settle(first)


def test_three_nodes_heal_after_a_partition(trio: Trio) -> None:
    """The one that was cut off goes on for itself, and the stronger takes over when it is back."""
    first, second, _ = trio.nodes
    trio.cluster.isolate(first)
    trio.cluster.settle(second)
    assert first.holds(trio.cluster.virtual), "it cannot know that it is alone"
    trio.cluster.join(first)
    # Who goes on as master announces nothing, unless it hears the other one's last advert.
    trio.cluster.client.forget_neighbours()
    trio.cluster.settle(first)
