"""Operator commands over the control socket: what they show and what they do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.operators import Pair, Serve, Start, call, status
from harness.peers import connect, read_exactly, silent
from harness.process import ManagedProcess
from harness.proxies import FAIRLEAD
from harness.routers import Settings
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only


@pytest.fixture
def pair(start: Start, serve: Serve) -> Pair:
    return Pair(start, serve)


# MARK: status


def test_status_tells_what_there_is(pair: Pair) -> None:
    for _ in range(4):
        assert pair.names(1) <= {b"a", b"b"}
    eventually(lambda: pair.server("b").get("check"), 5, "the first check")
    eventually(lambda: pair.status()["sessions"] == 0, 5, "sessions have ended")
    found = pair.status()
    assert found["version"] == 1 and found["pid"] == pair.proxy.process.pid
    assert found["accepted"] == 4 and found["routers"] == []
    (frontend,) = found["frontends"]
    assert frontend["addresses"] == [f"127.0.0.1:{pair.port}"]
    assert frontend["backend"] == "masters" and frontend["traffic"]["total"] == 4
    a, b = found["backends"][0]["servers"]
    assert (a["state"], a["isChecked"], a["traffic"]["total"]) == ("up", False, 2)
    assert "check" not in a and a["address"] == pair.a.address
    assert (b["state"], b["check"]["status"]) == ("up", "L4OK")
    assert b["check"]["words"] == "Layer4 check passed"
    code, out, _ = pair.call("status")
    assert code == 0 and "masters" in out and "Layer4 check passed" in out
    assert "\x1b" not in out, "no colour unless on a terminal"


def test_a_dead_server_is_told_with_its_reason(pair: Pair) -> None:
    pair.b.close()
    eventually(lambda: pair.server("b")["state"] == "down", 10, "down")
    server = pair.server("b")
    assert server["check"]["status"] == "L4CON" and server["since"] <= time.time()
    assert "DOWN" in pair.call("status")[1]


# MARK: drain


def test_drain_moves_new_sessions_and_keeps_old_ones(start: Start, serve: Serve) -> None:
    pair = Pair(start, serve)
    kept = connect(pair.port)  # 'a' is first in turn, and its script ends when we do
    first = read_exactly(kept, 1)
    name = first.decode()
    code, out, errors = pair.call("drain", f"masters/{name}")
    assert code == 0 and f"masters/{name} is drained" in out, errors
    other = {"a": b"b", "b": b"a"}[name]
    eventually(lambda: pair.names(1) == {other}, 5, "the workers know")
    assert pair.names(10) == {other}
    assert pair.server(name)["state"] == "drained"
    assert pair.call("drain", name)[1].strip() == f"masters/{name} is drained already"
    assert pair.proxy.reload(), "a reload keeps it"
    assert pair.names(6) == {other} and pair.server(name)["isDrained"]
    assert pair.proxy.file.write_text(pair.text.replace("inter 100ms", "inter 200ms"))
    assert pair.proxy.reload(), "also one that changes something"
    assert pair.names(6) == {other} and pair.server(name)["isDrained"]
    code, out, _ = pair.call("undrain", name)
    assert code == 0 and "no longer" in out
    eventually(lambda: pair.names(2) == {b"a", b"b"}, 5, "both take turns")
    assert pair.server(name)["state"] == "up"
    kept.close()


def test_a_restart_forgets_drains(start: Start, serve: Serve) -> None:
    pair = Pair(start, serve)
    assert pair.call("drain", "a")[0] == 0
    assert pair.proxy.stop() == 0
    pair.proxy.process.kill()
    pair.proxy.process = ManagedProcess(pair.proxy.command())
    pair.proxy.wait_until_ready()
    assert pair.server("a")["state"] == "up" and pair.names(4) == {b"a", b"b"}


def test_a_drained_server_keeps_its_sessions(start: Start, serve: Serve) -> None:
    pair = Pair(start, lambda script: serve(silent))
    client = connect(pair.port)
    eventually(lambda: pair.a.accepted + pair.b.accepted > 0, 5, "a session")
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 1, 5, "on a")
    pair.call("drain", "a")
    for _ in range(3):
        assert pair.server("a")["traffic"]["sessions"] == 1
        client.sendall(b"still here")
    client.close()
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 0, 5, "ended by the client")


def test_the_last_server_may_be_drained_and_that_is_said(pair: Pair) -> None:
    pair.call("drain", "a")
    _, out, _ = pair.call("drain", "b")
    assert "warning: no other server of 'masters'" in out


@pytest.mark.parametrize("words", [("drain", "nobody"), ("undrain", "other/a")])
def test_an_unknown_server_is_an_error(pair: Pair, words: tuple[str, str]) -> None:
    code, _, errors = pair.call(*words)
    assert code == 1 and f"there is no server '{words[1]}'" in errors


def test_sessions_are_listed_the_oldest_first(start: Start, serve: Serve) -> None:
    pair = Pair(start, lambda script: serve(silent))
    clients = [connect(pair.port)]
    eventually(lambda: pair.status()["sessions"] == 1, 5, "the first")
    clients += [connect(pair.port) for _ in range(3)]
    clients[0].sendall(b"hello")
    eventually(lambda: pair.server("a")["traffic"]["sessions"] == 2, 5, "two on a")

    def listed(*words: str) -> dict[str, Any]:
        return json.loads(pair.call("sessions", "--json", *words)[1])

    def all_there() -> dict[str, Any] | None:
        found = listed()
        states = [each["state"] for each in found["sessions"]]
        first = found["sessions"][0]["bytesIn"] if states else 0
        return found if states == ["established"] * 4 and first == 5 else None

    found = eventually(all_there, 5, "four sessions, and the first one's bytes")
    assert found["matching"] == 4
    first = found["sessions"][0]
    host, port = clients[0].getsockname()
    assert first["client"] == f"{host}:{port}" and first["local"] == f"127.0.0.1:{pair.port}"
    assert first["frontend"] == "edge" and first["backend"] == "masters"
    assert [each["age"] for each in found["sessions"]] == sorted(
        (each["age"] for each in found["sessions"]), reverse=True
    )
    only = listed("--server", "b")
    assert only["matching"] == 2 and {each["server"] for each in only["sessions"]} == {"b"}
    short = listed("--limit", "1")
    assert short["matching"] == 4 and [each["client"] for each in short["sessions"]] == [
        first["client"]
    ]
    code, out, _ = pair.call("sessions", "--limit", "3")
    assert code == 0 and "masters/a" in out and "and 1 more" in out
    code, _, errors = pair.call("sessions", "--server", "nobody")
    assert code == 1 and "there is no server 'nobody'" in errors
    for client in clients:
        client.close()
    eventually(lambda: pair.call("sessions")[1].strip() == "no sessions", 5, "they are gone")


# MARK: reload


def test_reload_tells_its_outcome(pair: Pair) -> None:
    code, out, _ = pair.call("reload")
    assert code == 0 and "reload done" in out
    pair.proxy.file.write_text(pair.text + "    servr c 127.0.0.1:1\n")
    code, _, errors = pair.call("reload")
    assert code == 1 and "servr" in errors and "the running configuration stays" in errors
    assert f"{pair.proxy.file}:14:5: error" in errors
    assert pair.names(2) == {b"a", b"b"}
    taken = pair.text.replace("bind 127", "bind 192.0.2.1:1 interface nowhere\n    bind 127")
    pair.proxy.file.write_text(taken)
    assert pair.call("reload")[0] == 1
    assert pair.names(2) == {b"a", b"b"}


# MARK: events


def test_events_as_they_happen_and_afterwards(pair: Pair) -> None:
    command = [str(FAIRLEAD), "events", "--follow", "--json", "--control"]
    follower = ManagedProcess([*command, str(pair.proxy.control)])
    try:
        assert follower.stdout is not None
        follower.stdout.wait_for_text('"start"', 5)
        pair.call("drain", "a")
        follower.stdout.wait_for_text("masters/a is drained", 5)
        pair.b.close()
        down = json.loads(follower.stdout.wait_for_text('"to":"down"', 10))
        assert (down["kind"], down["subject"], down["from"]) == ("server", "masters/b", "up")
        pair.call("reload")
        follower.stdout.wait_for_text("reload done", 5)
        code, out, _ = pair.call("events")
        assert code == 0 and len(out.splitlines()) == 4
        assert "masters/b is down (Layer4 connection problem" in out
        pair.proxy.stop()
        assert follower.wait(5) == 0, "the daemon told that it ends"
        last = json.loads(follower.stdout.lines[-1])
        assert (last["event"], last["kind"]) == ("process.stopping", "stop")
        assert re.fullmatch(r"stopping on SIG\w+: 0 sessions end now", last["text"])
    finally:
        follower.kill()


def test_who_follows_a_daemon_that_is_killed_hears_no_end(pair: Pair) -> None:
    follower = ManagedProcess(
        [str(FAIRLEAD), "events", "--follow", "--control", str(pair.proxy.control)]
    )
    try:
        assert follower.stdout is not None
        follower.stdout.wait_for_text("process.ready", 5)
        pair.proxy.process.kill()
        assert follower.wait(5) == 1
        assert "ended the connection" in follower.stderr.text
    finally:
        follower.kill()


# MARK: virtual routers


@pytest.mark.limit(90)
def test_status_and_events_of_virtual_routers(make_cluster: Callable[..., Cluster]) -> None:
    settings = Settings(version=3, interval="0.1", priority=150)
    cluster = make_cluster("fairlead", "fairlead")
    cluster.start(settings, settings.with_(priority=100))
    master, backup = cluster.nodes
    cluster.settle(master)
    controls = [node.directory / "control.sock" for node in (master, backup)]

    def router(number: int) -> dict[str, Any]:
        (found,) = status(controls[number])["routers"]
        return found

    first = router(0)
    assert (first["state"], first["priority"], first["master"]) == ("master", 150, "this node")
    assert first["addresses"] == ["10.0.0.179/26"] and first["id"] == 51
    assert first["reason"] and 0 <= time.time() - first["since"] < 60
    second = router(1)
    assert (second["state"], second["master"]) == ("backup", "10.0.0.131")
    assert "MASTER" in call(controls[0], "status")[1]
    master.stop()
    eventually(lambda: router(1)["state"] == "master", 10, "the other takes over")
    assert router(1)["reason"] == "the master resigned"
    move = status(controls[1])["moves"][-1]
    assert (move["from"], move["to"], move["reason"]) == ("backup", "master", "the master resigned")
    assert 0 < move["silence"] < 2 and 0 < move["lasted"] < 60
    text = call(controls[1], "status")[1]
    assert "the master resigned, silent for 0." in text
    code, out, _ = call(controls[1], "events", "--json")
    moves = [json.loads(each) for each in out.splitlines()]
    states = [each["to"] for each in moves if each["kind"] == "router"]
    assert code == 0 and states[-2:] == ["backup", "master"], out
