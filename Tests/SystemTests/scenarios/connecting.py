"""Connecting to a server: refusal, silence, retries, redispatch, backup, nobody there."""

from __future__ import annotations

import socket
import threading
import time

from harness.peers import echo, named, read_to_end, reset
from harness.stage import Stage, scenario


def answer(stage: Stage) -> str:
    """Who answers one session."""
    client = stage.connect()
    name = client.recv(1).decode()
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)
    return name


REFUSED = {"s": "a", "Tc": "-1", "B": "0", "ts": "SC"}


@scenario({**REFUSED, "rc": "3"}, result=b"")
def refused_with_default_retries(stage: Stage) -> bytes:
    stage.run(f"server a {stage.refusing()}")
    client = stage.connect()
    return read_to_end(client)


@scenario({**REFUSED, "rc": "1"})
def refused_with_one_retry(stage: Stage) -> None:
    stage.run(f"server a {stage.refusing()}", defaults="retries 1")
    read_to_end(stage.connect())


@scenario({**REFUSED, "rc": "0"})
def refused_without_retries(stage: Stage) -> None:
    stage.run(f"server a {stage.refusing()}", defaults="retries 0")
    read_to_end(stage.connect())


@scenario({**REFUSED, "rc": "3"})
def refused_turnaround_is_bounded_by_timeout_connect(stage: Stage) -> None:
    stage.run(f"server a {stage.refusing()}", defaults="retries 3\ntimeout connect 300ms")
    read_to_end(stage.connect())


@scenario({**REFUSED})
def refused_after_data_and_half_close(stage: Stage) -> None:
    stage.run(f"server a {stage.refusing()}", defaults="retries 1")
    client = stage.connect()
    client.sendall(b"please")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({"ts": "CC", "rc": "1", "Tc": "-1"})
def half_close_without_data_while_waiting_to_retry(stage: Stage) -> None:
    """Nothing was sent and nothing will be: the session ends at once."""
    stage.run(f"server a {stage.refusing()}")
    client = stage.connect()
    time.sleep(0.4)  # within the first turn-around second
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({"ts": "CC", "Tc": "-1"})
def half_close_without_data_while_connecting(stage: Stage) -> None:
    stage.run(f"server a {stage.blackhole()}")
    client = stage.connect()
    time.sleep(0.4)  # within the first connect timeout
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({"ts": "sC", "Tc": "-1"})
def half_close_with_data_while_connecting(stage: Stage) -> None:
    stage.run(f"server a {stage.blackhole()}", defaults="retries 1\ntimeout connect 600ms")
    client = stage.connect()
    client.sendall(b"please")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


@scenario({"Tc": "-1"})
def reset_while_connecting(stage: Stage) -> None:
    stage.run(f"server a {stage.blackhole()}", defaults="retries 1\ntimeout connect 600ms")
    client = stage.connect()
    client.sendall(b"please")
    time.sleep(0.3)  # within the first connect timeout
    reset(client)


@scenario({"s": "a", "Tc": "-1", "ts": "sC", "rc": "1", "B": "0"})
def connect_timeout(stage: Stage) -> None:
    stage.run(f"server a {stage.blackhole()}", defaults="timeout connect 700ms\nretries 1")
    read_to_end(stage.connect())


@scenario({"s": "a", "Tc": "-1", "ts": "sC", "rc": "3", "B": "0"})
def connect_timeout_with_default_retries(stage: Stage) -> None:
    stage.run(f"server a {stage.blackhole()}", defaults="timeout connect 500ms")
    read_to_end(stage.connect())


@scenario({"s": "<NOSRV>", "Tw": "-1", "Tc": "-1", "ts": "SC", "rc": "0"}, result=b"")
def empty_backend(stage: Stage) -> bytes:
    stage.run("balance roundrobin")
    return read_to_end(stage.connect())


@scenario({"s": "<NOSRV>", "Tw": "-1", "Tc": "-1", "ts": "SC", "rc": "0"})
def every_server_down(stage: Stage) -> None:
    stage.run(
        f"""server a {stage.refusing()} check inter 100ms
        server b {stage.refusing()} check inter 100ms"""
    )
    stage.logged("has no server available")
    read_to_end(stage.connect())


@scenario({"s": "<NOSRV>", "ts": "SC"})
def every_server_disabled(stage: Stage) -> None:
    stage.run(f"server a {stage.server(echo).address} disabled")
    read_to_end(stage.connect())


@scenario({"s": "b", "ts": "--", "rc": "+1"}, result="B")
def redispatch(stage: Stage) -> str:
    stage.run(
        f"""option redispatch
        balance roundrobin
        server a {stage.refusing()}
        server b {stage.server(named("B")).address}"""
    )
    return answer(stage)


@scenario({"s": "b", "ts": "--", "rc": "+1"}, result="B")
def redispatch_after_connect_timeout(stage: Stage) -> str:
    stage.run(
        f"""option redispatch
        balance roundrobin
        server a {stage.blackhole()}
        server b {stage.server(named("B")).address}""",
        defaults="timeout connect 500ms",
    )
    return answer(stage)


@scenario({"s": "a", "rc": "3", "ts": "SC"})
def redispatch_of_source_balancing_finds_the_same_server(stage: Stage) -> None:
    """127.0.0.1 hashes to the second of two servers; it refuses, but no check took it out."""
    stage.run(
        f"""option redispatch
        balance source
        server b {stage.server(named("B")).address}
        server a {stage.refusing()}""",
        defaults="timeout connect 300ms",
    )
    read_to_end(stage.connect())


@scenario({"s": "a", "ts": "SC", "rc": "3"})
def redispatch_with_a_single_server(stage: Stage) -> None:
    stage.run(
        f"option redispatch\nserver a {stage.refusing()}", defaults="timeout connect 300ms"
    )
    read_to_end(stage.connect())


@scenario({"ts": "SC"})
def redispatch_among_refusing_servers(stage: Stage) -> None:
    stage.run(
        f"""option redispatch
        server a {stage.refusing()}
        server b {stage.refusing()}
        server c {stage.refusing()}"""
    )
    read_to_end(stage.connect())


@scenario({"s": "a", "ts": "SC", "rc": "3"}, {"s": "b", "ts": "--", "rc": "0"})
def no_redispatch_by_default(stage: Stage) -> None:
    stage.run(
        f"""server a {stage.refusing()}
        server b {stage.server(named("B")).address}""",
        defaults="timeout connect 300ms",
    )
    read_to_end(stage.connect())
    stage.sessions_logged(1)
    answer(stage)


@scenario({"s": "spare", "ts": "--", "rc": "0"}, result="B")
def backup_is_used(stage: Stage) -> str:
    stage.run(
        f"""server a {stage.refusing()} check inter 100ms
        server spare {stage.server(named("B")).address} backup"""
    )
    stage.logged("Server masters/a is DOWN")
    return answer(stage)


@scenario(*[{"s": "spare1"}] * 3, result="BBB")
def only_the_first_backup_is_used(stage: Stage) -> str:
    stage.run(backups(stage, ""))
    stage.logged("Server masters/a is DOWN")
    return stage.names(3)


@scenario(*[{"ts": "--"}] * 4, result="BCBC")
def allbackups_are_balanced(stage: Stage) -> str:
    stage.run(backups(stage, "option allbackups"))
    stage.logged("Server masters/a is DOWN")
    return stage.names(4)


@scenario({"s": "a", "ts": "--", "rc": "2"}, result="A")
def server_comes_back_between_retries(stage: Stage) -> str:
    """Attempts at 0, 1 and 2 s; the server listens again at about 1.5 s."""
    server = stage.server(named("A"), start=False)
    stage.run(f"server a {server.address}")
    threading.Timer(1.5, server.start).start()
    return answer(stage)


@scenario({"s": "b", "ts": "--"}, result="B")
def server_goes_down_between_retries_without_redispatch(stage: Stage) -> str:
    """The check takes `a` DOWN while the session waits to retry."""
    stage.run(
        f"""server a {stage.refusing()} check inter 300ms
        server b {stage.server(named("B")).address}
        option redispatch"""
    )
    stage.logged("Server masters/a is DOWN")
    return answer(stage)


@scenario({"ts": "CC"})
def abortonclose_while_connecting(stage: Stage) -> None:
    stage.run(f"option abortonclose\nserver a {stage.blackhole()}")
    client = stage.connect()
    client.sendall(b"please")
    time.sleep(0.4)  # within the first connect timeout
    client.shutdown(socket.SHUT_WR)
    try:
        read_to_end(client)
    except ConnectionResetError:
        pass


@scenario({"s": "a", "ts": "--", "B": "4"})
def server_without_port_uses_the_clients(stage: Stage) -> None:
    server = stage.server(echo, host="127.0.0.2", port=stage.port)
    stage.run(f"server a {server.host}")
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)


def backups(stage: Stage, option: str) -> str:
    return f"""{option}
        server a {stage.refusing()} check inter 100ms
        server spare1 {stage.server(named("B")).address} backup
        server spare2 {stage.server(named("C")).address} backup"""
