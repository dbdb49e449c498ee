"""Fixtures of the system tests, and the alarm that bounds each of them.

Run from anywhere: `python3 -m pytest Tests/SystemTests`. Root is needed for the namespaces.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import Authority
from harness.cluster import Cluster
from harness.deployment import Deployment
from harness.peers import Script, ScriptedServer
from harness.proxies import FAIRLEAD, HAPROXY, UNDER_TEST, Proxy
from harness.readiness import Stage
from harness.routers import FAILOVER_UNDER_TEST

DEFAULT_LIMIT_SECONDS = 60


class TookTooLong(Exception):
    """The test ran into its limit."""


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt(f"signal {number}")  # fixtures and exit handlers clean up


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGTERM, _stop)
    config.addinivalue_line("markers", "limit(seconds): the longest this test may take")
    config.addinivalue_line("markers", "alone: not beside other tests (it uses every core)")
    config.addinivalue_line("markers", "fairlead_only: the reference does not do this")


def pytest_report_header() -> str:
    program = HAPROXY if UNDER_TEST.kind == "haproxy" else FAIRLEAD
    return f"proxy under test: {program}; failover under test: {FAILOVER_UNDER_TEST}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what the reference cannot do: keepalived for test_vrrp_*, HAProxy for the rest."""
    for item in items:
        is_failover = item.path.name.startswith("test_vrrp_")
        kind = FAILOVER_UNDER_TEST if is_failover else UNDER_TEST.kind
        if kind != "fairlead" and item.get_closest_marker("fairlead_only"):
            item.add_marker(pytest.mark.skip(reason=f"Fairlead only; running against {kind}"))


@contextlib.contextmanager
def _alarm(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT_SECONDS

    def ring(number: int, frame: Any) -> None:
        raise TookTooLong(f"{item.name} took longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _alarm(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _alarm(item):
        return (yield)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Proxy]]:
    """Start the proxy under test with a configuration; it ends with the test."""
    request.node.started = started = []
    with contextlib.ExitStack() as stack:

        def starter(configuration: str, **options: Any) -> Proxy:
            proxy = stack.enter_context(UNDER_TEST(configuration, **options))
            started.append(proxy)
            return proxy

        yield starter


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start a scripted server; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def starter(script: Script, **options: Any) -> ScriptedServer:
            server = ScriptedServer(script, **options)
            stack.callback(server.close)
            return server

        yield starter


@pytest.fixture
def stage(start: Callable[..., Proxy], tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Start a Fairlead before API servers that say whether they are ready."""
    certificate = Authority(tmp_path).issue("master")
    with contextlib.ExitStack() as stack:

        def make(extra: str = "drainOver: 3s", count: int = 2, interval: str = "200ms") -> Stage:
            made = Stage(start, certificate, extra, count, interval)
            for master in made.masters:
                stack.callback(master.server.close)
            return made

        yield make


@pytest.fixture
def make_cluster(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """Make nodes, a client and a sniffer on a bridge; all of it ends with the test."""
    request.node.clusters = clusters = []
    with contextlib.ExitStack() as stack:

        def maker(*roles: str, **options: Any) -> Cluster:
            cluster = stack.enter_context(Cluster(roles, **options))
            clusters.append(cluster)
            return cluster

        yield maker


@pytest.fixture
def make_deployment(request: pytest.FixtureRequest) -> Iterator[Callable[..., Deployment]]:
    """Make balancers, API servers and a client on a bridge; all of it ends with the test."""
    request.node.clusters = made = []
    with contextlib.ExitStack() as stack:

        def maker(**options: Any) -> Deployment:
            deployment = stack.enter_context(Deployment(**options))
            made.append(deployment)
            return deployment

        yield maker


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Show what the proxies of a failed test wrote, and what its clusters did."""
    report = yield
    if report.failed:
        for proxy in getattr(item, "started", []):
            report.sections.append((f"{proxy.kind} {proxy.file}", proxy.process.transcript()))
        for cluster in getattr(item, "clusters", []):
            report.sections.append(("cluster", cluster.transcript()))
    return report
