"""One fairlead.yaml, started on two nodes with nothing else said."""

from __future__ import annotations

from collections.abc import Callable

from harness.cluster import VIRTUAL, Cluster
from harness.routers import NameServer
from harness.waiting import eventually

Make = Callable[..., Cluster]

UPSTREAM = "10.0.0.150"
FILE = f"""\
nodes:
  first: 10.0.0.131
  second: 10.0.0.132
virtualAddresses:
  - {{address: {VIRTUAL[4][0]}, preemptDelay: 1s}}
frontends:
  - listen: 0.0.0.0:6443
servers:
  - {{name: upstream, address: "{UPSTREAM}:6443"}}
check: {{type: tcp}}
"""


def test_the_same_file_on_two_nodes(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead", "fairlead", serves_name=False)
    first, second = cluster.nodes
    server = NameServer(cluster.network.host(f"{UPSTREAM}/26"), "upstream")
    try:
        first.start(FILE)
        second.start(FILE)
        cluster.settle(first)
        eventually(lambda: cluster.client.who(cluster.target) == "upstream", 5, "an answer")
        first.stop()
        cluster.settle(second)
        eventually(lambda: cluster.client.who(cluster.target) == "upstream", 5, "an answer")
        first.start()
        cluster.settle(first)
    finally:
        server.close()
