"""Bytes of sessions that are still open are in the totals, on the dashboard and in the metrics."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.operators import Pair, Serve, Start
from harness.peers import connect, read_exactly
from harness.waiting import eventually
from harness.web import Served

pytestmark = pytest.mark.fairlead_only

PIECE = 3_000_000  # enough to be spliced


class Watch:
    """A server's side of a watch that lasts for hours: sends a piece for every byte it is sent."""

    def __call__(self, connection: Any) -> None:
        while connection.recv(1):
            connection.sendall(b"x" * PIECE)


def traffic(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the frontend, the backend, and its only server with traffic."""
    (frontend,), (backend,) = found["frontends"], found["backends"]
    servers = [each["traffic"] for each in backend["servers"] if each["traffic"]["total"]]
    return [frontend["traffic"], backend["traffic"], *servers]


def test_a_long_stream_is_counted_while_it_lasts(start: Start, serve: Serve) -> None:
    pair = Pair(start, lambda script: serve(Watch()))
    pair.call("drain", "b")
    totals: list[int] = []
    with connect(pair.port) as client:
        for number in range(1, 4):
            client.sendall(b"?")
            read_exactly(client, PIECE)
            found = traffic(pair.status())
            assert len(found) == 3
            for each in found:
                assert (each["sessions"], each["total"]) == (1, 1), "it is still open"
                assert (each["bytesIn"], each["bytesOut"]) == (number, number * PIECE)
            totals.append(found[0]["bytesOut"])
            if number == 2:
                assert pair.proxy.reload(), "a reload neither forgets nor repeats"
    eventually(lambda: pair.status()["sessions"] == 0, 5, "the end")
    for each in traffic(pair.status()):
        assert (each["bytesIn"], each["bytesOut"]) == (3, 3 * PIECE), "its end adds nothing twice"


def test_many_streams_of_all_workers(start: Start, serve: Serve) -> None:
    """Asked for at any moment by several at once, totals only grow and are exact in the end."""
    pair = Pair(start, lambda script: serve(Watch()))
    pair.call("drain", "b")
    seen: list[list[int]] = [[], []]
    done = threading.Event()

    def look(into: list[int]) -> None:
        while not done.is_set():
            into.append(traffic(pair.status())[0]["bytesOut"])

    threads = [threading.Thread(target=look, args=(each,), daemon=True) for each in seen]
    clients = [connect(pair.port) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            for client in clients:
                client.sendall(b"?")
            for client in clients:
                read_exactly(client, PIECE)
            clients.pop().close()
    finally:
        done.set()
        for thread in threads:
            thread.join(10)
    sent = PIECE * (8 + 7 + 6 + 5 + 4)
    assert all(each["bytesOut"] == sent for each in traffic(pair.status()))
    for each in seen:
        assert len(each) > 1 and each == sorted(each)
    for client in clients:
        client.close()
    eventually(lambda: pair.status()["sessions"] == 0, 5, "the end")
    assert all(each["bytesOut"] == sent for each in traffic(pair.status()))


def value(text: str, name: str) -> float:
    return sum(float(each) for each in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.M))


def test_rates_and_metrics_see_it(serve: Callable[..., Any]) -> None:
    with Served([serve(Watch()).address]) as daemon, connect(daemon.frontend) as client:

        def rate() -> float:
            client.sendall(b"?")
            read_exactly(client, PIECE)
            report = daemon.ask("/status.json").json
            assert report["sessions"] == 1
            return min(each["bytesRate"] for each in traffic(report))

        eventually(lambda: rate() > PIECE, 15, "a rate, without a session that ends")
        sent = traffic(daemon.ask("/status.json").json)[0]["bytesOut"]
        for query, name in [
            ("", "fairlead_{}_sent_bytes_total"),
            ("?names=haproxy", "haproxy_{}_bytes_out_total"),
        ]:
            text = daemon.ask("/metrics" + query).text
            for kind in ("frontend", "backend", "server"):
                assert value(text, name.format(kind)) == sent > 0, (query, kind)
