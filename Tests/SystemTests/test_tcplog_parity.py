"""The same traffic through HAProxy and through Fairlead leaves the same tcplog lines.

Scenarios are in `scenarios/`. They mostly wait, so those selected run concurrently, each with
two proxies of its own; a test picks up its scenario's outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from harness import tcplog
from harness.proxies import UNDER_TEST, Haproxy
from harness.stage import REGISTRY, Performance, Scenario, perform
from scenarios import balancing, closing, connecting, queueing, timeouts  # noqa: F401

CONCURRENT = 12  # threads that mostly sleep: limited by what two cores can start at once

# On a busy machine these can differ from run to run: a timer that is late, and a session that is
# counted while the one before it is being closed by another thread.
UNSTEADY = tcplog.TIMERS | {"ac", "fc", "bc", "sc"}
MEASURED_AGAIN = 2

Outcome = tuple[Performance, Performance]


def perform_reference(item: Scenario) -> Performance:
    """HAProxy drops a record, rarely, when its threads log at the same moment: play twice then."""
    try:
        return perform(item, Haproxy)
    except AssertionError:
        return perform(item, Haproxy)


def play_both(item: Scenario) -> Outcome:
    play = perform_reference if UNDER_TEST is Haproxy else lambda it: perform(it, UNDER_TEST)
    return perform_reference(item), play(item)


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Start every selected scenario; the tests wait for their own."""
    selected = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and "name" in getattr(item, "callspec").params
    ]
    with ThreadPoolExecutor(CONCURRENT) as pool:
        yield {name: pool.submit(play_both, REGISTRY[name]) for name in selected}


def assert_expected(item: Scenario, performance: Performance, by: str) -> None:
    """What the scenario claims about the lines of one proxy."""
    assert len(performance.sessions) == len(item.expected), (by, performance.sessions)
    for line, expected in zip(performance.sessions, item.expected, strict=True):
        fields = tcplog.parse(line)
        actual = {name: fields[name] for name in expected}
        assert actual == dict(expected), f"{by}: {line}"
    if item.result is not None:
        assert performance.result == item.result, by


def mismatches(item: Scenario, outcome: Outcome) -> list[dict[str, tuple[str, str]]]:
    """Per line, the fields on which the two proxies disagree."""
    if not item.compare_lines:
        return []
    reference, actual = outcome
    pairs = zip(reference.sessions, actual.sessions, strict=True)
    return [tcplog.differences(tcplog.parse(one), tcplog.parse(two)) for one, two in pairs]


@pytest.mark.limit(150)
@pytest.mark.parametrize("name", list(REGISTRY))
def test_lines_agree(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    item = REGISTRY[name]
    outcome = outcomes[name].result()
    found = mismatches(item, outcome)
    for _ in range(MEASURED_AGAIN):
        if not any(found) or not all(set(fields) <= UNSTEADY for fields in found):
            break
        outcome = play_both(item)  # measure again, alone on the machine
        found = mismatches(item, outcome)
    reference, actual = outcome
    assert_expected(item, reference, "haproxy")
    assert not any(found), f"{found}\n{reference.sessions}\n{actual.sessions}"
    assert reference.result == actual.result
    assert_expected(item, actual, UNDER_TEST.kind)
