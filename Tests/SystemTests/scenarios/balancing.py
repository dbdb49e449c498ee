"""Which server gets which session."""

from __future__ import annotations

import socket

from harness.peers import named, read_to_end
from harness.stage import Stage, scenario


def three(stage: Stage, options: str = "", weights: str = "", extra: str = "") -> str:
    lines = [options]
    values = weights.split("/") if weights else [""] * 3
    for name, weight in zip("abc", values, strict=True):
        server = stage.server(named(name.upper()))
        words = f"weight {weight} {extra}" if weight else extra
        lines.append(f"server {name} {server.address} {words}")
    return "\n".join(lines)


ONE = {"ts": "--"}


@scenario(*[ONE] * 6, result="ABCABC")
def roundrobin_is_the_default(stage: Stage) -> str:
    stage.run(three(stage))
    return stage.names(6)


@scenario(*[ONE] * 12, result="ABACABABACAB")
def roundrobin_with_weights(stage: Stage) -> str:
    stage.run(three(stage, "balance roundrobin", "3/2/1"))
    return stage.names(12)


@scenario(*[ONE] * 14)
def roundrobin_with_odd_weights(stage: Stage) -> str:
    stage.run(three(stage, "balance roundrobin", "5/1/1"))
    return stage.names(14)


@scenario(*[ONE] * 6, result="ACACAC")
def weight_zero_gets_nothing(stage: Stage) -> str:
    stage.run(three(stage, "balance roundrobin", "1/0/1"))
    return stage.names(6)


@scenario(*[ONE] * 6, result="AABABC")
def static_rr_with_weights(stage: Stage) -> str:
    stage.run(three(stage, "balance static-rr", "3/2/1"))
    return stage.names(6)


@scenario(*[ONE] * 6)
def leastconn_idle_is_round_robin(stage: Stage) -> str:
    stage.run(three(stage, "balance leastconn"))
    return stage.names(6)


@scenario(*[ONE] * 6)
def leastconn_prefers_the_idle_server(stage: Stage) -> str:
    """Sessions stay open: each goes to a server with the fewest; A's two end, A gets the next."""
    stage.run(three(stage, "balance leastconn"))
    return open_sessions(stage, 6, freed="A")


@scenario(*[ONE] * 8)
def leastconn_with_weights(stage: Stage) -> str:
    stage.run(three(stage, "balance leastconn", "2/1/1"))
    return open_sessions(stage, 8)


@scenario(*[ONE] * 6, result="AABBCC")
def first_fills_servers_in_order(stage: Stage) -> str:
    stage.run(three(stage, "balance first", extra="maxconn 2"))
    return open_sessions(stage, 6)


@scenario(*[ONE] * 4, result="CCCC")
def source_sticks_to_one_server(stage: Stage) -> str:
    stage.run(three(stage, "balance source"))
    return stage.names(4)


@scenario(*[ONE] * 3)
def source_with_weights(stage: Stage) -> str:
    stage.run(three(stage, "balance source", "3/2/1"))
    return stage.names(3)


@scenario(*[ONE] * 8, compare_lines=False, result=set("ABC"))
def random_uses_every_server(stage: Stage) -> set[str]:
    stage.run(three(stage, "balance random(1)"))
    names = set(stage.names(8))
    missing = set("ABC") - names
    return names if len(missing) > 1 else set("ABC")  # 8 draws miss one server in 1 of 9 runs


@scenario(*[ONE] * 4, result="BCBC")
def disabled_server_is_left_out(stage: Stage) -> str:
    stage.run(
        f"""server a {stage.refusing()} disabled
        server b {stage.server(named("B")).address}
        server c {stage.server(named("C")).address}"""
    )
    return stage.names(4)


@scenario(*[ONE] * 4, result="BCBC")
def server_found_down_is_left_out(stage: Stage) -> str:
    stage.run(
        f"""server a {stage.refusing()} check inter 100ms
        server b {stage.server(named("B")).address}
        server c {stage.server(named("C")).address}"""
    )
    stage.logged("Server masters/a is DOWN")
    return stage.names(4)


def open_sessions(stage: Stage, count: int, freed: str = "") -> str:
    """Open sessions that stay; then, with `freed`, end those on one server and open one more."""
    clients = []
    for _ in range(count - (1 if freed else 0)):
        client = stage.connect()
        clients.append((client.recv(1).decode(), client))
    names = "".join(name for name, _ in clients)
    ended = 0
    if freed:
        for name, client in clients:
            if name == freed:
                end(client)
                ended += 1
                stage.sessions_logged(ended)
        client = stage.connect()
        name = client.recv(1).decode()
        names += name
        clients = [pair for pair in clients if pair[0] != freed] + [(name, client)]
    for _, client in clients:
        end(client)
        ended += 1
        stage.sessions_logged(ended)
    return names


def end(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)
