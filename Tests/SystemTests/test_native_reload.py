"""Reloads of a native file: what it changes, what it keeps, and what drains or fails open goes on
doing so. Servers that refuse connections while they drain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from harness.process import run
from harness.proxies import FAIRLEAD
from harness.readiness import Stage, ended, on
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

Make = Callable[..., Stage]


def rewrite(play: Stage, text: str) -> bool:
    play.proxy.file.write_text(text)
    return play.proxy.reload()


def test_a_good_change_is_taken_over(stage: Make) -> None:
    play = stage(count=3)
    assert rewrite(play, play.text(2))
    assert [each["name"] for each in play.servers()] == ["m0", "m1"]
    eventually(lambda: play.ask(play.session()) != "m2", 5, "the workers know")
    kept = on(play, "m0", 2)
    assert {play.ask(play.session()) for _ in range(6)} == {"m0", "m1"}
    assert rewrite(play, play.text(3).replace("roundrobin", "leastconn"))
    assert len(play.servers()) == 3
    eventually(lambda: play.ask(play.session()) == "m2", 5, "the new server takes sessions")
    assert all(play.ask(each) == "m0" for each in kept)


def test_a_broken_file_keeps_what_runs(stage: Make) -> None:
    play = stage()
    (kept,) = on(play, "m1", 1)
    good = play.text()
    control = str(play.proxy.control)
    named = "- name: masters\n"
    for bad, problem in [
        (good.replace("balance:", "balanse:"), "5:5: error: backends[0].balanse: unknown key"),
        (good.replace(named, named + "    retries: many\n"), "5:14: error: backends[0].retries: "),
        (good + "x: [", f"{len(good.splitlines()) + 2}:1: error: a value is missing"),
    ]:
        assert not rewrite(play, bad), problem
        code, _, errors = run([str(FAIRLEAD), "reload", "--control", control])
        assert code == 1 and f"{play.proxy.file}:{problem}" in errors, errors
        assert "reload failed: the files have errors; the running configuration stays" in errors
        assert f"{play.proxy.file}:{problem}" in play.proxy.process.stderr.text
        assert {play.ask(play.session()) for _ in range(4)} == {"m0", "m1"}
    assert play.ask(kept) == "m1"
    assert rewrite(play, good)


def test_a_drain_goes_on_through_reloads(stage: Make) -> None:
    play = stage("drainOver: 5s", count=3)
    assert rewrite(play, play.text(2))
    streams = on(play, "m0", 8)
    eventually(lambda: play.servers()[0]["traffic"]["sessions"] == 8, 5, "eight sessions")
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 5, "draining")
    begun = time.monotonic()
    eventually(lambda: sum(bool(ended(each)) for each in streams) >= 2, 5, "two are closed")
    # Another server, and the same file again with another way to check.
    for text in (play.text(3), play.text(3).replace("drainOver: 5s", "drainOver: 4900ms, fall: 4")):
        closed = play.servers()[0]["drain"]["closed"]
        assert rewrite(play, text)
        found = play.servers()[0]
        assert found["state"] == "draining" and found["drain"]["began"] == 8
        assert found["drain"]["closed"] >= closed >= 2
        assert {play.ask(play.session()) for _ in range(6)} == {"m1", "m2"}
    assert [ended(each) for each in streams].count("") >= 2, "a reload closes nobody"
    eventually(lambda: all(ended(each) for each in streams), 12, "all are closed")
    assert {ended(each) for each in streams} == {"closed"}
    assert time.monotonic() - begun > 3, "one by one"
    lines = play.proxy.process.stderr.lines
    assert len([each for each in lines if "Server masters/m0 is draining" in each]) == 1
    assert not [each for each in lines if "Server masters/m0 is UP" in each]


def test_a_backend_that_fails_open_goes_on_through_reloads(stage: Make) -> None:
    play = stage(count=2)
    for master in play.masters:
        master.ready = 500
    eventually(lambda: play.backend().get("isFailedOpen"), 5, "failed open")
    (kept,) = on(play, "m1", 1)
    failures: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.wait(0.01):
            try:
                with play.session() as stream:
                    if play.ask(stream) not in {"m0", "m1"}:
                        failures.append("no answer")
            except OSError as error:
                failures.append(str(error))

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    try:
        text = play.text()
        for each in (text, text.replace("fall", "rise"), text.replace("3s", "4s, fall: 5"), text):
            assert rewrite(play, each)
            found = play.backend()
            assert found["isFailedOpen"] and found["failOpens"] == 1
            assert {each["state"] for each in found["servers"]} == {"draining"}
        time.sleep(0.6)  # some checks in the last way
    finally:
        done.set()
        thread.join(10)
    assert failures == []
    assert play.backend()["failOpens"] == 1 and play.ask(kept) == "m1"
    lines = play.proxy.process.stderr.lines
    assert len([each for each in lines if "event=backend.fail_open " in each]) == 1
    assert not [each for each in lines if "event=backend.fail_open_ended" in each]


def test_refused_sessions_are_not_a_servers_death(stage: Make) -> None:
    """Only checks decide about a server; a session that it refuses goes to another one."""
    play = stage(interval="4s")
    for master in play.masters:
        master.ready = 500
    eventually(lambda: play.backend().get("isFailedOpen"), 10, "failed open")
    (kept,) = on(play, "m0", 1)
    asked = play.masters[0].asked
    eventually(lambda: play.masters[0].asked > asked, 10, "a check; the next one is 4 s away")
    play.masters[0].server.stop(cut=False)
    assert [play.ask(play.session()) for _ in range(8)] == ["m1"] * 8, "no client sees it"
    found = play.servers()[0]
    assert found["state"] == "draining" and found["connectFailures"] > 0
    assert play.ask(kept) == "m0", "its sessions stay"
    eventually(lambda: play.state(0) == "down", 10, "the check finds it dead")
    assert eventually(lambda: ended(kept), 5, "an end") == "reset"
    assert {play.ask(play.session()) for _ in range(4)} == {"m1"}


def test_a_draining_server_may_close_its_port(stage: Make) -> None:
    """Nobody is sent to a server that drains, so nobody notices that its port is closed."""
    play = stage(interval="4s")
    play.masters[0].ready = 500
    eventually(lambda: play.state(0) == "draining", 10, "draining")
    play.masters[0].server.stop(cut=False)
    assert [play.ask(play.session()) for _ in range(4)] == ["m1"] * 4
    assert play.servers()[0]["connectFailures"] == 0, "nobody is sent there"
