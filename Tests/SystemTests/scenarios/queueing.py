"""Limits and queues: server maxconn, timeout queue, frontend maxconn, abortonclose."""

from __future__ import annotations

import socket
import time

from harness.peers import Holding, echo, named, read_exactly, read_to_end, reset
from harness.stage import Stage, scenario


def finish(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    try:
        read_to_end(client)
    except ConnectionResetError:
        pass


@scenario({"s": "<NOSRV>", "ts": "sQ", "Tc": "-1", "sq": "0", "bq": "1"}, {"s": "a", "ts": "--"})
def queue_timeout(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 700ms"
    )
    busy = stage.exchange()
    waiting = stage.connect()
    read_to_end(waiting)
    stage.sessions_logged(1)
    finish(busy)


@scenario({"ts": "sQ"}, {"ts": "--"})
def queue_timeout_defaults_to_connect(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(echo).address} maxconn 1", defaults="timeout connect 600ms"
    )
    busy = stage.exchange()
    read_to_end(stage.connect())
    stage.sessions_logged(1)
    finish(busy)


@scenario({"s": "a", "bq": "0"}, {"s": "a", "bq": "1"}, {"s": "a", "bq": "2"})
def queue_is_first_in_first_out(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 5s")
    busy = stage.exchange()
    waiting = []
    for number in range(2):
        client = stage.connect()
        client.sendall(b"%d" % number)
        waiting.append(client)
        time.sleep(0.3)  # the order of arrival is the scenario
    finish(busy)
    for number, client in enumerate(waiting):
        assert read_exactly(client, 1) == b"%d" % number
        finish(client)
        stage.sessions_logged(number + 2)


@scenario({"s": "<NOSRV>", "ts": "CD", "Tc": "-1", "bq": "1"}, {"s": "a", "ts": "--"})
def reset_in_queue(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 3s")
    busy = stage.exchange()
    waiting = stage.connect()
    waiting.sendall(b"?")
    time.sleep(0.3)  # nothing outside shows that the session is queued
    reset(waiting)
    stage.sessions_logged(1)
    finish(busy)


@scenario({"s": "<NOSRV>", "ts": "CQ", "bq": "1"}, {"s": "a", "ts": "--"})
def abortonclose_in_queue(stage: Stage) -> None:
    stage.run(
        f"option abortonclose\nserver a {stage.server(echo).address} maxconn 1",
        defaults="timeout queue 4s",
    )
    busy = stage.exchange()
    waiting = stage.connect()
    time.sleep(0.3)  # nothing outside shows that the session is queued
    finish(waiting)
    stage.sessions_logged(1)
    finish(busy)


@scenario({"s": "<NOSRV>", "ts": "CQ", "bq": "1"}, {"s": "a", "ts": "--"})
def half_close_in_queue_without_data(stage: Stage) -> None:
    """Nothing was sent and nothing will be: the session ends, even without abortonclose."""
    stage.run(
        f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 900ms"
    )
    busy = stage.exchange()
    waiting = stage.connect()
    time.sleep(0.3)  # nothing outside shows that the session is queued
    finish(waiting)
    stage.sessions_logged(1)
    finish(busy)


@scenario({"s": "<NOSRV>", "ts": "sQ", "bq": "1"}, {"s": "a", "ts": "--"})
def half_close_in_queue_with_data(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 900ms"
    )
    busy = stage.exchange()
    waiting = stage.connect()
    waiting.sendall(b"please")
    finish(waiting)
    stage.sessions_logged(1)
    finish(busy)


@scenario(*[{"ts": "--"}] * 2)
def server_maxconn_spills_to_the_next(stage: Stage) -> str:
    stage.run(
        f"""balance first
        server a {stage.server(named("A")).address} maxconn 1
        server b {stage.server(named("B")).address} maxconn 1"""
    )
    clients, names = [], []
    for _ in range(2):  # one after the other: two threads may accept at the same moment
        clients.append(stage.connect())
        names.append(clients[-1].recv(1).decode())
    assert names == ["A", "B"]
    for number, client in enumerate(clients, start=1):
        finish(client)
        stage.sessions_logged(number)
    return "".join(names)


@scenario({"ts": "--", "fc": "1"}, {"ts": "--", "fc": "1"})
def frontend_maxconn_waits_in_backlog(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}", frontend="maxconn 1")
    first = stage.exchange()
    second = stage.connect()
    second.sendall(b"wait")
    second.settimeout(0.7)
    try:
        raise AssertionError(f"served beyond maxconn: {second.recv(4)!r}")
    except TimeoutError:
        second.settimeout(10)
    finish(first)
    stage.sessions_logged(1)
    assert read_exactly(second, 4) == b"wait"
    finish(second)


@scenario({"ts": "--", "s": "a"}, {"ts": "--", "s": "a", "sc": "0"}, ordered=False)
def queued_session_gets_the_freed_slot(stage: Stage) -> None:
    hold = Holding()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"A")
        hold(connection)

    stage.run(f"server a {stage.server(script).address} maxconn 1", defaults="timeout queue 5s")
    first = stage.connect()
    assert first.recv(1) == b"A"
    second = stage.connect()
    time.sleep(0.5)  # Tw of the second session
    hold.release()
    finish(first)
    assert second.recv(1) == b"A"
    finish(second)


@scenario({"ts": "sQ", "bq": "1"}, {"ts": "sQ", "bq": "1"}, {"ts": "--"})
def two_sessions_time_out_in_queue(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(echo).address} maxconn 1", defaults="timeout queue 900ms"
    )
    busy = stage.exchange()
    first = stage.connect()
    first.sendall(b"1")
    time.sleep(0.2)  # the order of arrival is the scenario
    second = stage.connect()
    read_to_end(first)
    read_to_end(second)
    stage.sessions_logged(2)
    finish(busy)


@scenario({"s": "a", "ts": "sQ", "Tc": "-1", "bq": "0"}, {"s": "a", "ts": "--"})
def source_waits_for_its_server(stage: Stage) -> None:
    """A choice bound to the client waits in that server's own queue."""
    stage.run(
        f"balance source\n        server a {stage.server(echo).address} maxconn 1",
        defaults="timeout queue 700ms",
    )
    busy = stage.exchange()
    read_to_end(stage.connect())
    stage.sessions_logged(1)
    finish(busy)


@scenario({"s": "a", "ts": "SQ"}, {"s": "a", "ts": "sQ"}, {"s": "a", "ts": "--"})
def full_server_queue(stage: Stage) -> None:
    stage.run(
        f"balance source\n        server a {stage.server(echo).address} maxconn 1 maxqueue 1",
        defaults="timeout queue 1500ms",
    )
    busy = stage.exchange()
    waiting = stage.connect()
    waiting.sendall(b"1")
    time.sleep(0.2)  # the order of arrival is the scenario
    read_to_end(stage.connect())
    stage.sessions_logged(1)
    read_to_end(waiting)
    stage.sessions_logged(2)
    finish(busy)
