"""Daemons that were not scheduled for a while: a frozen master yields, a frozen backup waits.

SIGSTOP stands for a live migration or a machine out of memory. Ten seconds are many times what
makes a master dead in every variant here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.routers import Node, Settings
from harness.waiting import eventually

Make = Callable[..., Cluster]

FROZEN_SECONDS = 10.0
SLACK_SECONDS = 0.4  # for the machine, which others use as well
VARIANTS = {
    "v2": Settings(version=2, interval="1"),
    "v3": Settings(version=3, interval="0.1"),
    "v3-ipv6": Settings(version=3, interval="0.1", family=6),
    "v3-unicast": Settings(version=3, interval="0.1", unicast=True),
}

pytestmark = pytest.mark.limit(90)


@pytest.fixture(params=VARIANTS)
def settings(request: pytest.FixtureRequest) -> Settings:
    return VARIANTS[request.param]


def settled_pair(
    make_cluster: Make, settings: Settings, *roles: str, lines: tuple[str, ...] = ()
) -> tuple[Cluster, Node, Node]:
    cluster = make_cluster(*roles, family=settings.family)
    master, backup = cluster.nodes
    cluster.start(
        settings.with_(priority=150, lines=lines), settings.with_(priority=100, lines=lines)
    )
    cluster.settle(master)
    return cluster, master, backup


def freeze(cluster: Cluster, frozen: Node, other: Node) -> None:
    """Stop a node until the other has advertised for ten seconds."""
    begin = time.time()
    frozen.freeze()
    cluster.sniffer.wait_for_adverts(
        1,
        FROZEN_SECONDS + 10,
        port=other.host.port,
        since=cluster.sniffer.position,
        where=lambda advert: advert.time > begin + FROZEN_SECONDS,
    )


def interval(settings: Settings) -> float:
    return float(settings.interval)


@pytest.mark.parametrize("roles", [("fairlead", "keepalived"), ("keepalived", "fairlead")])
def test_a_woken_master_and_its_successor_agree_within_an_interval(
    make_cluster: Make, settings: Settings, roles: tuple[str, str]
) -> None:
    cluster, master, backup = settled_pair(make_cluster, settings, *roles)
    freeze(cluster, master, backup)
    assert cluster.holders() == ["a", "b"], "a frozen daemon cannot take its address away"
    master.thaw()
    within = interval(settings) + SLACK_SECONDS
    eventually(lambda: len(cluster.holders()) == 1, within, "one holder")
    cluster.client.forget_neighbours()
    cluster.settle(master)


@pytest.mark.fairlead_only
def test_a_woken_master_yields_before_it_says_anything(
    make_cluster: Make, settings: Settings
) -> None:
    """It drops the address within an interval; then the usual rules of preemption apply."""
    cluster, master, backup = settled_pair(make_cluster, settings, "fairlead", "keepalived")
    freeze(cluster, master, backup)
    since, known = cluster.sniffer.position, len(master.monitor.changes)
    begin = time.time()
    master.thaw()
    gone = eventually(
        lambda: [
            change
            for change in master.monitor.of(cluster.target, known)
            if not change.is_there
        ],
        interval(settings) + SLACK_SECONDS,
        "the woken master drops the address",
    )[0]
    assert gone.time - begin <= interval(settings) + SLACK_SECONDS
    claims = [
        advert
        for advert in cluster.sniffer.adverts(master.host.port, since)
        if advert.priority > 0 and advert.time < gone.time
    ]
    assert claims == [], "its adverts would have made the successor yield"
    assert backup.holds(cluster.virtual)
    cluster.settle(master)


@pytest.mark.fairlead_only
def test_a_woken_master_that_does_not_preempt_stays_backup(
    make_cluster: Make, settings: Settings
) -> None:
    cluster, master, backup = settled_pair(
        make_cluster, settings, "fairlead", "keepalived", lines=("nopreempt",)
    )
    freeze(cluster, master, backup)
    master.thaw()
    cluster.settle(backup)
    cluster.stays_calm(backup, adverts=6)


def test_a_woken_backup_does_not_take_over(make_cluster: Make, settings: Settings) -> None:
    cluster, master, backup = settled_pair(make_cluster, settings, "keepalived", "fairlead")
    freeze(cluster, backup, master)
    since, known = cluster.sniffer.position, len(backup.monitor.changes)
    backup.thaw()
    cluster.stays_calm(master, adverts=6)
    assert cluster.sniffer.adverts(backup.host.port, since) == []
    assert backup.monitor.of(cluster.target, known) == []
    master.stop()
    cluster.settle(backup)
