"""The two example deployments, their files unchanged, in network namespaces.

Back: clients reach three API servers through 10.0.0.179:6443 and see each server's own
certificate. Front: ports 80 and 443 lead to the node ports of three edge nodes.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness import tcplog
from harness.certificates import Authority
from harness.namespaces import Host, Network
from harness.peers import Script, ScriptedServer, named
from harness.proxies import REPOSITORY, UNDER_TEST, Proxy
from harness.sinks import LOCAL_FRAME, UnixSink

BALANCER, CLIENT = "10.0.0.179", "10.0.0.200"
MASTERS = {f"kubemaster-{n}": f"10.0.0.{10 + n}" for n in (1, 2, 3)}
EDGES = {f"kubeedge-{n}": f"10.0.0.{20 + n}" for n in (1, 2, 3)}
REQUEST_SECONDS = 5.0
EXAMPLES = REPOSITORY / "Examples"


def example(name: str) -> str:
    return (EXAMPLES / name / "haproxy.cfg").read_text()


class LogSocket:
    """/dev/log for the test: the proxy runs in a mount namespace where /dev/log is `path`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "devlog"
        self.sink = UnixSink(self.path)

    @property
    def prefix(self) -> list[str]:
        """Bind a private /dev over /dev, with `log` in it, then run the command."""
        dev = self.path.parent / "dev"
        dev.mkdir()
        script = f"""set -e
            mount -t tmpfs none {dev}
            for node in null zero random urandom; do
                touch {dev}/$node
                mount --bind /dev/$node {dev}/$node
            done
            touch {dev}/log
            mount --bind {self.path} {dev}/log
            mount --rbind {dev} /dev
            exec "$@" """
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]


class Cluster:
    """Balancer, client and server hosts on one bridge, with the example running."""

    def __init__(self, stack: ExitStack, folder: Path, name: str, hosts: dict[str, str]) -> None:
        self.stack = stack
        self.network = stack.enter_context(Network())
        self.balancer = self.network.host(f"{BALANCER}/24")
        self.client = self.network.host(f"{CLIENT}/24")
        self.hosts = {name: self.network.host(f"{ip}/24") for name, ip in hosts.items()}
        self.log = LogSocket(folder)
        stack.callback(self.log.sink.close)
        self.name = name
        self.proxy: Proxy

    def start(self) -> None:
        prefix = [*self.balancer.prefix, *self.log.prefix]
        self.proxy = self.stack.enter_context(UNDER_TEST(example(self.name), prefix=prefix))

    def serve(
        self, name: str, port: int, script: Script, tls: ssl.SSLContext | None = None
    ) -> ScriptedServer:
        host = self.hosts[name]

        def make() -> ScriptedServer:
            return ScriptedServer(script, host=host.addresses[0], port=port, tls=tls)

        server = host.call(make)
        self.stack.callback(server.close)
        return server


def restart(host: Host, server: ScriptedServer) -> None:
    host.call(lambda: server.start() or True)


def respond(connection: socket.socket) -> None:
    """One HTTP answer per connection."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@contextmanager
def cluster(folder: Path, name: str, hosts: dict[str, str]) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack, folder, name, hosts)


def kubectl(context: ssl.SSLContext, port: int = 6443) -> str:
    """One HTTPS request through the balancer; returns the name in the server's certificate."""
    connection = http.client.HTTPSConnection(
        BALANCER, port, timeout=REQUEST_SECONDS, context=context
    )
    try:
        connection.connect()
        certificate = connection.sock.getpeercert()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok"
    finally:
        connection.close()
    subject = dict(pair for group in certificate["subject"] for pair in group)
    return subject["commonName"]


@pytest.mark.limit(90)
def test_kubernetes_back(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with cluster(tmp_path, "kubernetes-back", MASTERS) as world:
        servers = {}
        for name, address in MASTERS.items():
            made = authority.issue(name, f"IP:{address}", f"IP:{BALANCER}")
            servers[name] = world.serve(name, 6443, respond, tls=made.server_context())
        world.start()
        context = authority.client_context()

        def ask(count: int = 1) -> list[str]:
            return world.client.call(lambda: [kubectl(context) for _ in range(count)])

        assert ask(6) == list(MASTERS) * 2, "round robin, each with its own certificate"
        record = world.log.sink.wait_for("kubernetes-masters/kubemaster-1 ")
        match = LOCAL_FRAME.fullmatch(record.rstrip("\n"))
        assert match and match["priority"] == "134", record
        fields = tcplog.parse(match["message"])
        assert (fields["ft"], fields["ci"], fields["ts"]) == ("kubernetes-apiserver", CLIENT, "--")
        death_and_return_of_a_master(world, servers["kubemaster-2"], ask)


def death_and_return_of_a_master(
    world: Cluster, victim: ScriptedServer, ask: Callable[[int], list[str]]
) -> None:
    """A master stops: requests keep working as soon as the checks know, or by retries before."""
    victim.stop()
    world.log.sink.wait_for("Server kubernetes-masters/kubemaster-2 is DOWN", 15)
    assert set(ask(6)) == {"kubemaster-1", "kubemaster-3"}
    restart(world.hosts["kubemaster-2"], victim)
    world.log.sink.wait_for("Server kubernetes-masters/kubemaster-2 is UP", 15)
    assert set(ask(6)) == set(MASTERS)


@pytest.mark.limit(90)
def test_kubernetes_front(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with cluster(tmp_path, "kubernetes-front", EDGES) as world:
        servers = []
        for name, address in EDGES.items():
            made = authority.issue(name, f"IP:{address}", f"IP:{BALANCER}")
            servers.append(world.serve(name, 30080, named(name)))
            servers.append(world.serve(name, 30443, respond, tls=made.server_context()))
        world.start()
        context = authority.client_context()

        def ask(count: int) -> tuple[list[str], list[str]]:
            return world.client.call(
                lambda: (
                    [first_words(80) for _ in range(count)],
                    [kubectl(context, 443) for _ in range(count)],
                )
            )

        names = list(EDGES) * 2
        assert ask(6) == (names, names), "round robin, each with its own certificate"
        for server in servers[-2:]:
            server.stop()
        for backend in ("k8s_edge_http_nodes", "k8s_edge_https_nodes"):
            world.log.sink.wait_for(f"Server {backend}/kubeedge-3 is DOWN", 15)
        assert not any("kubeedge-3" in answers for answers in ask(6))


def first_words(port: int) -> str:
    with socket.create_connection((BALANCER, port), REQUEST_SECONDS) as client:
        return client.recv(100).decode()
