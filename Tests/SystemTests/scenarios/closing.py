"""Who closes, how, and what the log calls it."""

from __future__ import annotations

import socket

from harness.peers import (
    Holding,
    close_at_once,
    echo,
    read_exactly,
    read_to_end,
    replying,
    reply_at_end,
    reset,
    reset_after_request,
    reset_at_once,
    silent,
)
from harness.stage import Stage, scenario

NORMAL = {"b": "masters", "s": "a", "ts": "--", "rc": "0"}


@scenario({**NORMAL, "B": "4", "ft": "edge"})
def client_closes_first(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}")
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({**NORMAL, "B": "1000"})
def server_closes_first(stage: Stage) -> None:
    stage.run(f"server a {stage.server(replying(b'x' * 1000)).address}")
    with stage.connect() as client:
        client.sendall(b"please")
        assert read_to_end(client) == b"x" * 1000


@scenario({**NORMAL, "B": "300000"})
def large_answer(stage: Stage) -> None:
    stage.run(f"server a {stage.server(replying(b'y' * 300_000)).address}")
    with stage.connect() as client:
        client.sendall(b"please")
        assert read_to_end(client) == b"y" * 300_000


@scenario({**NORMAL, "B": "14"})
def half_close_then_reply(stage: Stage) -> None:
    stage.run(f"server a {stage.server(reply_at_end).address}")
    client = stage.connect()
    client.sendall(b"0123456789")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b"got 0123456789"


@scenario({"s": "a", "ts": "CD", "B": "4"})
def client_resets(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}")
    reset(stage.exchange())


@scenario({"s": "a", "ts": "SD", "B": "0"})
def server_resets_after_request(stage: Stage) -> None:
    stage.run(f"server a {stage.server(reset_after_request).address}")
    client = stage.connect()
    client.sendall(b"please")
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass


@scenario({"s": "a", "ts": "SD", "B": "0"})
def server_resets_at_once(stage: Stage) -> None:
    stage.run(f"server a {stage.server(reset_at_once).address}")
    client = stage.connect()
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass


@scenario({**NORMAL, "B": "0"})
def server_closes_at_once(stage: Stage) -> None:
    stage.run(f"server a {stage.server(close_at_once).address}")
    with stage.connect() as client:
        assert read_to_end(client) == b""


@scenario({"s": "a", "ts": "cD", "B": "5", "rc": "0"})
def server_closes_and_client_stays(stage: Stage) -> None:
    stage.run(f"server a {stage.server(replying(b'reply')).address}", defaults="timeout client 1s")
    client = stage.connect()
    client.sendall(b"please")
    assert read_to_end(client) == b"reply"
    stage.sessions_logged(1)


@scenario({**NORMAL, "B": "0"})
def client_closes_without_data(stage: Stage) -> None:
    server = stage.server(silent)
    stage.run(f"server a {server.address}")
    client = stage.opened(server)
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({**NORMAL, "B": "0"})
def client_sends_and_closes_fully(stage: Stage) -> None:
    stage.run(f"server a {stage.server(silent).address}")
    client = stage.connect()
    client.sendall(b"gone")
    client.close()


@scenario({**NORMAL, "B": "4"})
def dontlognull_hides_empty_sessions(stage: Stage) -> None:
    server = stage.server(echo)
    stage.run(f"server a {server.address}", defaults="option dontlognull")
    for _ in range(2):
        empty = stage.opened(server)
        empty.shutdown(socket.SHUT_WR)
        assert read_to_end(empty) == b""
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


@scenario({"s": "a", "ts": "CD"}, {**NORMAL, "B": "4"})
def reset_does_not_disturb_next_session(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}")
    reset(stage.exchange())
    stage.sessions_logged(1)
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


@scenario({"fc": "2", "bc": "1", "sc": "1"}, {"fc": "1", "bc": "0", "sc": "0"})
def concurrent_sessions_are_counted(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}")
    first, second = stage.exchange(), stage.exchange()
    for number, client in enumerate((first, second), start=1):
        client.shutdown(socket.SHUT_WR)
        read_to_end(client)
        stage.sessions_logged(number)


@scenario({"B": "+0", "ts": "--"})
def logasap(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}", defaults="option logasap")
    client = stage.exchange()
    stage.sessions_logged(1)
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


@scenario({"ts": "D-", "s": "a", "B": "4"})
def server_goes_down_and_sessions_are_shut(stage: Stage) -> None:
    server = stage.server(echo)
    stage.run(
        f"server a {server.address} check inter 100ms fall 1 on-marked-down shutdown-sessions"
    )
    client = stage.exchange()
    server.stop(cut=False)
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass


@scenario({"ts": "--", "s": "a", "B": "8"})
def server_goes_down_and_sessions_go_on(stage: Stage) -> None:
    server = stage.server(echo)
    stage.run(f"server a {server.address} check inter 100ms fall 1")
    client = stage.exchange()
    server.stop(cut=False)
    stage.logged("has no server available")
    client.sendall(b"more")
    assert read_exactly(client, 4) == b"more"
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


@scenario({"ts": "U-", "s": "spare", "B": "4"})
def active_server_returns_and_backup_sessions_are_shut(stage: Stage) -> None:
    master, spare = stage.server(echo, start=False), stage.server(echo)
    stage.run(
        f"""server a {master.address} check inter 100ms rise 1 on-marked-up shutdown-backup-sessions
        server spare {spare.address} backup"""
    )
    stage.logged("Server masters/a is DOWN")
    client = stage.exchange()
    master.start()
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass


@scenario({"ts": "--", "s": "a", "B": "4"})
def nolinger(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address}", defaults="option nolinger")
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    try:
        read_to_end(client)
    except ConnectionResetError:
        pass


@scenario({"ts": "CD", "s": "a", "B": "1"})
def client_resets_while_server_holds(stage: Stage) -> None:
    hold = Holding()

    def script(connection: socket.socket) -> None:
        connection.sendall(connection.recv(1))
        hold(connection)

    stage.run(f"server a {stage.server(script).address}")
    reset(stage.exchange(b"x"))


@scenario({"ts": "SD", "s": "a", "B": "3"})
def server_sends_then_resets(stage: Stage) -> None:
    hold = Holding()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"abc")
        hold(connection)
        reset(connection)

    stage.run(f"server a {stage.server(script).address}")
    client = stage.connect()
    assert read_exactly(client, 3) == b"abc"
    hold.release()
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass
