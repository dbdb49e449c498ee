"""An endpoint's life: three balancers with one file, three API servers, a client that never rests.

The bounds are two to five times the targets that `Scripts/bench-endpoint` measures, and far above
what is usual: the machine may be busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness.balancers import FairleadBalancer
from harness.deployment import Deployment
from harness.kubectl import Kubectl
from harness.meter import Seen
from harness.proxies import REPOSITORY

pytestmark = [pytest.mark.alone, pytest.mark.fairlead_only]

Make = Callable[..., Deployment]

WATCHES = 12
SETTLE_SECONDS = 20.0
PEACE_SECONDS = 2.0
# A power loss takes three adverts of 100 ms and a skew (target: 0.5 s); a move that was asked for,
# next to nothing (target: 0.1 s); a server that hangs, three checks (target: 3 s).
LOST_SECONDS, MOVED_SECONDS, HUNG_SECONDS = 1.5, 0.5, 6.0
EXAMPLES = REPOSITORY / "Examples"


class Chapter:
    """What the client saw of it is there when the chapter has ended."""

    seen: Seen


@contextmanager
def chapter(deployment: Deployment) -> Iterator[Chapter]:
    """Begins with every watch alive, and ends when they are alive again."""
    meter = deployment.meter
    meter.wait_for_streams(SETTLE_SECONDS)
    told = Chapter()
    since = time.monotonic()
    yield told
    deployment.is_calm()
    meter.wait_for_streams(SETTLE_SECONDS)
    told.seen = meter.seen(since)
    assert told.seen.failures["tls"] == 0, told.seen.failures


def do(balancer: FairleadBalancer, *words: str) -> str:
    code, out, errors = balancer.operate(*words)
    assert code == 0, f"fairlead {' '.join(words)}: {out}{errors}"
    return out


def answered_by(deployment: Deployment, since: float) -> set[str]:
    """Who answered requests that began since then."""
    deployment.meter.refresh()
    return {x.server for x in deployment.meter.requests if x.ok and x.started >= since}


@pytest.mark.limit(240)
def test_the_whole_story(make_deployment: Make) -> None:
    deployment = make_deployment(streams=WATCHES)
    deployment.start()
    assert deployment.holder is deployment.balancers[0], "the first in the file is preferred"
    an_api_server_is_killed(deployment)
    an_api_server_is_drained(deployment)
    a_balancer_loses_its_power(deployment)
    the_address_is_moved(deployment)
    the_network_parts_and_heals(deployment)
    every_balancer_is_restarted(deployment)


def an_api_server_is_killed(deployment: Deployment) -> None:
    victim = deployment.masters[1]
    with chapter(deployment) as told:
        victim.kill()
        deployment.meter.wait_for_peace(PEACE_SECONDS, SETTLE_SECONDS)
    assert told.seen.longest_gap < MOVED_SECONDS, "others answer meanwhile"
    assert {b.reason for b in told.seen.breaks} <= {"closed", "reset"}, "nobody hangs"
    victim.start()
    deployment.wait_until_used(victim)


def an_api_server_is_drained(deployment: Deployment) -> None:
    """By the operator: it gets nothing new, what it has stays, nobody notices."""
    victim = deployment.busiest_master()
    with chapter(deployment) as told:
        for balancer in deployment.balancers:
            do(balancer, "drain", victim.name)
        deployment.is_calm()
        since = time.monotonic()
        deployment.is_calm()
        assert victim.name not in answered_by(deployment, since)
        for balancer in deployment.balancers:
            do(balancer, "undrain", victim.name)
    assert not told.seen.failed and not told.seen.breaks


def a_balancer_loses_its_power(deployment: Deployment) -> None:
    first = deployment.holder
    with chapter(deployment) as told:
        deployment.lose_power(first)
        second = deployment.settle(other_than=first)
    assert told.seen.longest_gap < LOST_SECONDS
    assert second is deployment.balancers[1], "the next in the file"
    with chapter(deployment) as told:
        deployment.return_power(first)
        deployment.wait_until_trusted(first)
        deployment.settle()
    assert told.seen.longest_gap < MOVED_SECONDS


def the_address_is_moved(deployment: Deployment) -> None:
    first = deployment.holder
    with chapter(deployment) as told:
        do(first, "failover")
        deployment.settle(other_than=first)
    assert told.seen.longest_gap < MOVED_SECONDS
    assert len(told.seen.breaks) == WATCHES, "every watch is told to connect again"
    assert not any(b.hung for b in told.seen.breaks)
    assert max(b.outage for b in told.seen.breaks) < MOVED_SECONDS
    with chapter(deployment) as told:
        do(first, "failover", "--to", first.name)
        deployment.settle_on(first)
    assert told.seen.longest_gap < MOVED_SECONDS


def the_network_parts_and_heals(deployment: Deployment) -> None:
    """Both sides have a holder while they cannot hear each other, and one afterwards."""
    first = deployment.holder
    with chapter(deployment) as told:
        deployment.part(first)
        deployment.settle(other_than=first)
        deployment.is_calm()
    assert told.seen.longest_gap < LOST_SECONDS
    with chapter(deployment) as told:
        deployment.heal(first)
        deployment.settle()
        deployment.wait_until_trusted(first)
    assert told.seen.longest_gap < MOVED_SECONDS


def every_balancer_is_restarted(deployment: Deployment) -> None:
    with chapter(deployment) as told:
        for balancer in deployment.balancers:
            balancer.stop()
            balancer.start()
            deployment.wait_until_trusted(balancer)
            deployment.settle()
            deployment.is_calm()
    assert told.seen.longest_gap < MOVED_SECONDS
    assert not any(b.hung for b in told.seen.breaks), "stopping resets what it cuts"


@pytest.mark.limit(90)
def test_the_example_beside_keepalived(make_deployment: Make) -> None:
    """With a password, so version 2 and an advert a second: three of them are 3 s."""
    theirs = EXAMPLES / "kubernetes-back"
    keepalived = (theirs / "keepalived.conf").read_text()
    keepalived = keepalived.replace("state MASTER", "state BACKUP")
    keepalived = keepalived.replace("priority 150", "priority 140")
    deployment = make_deployment(
        balancers=2,
        file=EXAMPLES / "beside-keepalived/fairlead.yaml",
        beside=((theirs / "haproxy.cfg").read_text(), keepalived),
    )
    deployment.start()
    first, second = deployment.balancers
    assert deployment.holder is first
    with chapter(deployment) as told:
        deployment.lose_power(first)
        deployment.settle_on(second)
    assert told.seen.longest_gap < 3 + LOST_SECONDS
    with chapter(deployment) as told:
        deployment.return_power(first)
        deployment.wait_until_trusted(first)
        deployment.settle()
    assert told.seen.longest_gap < MOVED_SECONDS


@pytest.mark.limit(90)
def test_an_api_server_that_stops_as_it_should_fails_nobody(make_deployment: Make) -> None:
    """/readyz turns red first and everything is served for a while: no request fails."""
    deployment = make_deployment(streams=WATCHES, shutdown_delay_s=8)
    deployment.start()
    victim = deployment.busiest_master()
    with chapter(deployment) as told:
        victim.request_stop()
        assert victim.wait(20) == 0
        deployment.meter.wait_for_peace(PEACE_SECONDS, SETTLE_SECONDS)
    assert not told.seen.failed, told.seen.failures
    assert not any(b.hung for b in told.seen.breaks)


@pytest.mark.limit(120)
def test_an_api_server_that_hangs_is_left_alone_after_a_while(make_deployment: Make) -> None:
    deployment = make_deployment(streams=WATCHES)
    meter = deployment.start()
    victim = deployment.busiest_master()
    with chapter(deployment) as told:
        victim.hang()
        meter.wait_for_peace(PEACE_SECONDS, SETTLE_SECONDS)
        deployment.is_calm()
    assert told.seen.failing_for < HUNG_SECONDS
    assert set(told.seen.failures) <= {"timeout", "reset", "closed"}
    victim.run_again()
    deployment.wait_until_used(victim)
    meter.wait_for_answers(1, SETTLE_SECONDS, server=victim.name)


@pytest.mark.limit(90)
def test_kubectl_through_a_failover(make_deployment: Make) -> None:
    deployment = make_deployment()
    deployment.start()
    kubectl = Kubectl(deployment)
    assert "Server Version: v1." in kubectl.run("version")
    assert "kube-system" in kubectl.run("get", "ns")
    watching = kubectl.start("get", "ns", "--watch")
    try:
        assert watching.stdout is not None
        watching.stdout.wait_for(lambda lines: len(lines) >= 6, 20, "list, then events")
        first = deployment.holder
        do(first, "failover")
        deployment.settle(other_than=first)
        # kubectl does not watch again by itself; what matters is that it is not left hanging.
        watching.wait(10)
        assert "kube-system" in kubectl.run("get", "ns")
    finally:
        watching.kill()
    again = kubectl.start("get", "ns", "--watch-only")
    try:
        assert again.stdout is not None
        again.stdout.wait_for_text("kube-system", 20)
        assert "<unknown>" not in again.stdout.text, "no bookmarks for whom wants none"
    finally:
        again.kill()
