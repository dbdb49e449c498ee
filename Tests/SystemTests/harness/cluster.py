"""A few nodes, a client and a sniffer on one bridge, and what must be true of them together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from .clients import Client
from .namespaces import Network
from .routers import Node, Settings, bare
from .sniffer import Sniffer
from .waiting import eventually

NODE_ADDRESS = {4: "10.0.0.{}/26", 6: "fd00:10::{}/64"}
VIRTUAL = {4: ("10.0.0.179/26",), 6: ("fe80::179/64", "fd00:10::179/64")}
FIRST_NODE, CLIENT = 131, 130
SETTLE_SECONDS = 12.0  # version 2 needs 3.6 s; the rest is for a busy machine
ADVERTS_THAT_PROVE_CALM = 3


class Cluster:
    """Nodes are named a, b, c …; roles are 'fairlead' or 'keepalived'."""

    def __init__(
        self,
        roles: Sequence[str],
        *,
        family: int = 4,
        detects_duplicates: bool = False,
        serves_name: bool = True,
        extra_files: tuple[Path, ...] = (),
    ) -> None:
        self.roles = tuple(roles)
        self.family = family
        self.virtual = VIRTUAL[family]
        self.target = bare(self.virtual[-1])  # what clients connect to
        self.nodes: list[Node] = []
        self.isolated: set[str] = set()
        self._detects_duplicates = detects_duplicates
        self._serves_name = serves_name
        self._extra_files = extra_files
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self.network = self._stack.enter_context(Network())
            self.sniffer = Sniffer(self.network)
            self._stack.callback(self.sniffer.close)
            for number in range(len(self.roles)):
                self._add_node(number)
            self.client = Client(self.network.host(self._own_address(CLIENT)))
            self._stack.callback(self.client.close)
            if self.family == 6:
                for node in self.nodes:
                    eventually(lambda n=node: is_ready_for_ipv6(n), 10, "usable addresses")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def _own_address(self, number: int) -> str:
        return NODE_ADDRESS[self.family].format(number)

    def _add_node(self, number: int) -> None:
        address = self._own_address(FIRST_NODE + number)
        host = self.network.host(address, detects_duplicates=self._detects_duplicates)
        node = Node(
            host,
            self.roles[number],
            "abcdefgh"[number],
            serves_name=self._serves_name,
            extra_files=self._extra_files,
        )
        self.nodes.append(node)
        self._stack.callback(node.close)

    # MARK: configuration

    def text(self, node: Node, settings: Settings) -> str:
        """The node's keepalived.conf: its own source and all others as unicast peers."""
        if settings.addresses == Settings.addresses:
            settings = settings.with_(addresses=self.virtual)
        peers = [each.host.addresses[0] for each in self.nodes if each is not node]
        return settings.text(node.host.addresses[0], peers)

    def start(self, *settings: Settings) -> None:
        """Start the nodes in order, one set of settings each."""
        for node, own in zip(self.nodes, settings, strict=True):
            node.start(self.text(node, own))

    # MARK: what happens to nodes

    def isolate(self, node: Node) -> None:
        """As if the node had lost its power, seen from the others."""
        self.network.isolate(node.host)
        self.isolated.add(node.name)

    def join(self, node: Node) -> None:
        self.network.join(node.host)
        self.isolated.discard(node.name)

    def lose_power(self, node: Node) -> None:
        self.isolate(node)
        node.kill()

    # MARK: what must be true

    @property
    def connected(self) -> list[Node]:
        return [node for node in self.nodes if node.name not in self.isolated]

    def holders(self) -> list[str]:
        """Names of the connected nodes that have any of the virtual addresses."""
        return [node.name for node in self.connected if not node.holds_none(self.virtual)]

    def settle(self, expected: Node, within: float = SETTLE_SECONDS) -> None:
        """Exactly `expected` comes to hold all the virtual addresses and keeps them; the client
        follows: gratuitous announcements change its neighbour cache before it sends anything."""
        knew = self.client.neighbour(self.target)

        def is_settled() -> bool:
            return self.holders() == [expected.name] and expected.holds(self.virtual)

        def follows() -> bool:
            return self.client.neighbour(self.target) == expected.mac

        eventually(is_settled, within, f"{expected.name} alone holds the address")
        if knew is not None:
            what = f"the client's cache shows {expected.name}'s MAC, {expected.mac}"
            eventually(follows, 5, what)
        self.answers(expected)
        self.stays_calm(expected)

    def answers(self, expected: Node, within: float = 5.0) -> None:
        """The client pings and connects, reaches `expected`, and knows its MAC address."""
        if expected.server is not None:
            name = expected.name
            eventually(lambda: self.client.who(self.target) == name, within, f"{name} answers")
        eventually(lambda: self.client.ping(self.target), within, "the address answers pings")
        assert self.client.neighbour(self.target) == expected.mac

    def stays_calm(self, expected: Node, adverts: int = ADVERTS_THAT_PROVE_CALM) -> None:
        """For a few intervals only `expected` advertises, and nothing changes hands."""
        since = self.sniffer.position
        port = expected.host.port
        self.sniffer.wait_for_adverts(adverts, SETTLE_SECONDS, port=port, since=since)
        ports = {node.host.port for node in self.connected}
        heard = {each.port for each in self.sniffer.adverts(since=since) if each.port in ports}
        assert heard == {port}, f"others advertise too:\n{self.sniffer.transcript()}"
        assert self.holders() == [expected.name] and expected.holds(self.virtual)

    def transcript(self) -> str:
        frames = f"--- on the bridge\n{self.sniffer.transcript()}"
        return "\n".join([*(node.transcript() for node in self.nodes), frames])


def is_ready_for_ipv6(node: Node) -> bool:
    """It has a link-local address, and no address is still being probed."""
    mine = node.netlink.addresses()
    return any(each.text.startswith("fe80:") for each in mine) and not any(
        each.is_tentative for each in mine
    )


def can_make_macvlan(cluster: Cluster) -> bool:
    try:
        cluster.client.host.ip("link", "add", "probe", "link", "eth0", "type", "macvlan")
        cluster.client.host.ip("link", "del", "probe")
    except AssertionError:
        return False
    return True
