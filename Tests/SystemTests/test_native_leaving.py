"""TLS clients of a node with a fairlead.yaml: when it stops, they are reset before it loses the
address, and their next connection goes through the other node."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.cluster import VIRTUAL, Cluster
from harness.peers import ScriptedServer, named
from harness.readiness import ended
from harness.routers import NAME_PORT
from harness.streams import BACKEND, EndSniffer
from harness.waiting import eventually

pytestmark = [pytest.mark.fairlead_only, pytest.mark.limit(90)]

Make = Callable[..., Cluster]

COUNT = 20
WITHIN_SECONDS = 2.0
FILE = f"""\
nodes:
  first: 10.0.0.131
  second: 10.0.0.132
virtualAddresses:
  - {{address: {VIRTUAL[4][0]}, preemptDelay: 1s}}
frontends:
  - listen: 0.0.0.0:{NAME_PORT}
servers:
  - {{name: local, address: "{BACKEND[0]}:{BACKEND[1]}"}}
check: {{type: tcp}}
"""


@pytest.fixture
def cluster(make_cluster: Make, tmp_path: Path) -> Iterator[Cluster]:
    certificate = Authority(tmp_path).issue("api", "IP:10.0.0.179")
    made = make_cluster("fairlead", "fairlead", serves_name=False)
    host, port = BACKEND
    with contextlib.ExitStack() as stack:
        for node in made.nodes:
            server = ScriptedServer(
                named(node.name), host=host, port=port, tls=certificate.server_context(),
                make=node.host.socket,
            )  # fmt: skip
            stack.callback(server.close)
            node.start(FILE)
        yield made


def client(cluster: Cluster, authority: Path) -> ssl.SSLSocket:
    plain = cluster.client.host.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        plain.settimeout(5)
        plain.connect((cluster.target, NAME_PORT))
        context = ssl.create_default_context(cafile=str(authority))
        return context.wrap_socket(plain, server_hostname=cluster.target)
    except BaseException:
        plain.close()
        raise


def test_tls_clients_are_reset_before_the_address_goes(cluster: Cluster, tmp_path: Path) -> None:
    first, second = cluster.nodes
    cluster.settle(first)
    authority = tmp_path / "test-ca.crt"
    streams = [client(cluster, authority) for _ in range(COUNT)]
    assert {stream.recv(1) for stream in streams} == {b"a"}
    ends = EndSniffer(cluster.network, cluster.target)
    try:
        began = time.time()
        assert first.stop() == 0
        gone = first.monitor.wait_for(
            lambda change: not change.is_there
            and change.address.text == cluster.target
            and change.time > began,
            5,
            "the address goes",
        )
        for stream in streams:
            # No library takes that for an orderly end, and nobody waits for a timeout.
            assert eventually(partial(ended, stream), WITHIN_SECONDS, "an end") == "reset"
            stream.close()
        resets = eventually(lambda: ends.resets(first.host.port), 5, "resets on the bridge")
        assert len({each.client_port for each in resets}) == COUNT
        assert max(each.time for each in resets) < gone.time
    finally:
        ends.close()
    assert len(first.lines_with("reset 20 sessions on addresses that leave this node")) == 1
    with client(cluster, authority) as again:
        assert again.recv(1) == b"b"
    cluster.settle(second)
