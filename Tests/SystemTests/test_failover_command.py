"""Planned moves: `fairlead failover`, `drain --node` and `undrain --node`, between nodes on a
bridge."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from harness.operators import call, status
from harness.routers import Node, Settings
from harness.waiting import eventually

pytestmark = [pytest.mark.fairlead_only, pytest.mark.limit(120)]

MakeCluster = Callable[..., Cluster]

SETTINGS = Settings(version=3, interval="0.1", priority=150, unicast=True)


def started(make_cluster: MakeCluster, count: int) -> Cluster:
    cluster = make_cluster(*["fairlead"] * count)
    cluster.start(*[SETTINGS.with_(priority=150 - 10 * number) for number in range(count)])
    cluster.settle(cluster.nodes[0])
    return cluster


def ask(node: Node, *words: str) -> tuple[int, str, str]:
    return call(node.directory / "control.sock", *words, within=30)


def told(node: Node) -> list[tuple[str | None, str | None]]:
    """Subject and outcome of every `vip.handover` that the node remembers."""
    code, out, errors = ask(node, "events", "--json")
    assert code == 0, errors
    events = [json.loads(line) for line in out.splitlines()]
    moves = [each for each in events if each["event"] == "vip.handover"]
    return [(each.get("subject"), each.get("to")) for each in moves]


def last_move(node: Node) -> tuple[str, str]:
    move = status(node.directory / "control.sock")["moves"][-1]
    return move["to"], move["reason"]


def address(node: Node) -> str:
    return node.host.addresses[0].split("/")[0]


def test_the_holder_hands_over_and_tells_how_long_it_took(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, b = cluster.nodes
    code, out, errors = ask(a, "failover", "--dry-run")
    assert code == 4, "a backup sends nothing, so nobody was ever heard"
    assert "is held by this node" in out and "no other node was ever heard here" in out, errors
    assert "if another node is ready: none" in out and "the address stays here" in out
    assert cluster.holders() == ["a"], "a dry run changes nothing"
    code, out, errors = ask(a, "failover")
    assert code == 0, errors
    took = re.search(rf"VI_1: {re.escape(address(b))} took over after (\d[\d.]*) s", out)
    assert took and float(took[1]) < 2, out
    cluster.settle(b)
    assert told(a) == [("VI_1", None), ("VI_1", "done")], "the order, and how it ended"
    assert last_move(a)[1].startswith("given away by an operator"), "not a crash"
    assert last_move(b) == ("master", f"{address(a)} had the lower priority 1")
    code, out, errors = ask(b, "failover", "--dry-run")
    assert code == 0 and re.search(r"another node was heard \d[\d.]* ?s ago", out), out + errors
    code, _, errors = ask(a, "failover")
    assert code == 1 and f"VI_1 is held by {address(b)}" in errors
    assert "fairlead failover --to" in errors, "the remedy"


def test_a_backup_asks_for_it(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 3)
    a, _, c = cluster.nodes
    code, _, errors = ask(a, "failover", "--to", address(c))
    assert code == 1 and "VRRP names no successor" in errors
    assert f"run on {address(c)}: fairlead failover --to {address(c)}" in errors
    assert cluster.holders() == ["a"]
    code, out, errors = ask(c, "failover", "--to", address(c), "--vip", "10.0.0.179")
    assert code == 0 and "VI_1: this node took over after" in out, errors
    cluster.settle(c)
    assert told(c) == [("VI_1", None), ("VI_1", "done")]
    assert last_move(c) == ("master", "moved here by an operator")
    (router,) = status(c.directory / "control.sock")["routers"]
    causes = {(each["state"], each["cause"]) for each in router["transitions"]}
    assert ("master", "ordered_here") in causes and ("master", "master_down") not in causes
    code, out, _ = ask(c, "failover", "--to", address(c))
    assert code == 0 and "already" in out


def test_nobody_takes_over(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, b = cluster.nodes
    b.stop()
    code, out, errors = ask(a, "failover")
    assert code == 3 and "nobody took it within" in errors, out
    assert told(a) == [("VI_1", None), ("VI_1", "failed")]
    cluster.isolated.add(b.name)
    cluster.settle(a)


def test_a_drained_node_keeps_what_nobody_takes(make_cluster: MakeCluster) -> None:
    """With slow adverts the outcome takes longer than other commands may."""
    cluster = make_cluster("fairlead", "fairlead")
    slow = SETTINGS.with_(interval="1.7")
    cluster.start(slow, slow.with_(priority=140))
    a, b = cluster.nodes
    cluster.settle(a)
    b.stop()
    begun = time.monotonic()
    code, out, errors = ask(a, "drain", "--node")
    assert code == 3 and "nobody took it within" in errors, out
    assert "this node is drained" in errors and time.monotonic() - begun > 10
    assert cluster.holders() == ["a"]
    b.start()
    cluster.settle(b)
    assert ask(a, "undrain", "--node")[0] == 0


def test_orders_are_taken_back(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, b = cluster.nodes
    assert ask(a, "failover")[0] == 0
    cluster.settle(b)
    code, out, errors = ask(a, "failover", "--withdraw", "--dry-run")
    assert code == 0 and "on this node its preference counts again" in out, errors
    cluster.settle(b)
    code, out, errors = ask(a, "failover", "--withdraw")
    assert code == 0 and "VI_1: done" in out, errors
    cluster.settle(a)
    assert ask(b, "failover", "--to", address(b))[0] == 0
    cluster.settle(b)
    code, out, errors = ask(b, "failover", "--withdraw", "--vip", "VI_1")
    assert code == 0, errors
    cluster.settle(a)
    assert ask(a, "failover", "--withdraw", "--vip", "nothing")[0] == 1
    assert ask(a, "failover", "--withdraw", "--to", "x")[0] == 64


def test_orders_and_drains_survive_reloads_and_no_restart(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, b = cluster.nodes
    assert ask(a, "failover")[0] == 0
    cluster.settle(b)
    assert a.reload() and b.reload()
    cluster.settle(b)
    assert a.stop() == 0
    cluster.isolated.add("a")
    cluster.settle(b)
    a.start()
    cluster.isolated.discard("a")
    cluster.settle(a)
    assert ask(a, "drain", "--node")[0] == 0
    cluster.settle(b)
    assert a.reload()
    cluster.settle(b)
    assert status(a.directory / "control.sock")["routers"][0]["priority"] == 1
    a.stop()
    a.start()
    cluster.settle(a)


def test_what_is_refused(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, _ = cluster.nodes
    for words, problem in [
        (("--vip", "nothing"), "there is no virtual router or address 'nothing'; there are VI_1"),
        (("--to", "nobody"), "no node is called 'nobody'"),
    ]:
        code, _, errors = ask(a, "failover", *words)
        assert code == 1 and problem in errors
    code, _, errors = call(a.directory / "absent.sock", "failover")
    assert code == 2 and "no fairlead answers" in errors
    assert cluster.holders() == ["a"]


def test_a_drained_node_takes_nothing(make_cluster: MakeCluster) -> None:
    cluster = started(make_cluster, 2)
    a, b = cluster.nodes
    code, out, errors = ask(a, "drain", "--node")
    assert code == 0 and "this node is drained" in out, errors
    cluster.settle(b)
    b.stop()
    eventually(lambda: cluster.holders() == [], 5, "nobody holds it")
    router = status(a.directory / "control.sock")["routers"][0]
    assert router["state"] != "master" and router["health"] == "drained"
    code, out, _ = ask(a, "undrain", "--node")
    assert code == 0 and "no longer drained" in out
    # The status is told once a second.
    eventually(
        lambda: "health" not in status(a.directory / "control.sock")["routers"][0],
        5,
        "a router that does not follow the proxy has none",
    )
    cluster.isolated.add(b.name)
    cluster.settle(a)
    assert ask(a, "drain", "--node", "x")[0] == 64, "a server or this node"
