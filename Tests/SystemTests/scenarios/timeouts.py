"""Timeouts: which one fires, when, and what it leaves in the log."""

from __future__ import annotations

import socket
import time

from harness.peers import Holding, echo, read_exactly, read_to_end, silent
from harness.stage import Stage, scenario


def until_end(client: socket.socket) -> None:
    try:
        read_to_end(client)
    except ConnectionResetError:
        pass


@scenario({"ts": "cD", "s": "a", "B": "4"})
def client_timeout(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}", defaults="timeout client 700ms")
    until_end(stage.exchange())


@scenario({"ts": "sD", "s": "a", "B": "0"})
def server_timeout(stage: Stage) -> None:
    stage.run(f"server a {stage.server(silent).address}", defaults="timeout server 700ms")
    client = stage.connect()
    client.sendall(b"anyone?")
    until_end(client)


@scenario({"ts": "cD", "s": "a"})
def client_timeout_then_server_never_closes(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(Holding()).address}",
        defaults="timeout client 700ms\ntimeout server 2s",
    )
    until_end(stage.connect())


@scenario({"ts": "cD", "s": "a"})
def client_timeout_then_server_closes_on_fin(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(silent).address}",
        defaults="timeout client 700ms\ntimeout server 3s",
    )
    until_end(stage.connect())


@scenario({"ts": "sD", "s": "a"})
def server_timeout_is_shorter(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(Holding()).address}",
        defaults="timeout client 2s\ntimeout server 700ms",
    )
    until_end(stage.connect())


@scenario({"s": "a", "ts": "cD"})
def equal_timeouts(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(Holding()).address}",
        defaults="timeout client 700ms\ntimeout server 700ms",
    )
    until_end(stage.connect())


@scenario({"ts": "sD", "s": "a"})
def half_closed_client_then_server_timeout(stage: Stage) -> None:
    server = stage.server(Holding())
    stage.run(
        f"server a {server.address}",
        defaults="timeout client 500ms\ntimeout server 1500ms",
    )
    client = stage.opened(server)
    client.shutdown(socket.SHUT_WR)
    until_end(client)


@scenario({"ts": "cD", "s": "a"})
def tunnel_timeout(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(Holding()).address}",
        defaults="timeout client 500ms\ntimeout server 500ms\ntimeout tunnel 1200ms",
    )
    until_end(stage.connect())


@scenario({"s": "a", "ts": "sD"})
def server_fin_timeout(stage: Stage) -> None:
    """The client has closed: `server-fin` bounds how long the server may keep its side."""
    server = stage.server(Holding())
    stage.run(
        f"server a {server.address}",
        defaults="timeout server 4s\ntimeout server-fin 700ms",
    )
    client = stage.opened(server)
    client.shutdown(socket.SHUT_WR)
    until_end(client)


@scenario({"s": "a", "ts": "cD"})
def client_fin_timeout(stage: Stage) -> None:
    """The server has closed: `client-fin` bounds how long the client may keep its side."""

    def half_close_and_hold(connection: socket.socket) -> None:
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)

    stage.run(
        f"server a {stage.server(half_close_and_hold).address}",
        defaults="timeout client 4s\ntimeout client-fin 700ms",
    )
    client = stage.connect()
    assert read_to_end(client) == b"bye"
    stage.sessions_logged(1)


@scenario({"s": "a", "ts": "cD"})
def client_fin_under_tunnel_timeout(stage: Stage) -> None:
    def half_close_and_hold(connection: socket.socket) -> None:
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)

    stage.run(
        f"server a {stage.server(half_close_and_hold).address}",
        defaults="timeout tunnel 5s\ntimeout client-fin 700ms",
    )
    client = stage.connect()
    assert read_to_end(client) == b"bye"
    stage.sessions_logged(1)


@scenario({"s": "a", "ts": "--", "B": "40"})
def activity_refreshes_timeouts(stage: Stage) -> None:
    stage.run(
        f"server a {stage.server(echo).address}",
        defaults="timeout client 900ms\ntimeout server 900ms",
    )
    client = stage.exchange()
    for _ in range(9):
        time.sleep(0.25)  # the pauses are the scenario: each shorter than the timeout
        client.sendall(b"more")
        assert read_exactly(client, 4) == b"more"
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


@scenario({"s": "a", "ts": "cD"})
def one_way_traffic_keeps_both_sides_alive(stage: Stage) -> None:
    """The client sends for 2.5 s, the server is silent: what is written to it counts as well."""
    stage.run(
        f"server a {stage.server(silent).address}",
        defaults="timeout client 900ms\ntimeout server 900ms",
    )
    client = stage.connect()
    for _ in range(10):
        try:
            client.sendall(b"more")
        except OSError:
            break
        time.sleep(0.25)  # the pauses are the scenario
    until_end(client)


@scenario({"ts": "--", "s": "a"})
def server_that_does_not_read_times_out_nobody_early(stage: Stage) -> None:
    """A server that pauses before reading: data waits in buffers, the session goes on."""
    hold = Holding()

    def later(connection: socket.socket) -> None:
        hold(connection)
        connection.sendall(str(len(read_to_end(connection))).encode())

    stage.run(f"server a {stage.server(later).address}")
    client = stage.connect()
    client.sendall(b"z" * 200_000)
    client.shutdown(socket.SHUT_WR)
    hold.release()
    assert read_to_end(client) == b"200000"
