"""Servers that are not ready: draining, dead, hung, and nobody ready at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from harness.operators import call
from harness.readiness import Stage, ended, on
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only


def test_draining_closes_evenly_and_takes_nobody(stage: Callable[..., Stage]) -> None:
    play = stage()
    streams = on(play, "m0", 6)
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 5, "draining")
    begun = time.monotonic()
    names = {play.ask(play.session()) for _ in range(6)}
    assert names == {"m1"}
    eventually(
        lambda: "/readyz 500, /livez 200: draining" in play.servers()[0]["check"]["words"],
        5,
        "words",
    )
    ends: list[float] = []
    left = list(streams)
    while left and time.monotonic() < begun + 15:
        for stream in list(left):
            if ended(stream):
                ends.append(time.monotonic() - begun)
                left.remove(stream)
    assert len(ends) == 6
    assert 2 < ends[-1] < 6, ends
    assert ends[0] > 0.1 and ends[3] - ends[0] > 0.6, f"spread evenly: {ends}"


def test_back_to_ready_stops_the_closing(stage: Callable[..., Stage]) -> None:
    play = stage("drainOver: 60s")
    streams = on(play, "m0", 4)
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 5, "draining")
    play.masters[0].ready = 200
    eventually(lambda: play.state(0) == "up", 5, "up")
    assert "drain" not in play.servers()[0]
    assert all(play.ask(x) == "m0" for x in streams)


def test_a_dead_server_resets_its_sessions(stage: Callable[..., Stage]) -> None:
    play = stage("drainOver: 0")
    streams = on(play, "m0", 4)
    play.masters[0].ready = play.masters[0].live = 500
    assert {eventually(partial(ended, x), 10, "an end") for x in streams} == {"reset"}
    assert play.state(0) == "down"


def test_a_hung_server_is_found_within_interval_times_fall(stage: Callable[..., Stage]) -> None:
    play = stage()
    streams = on(play, "m0", 2)
    play.masters[0].hangs = True
    begun = time.monotonic()
    assert {eventually(partial(ended, x), 10, "an end") for x in streams} == {"reset"}
    # At most 3 × 200 ms, and room for a busy machine.
    assert time.monotonic() - begun < 3


def test_nobody_ready_fails_open_loudly(stage: Callable[..., Stage]) -> None:
    play = stage()
    for master in play.masters:
        master.ready = 500
    eventually(lambda: play.backend().get("isFailedOpen"), 5, "failed open")
    assert {play.ask(play.session()) for _ in range(6)} == {"m0", "m1"}
    play.proxy.process.stderr.wait_for_text("backend masters fails open", 5)
    code, out, errors = call(play.proxy.control, "status")
    assert code == 0 and "0 of 2 ready" in out and "fails open" in out, out + errors
    play.masters[0].ready = 200
    eventually(lambda: play.state(0) == "up", 5, "ready")
    play.proxy.process.stderr.wait_for_text("no longer fails open", 5)
    found = play.backend()
    assert not found["isFailedOpen"] and found["failOpens"] == 1


def test_a_master_that_stops_costs_no_request(stage: Callable[..., Stage]) -> None:
    play = stage()
    failures: list[str] = []
    done = threading.Event()

    def load() -> None:
        until = time.monotonic() + 20
        while not done.is_set() and time.monotonic() < until:
            try:
                with play.session() as stream:
                    if play.ask(stream) not in {"m0", "m1"}:
                        failures.append("no answer")
            except OSError as error:
                failures.append(str(error))
            done.wait(0.02)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        play.masters[0].ready = 500
        eventually(lambda: play.state(0) == "draining", 5, "draining")
        # Its shutdown delay is over when its last session is.
        eventually(lambda: play.servers()[0]["traffic"]["sessions"] == 0, 10, "no session")
        play.masters[0].server.close()
        eventually(lambda: play.state(0) == "down", 5, "dead")
    finally:
        done.set()
        thread.join()
    assert failures == []
