"""`fairlead verify`: what it hears and asks on the wire, each finding by its cause."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from harness.certificates import Authority
from harness.doctor import FILE, NODE, PEER, PEER_SETTINGS, STRANGER, VIRTUAL, Ward
from harness.process import run
from harness.proxies import FAIRLEAD
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

THIRD = "10.0.0.133"
PASSWORD = FILE.replace(f"  - {VIRTUAL}/26\n", f"  - {{address: {VIRTUAL}/26, password: secret}}\n")
V2 = PEER_SETTINGS.with_(version=2, interval="1", password="secret")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def ward(authority: Authority) -> Iterator[Ward]:
    with Ward(authority) as ward:
        yield ward


# MARK: peers that are right


def test_a_healthy_pair_seen_by_its_backup(ward: Ward) -> None:
    peer = ward.router(PEER)
    found = ward.verify()
    assert found.complaints == set() and found.code == 0
    assert PEER in found.one("master-heard")["text"]
    held = found.one("address-held")["text"]
    assert PEER in held and peer.mac in held


def test_a_healthy_pair_seen_by_its_master(ward: Ward) -> None:
    ward.router(PEER, PEER_SETTINGS.with_(priority=100))
    node = ward.daemon()
    eventually(lambda: node.holds(PEER_SETTINGS.addresses), 10, "the node is master")
    eventually(lambda: ward.verify().complaints == {"peers-silent"}, 20, "nothing else")
    found = ward.verify()
    assert found.code == 0 and PEER in found.one("peers-silent")["text"]
    for kind in ("address-here", "master-here", "port-own", "daemon-here"):
        found.one(kind)


def test_a_daemon_without_root_is_what_counts(ward: Ward) -> None:
    """The limits and capabilities of the running daemon, not those of who asks."""
    ward.router(PEER)
    node = ward.daemon()
    found = ward.verify()
    assert node.process is not None
    assert f"process {node.process.pid}" in found.one("capabilities-good")["subject"]


def test_without_root_what_cannot_be_seen_is_said(ward: Ward) -> None:
    ward.router(PEER, PEER_SETTINGS.with_(priority=100))
    node = ward.daemon()
    eventually(lambda: node.holds(PEER_SETTINGS.addresses), 10, "the node is master")
    ward.folder.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    found = ward.verify(prefix=nobody)
    # The daemon's address, port and privileges are still known for the daemon's.
    assert found.complaints == {"unexamined"} and found.code == 1
    for kind in ("address-here", "port-own", "daemon-here", "capabilities-good"):
        found.one(kind)


# MARK: strangers


def test_another_cluster_with_the_same_id(ward: Ward) -> None:
    ward.router(PEER)
    other = PEER_SETTINGS.with_(unicast=False, addresses=("10.0.0.170/26",))
    ward.router(STRANGER, other)
    found = ward.verify()
    clash = found.one("router-id-clash")
    assert STRANGER in clash["text"] and "10.0.0.170" in clash["text"]
    assert "virtual_router_id" in clash["remedy"]
    assert found.complaints == {"router-id-clash"} and found.code == 2


def test_other_ids_in_the_network(ward: Ward) -> None:
    ward.router(PEER)
    other = PEER_SETTINGS.with_(unicast=False, router_id=7, addresses=("10.0.0.170/26",))
    ward.router(STRANGER, other)
    found = ward.verify()
    assert f"7 ({STRANGER} for 10.0.0.170)" in found.one("router-ids-in-use")["text"]
    assert found.complaints == {"router-ids-in-use"} and found.code == 0


def test_somebody_has_the_address(ward: Ward) -> None:
    stranger = ward.network.host(f"{STRANGER}/26", f"{VIRTUAL}/26")
    ward.network.host(f"{PEER}/26")
    found = ward.verify()
    mac = stranger.ip("-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]
    assert mac in found.one("address-stranger")["text"]
    assert found.complaints == {"address-stranger", "network-silent", "peers-silent"}
    # The probe left no trace with the one that answered.
    assert NODE not in stranger.ip("neighbour", "show")


def test_the_address_is_there_twice(ward: Ward) -> None:
    ward.router(PEER)
    stranger = ward.network.host(f"{STRANGER}/26", f"{VIRTUAL}/26")
    found = ward.verify()
    assert found.one("address-duplicate")["severity"] == "problem"
    assert found.complaints == {"address-duplicate"}
    stranger.ip("address", "del", f"{VIRTUAL}/26", "dev", "eth0")
    assert ward.verify().complaints == set()


def test_the_address_is_here_and_elsewhere(ward: Ward) -> None:
    ward.router(PEER, PEER_SETTINGS.with_(priority=100))
    node = ward.daemon()
    eventually(lambda: node.holds(PEER_SETTINGS.addresses), 10, "the node is master")
    ward.network.host(f"{STRANGER}/26", f"{VIRTUAL}/26")
    found = ward.verify()
    assert "this node" in found.one("address-duplicate")["text"]
    assert "address-here" not in {each["finding"] for each in found.report["findings"]}


def test_an_ipv6_address_is_taken(ward: Ward) -> None:
    text = FILE.replace(f"{VIRTUAL}/26", "'fd00:10::179/64'").replace("0.0.0.0:6443", "'[::]:6443'")
    text = text.replace(NODE, "'fd00:10::131'").replace(PEER, "'fd00:10::132'")
    ward.node.ip("address", "add", "fd00:10::131/64", "dev", "eth0")
    ward.network.host("fd00:10::132/64")
    found = ward.verify(text)
    assert found.one("address-free")["subject"] == "fd00:10::179"
    # Answers of the peer prove that silence about the address means something.
    assert "peer-unreachable" not in found.complaints
    stranger = ward.network.host("fd00:10::150/64", "fd00:10::179/64")
    mac = stranger.ip("-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]
    assert mac in ward.verify(text).one("address-stranger")["text"]
    ward.node.set_kernel("ipv6/conf/eth0/disable_ipv6", "1")
    found = ward.verify(files=[ward.file(IPV6_ROUTER, "keepalived.conf")])
    assert found.one("ipv6-disabled")["severity"] == "problem"


IPV6_ROUTER = """\
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 66
    priority 100
    version 3
    virtual_ipaddress {
        fd00:10::179/64
    }
}
"""


# MARK: peers that are configured differently


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (V2.with_(password="other"), "password-differs"),
        (V2.with_(password=""), "password-differs"),
        (V2.with_(interval="2"), "interval-differs"),
        (PEER_SETTINGS, "version-differs"),
        (V2.with_(unicast=False), "transport-differs"),
    ],
)
def test_a_peer_that_is_not_understood(ward: Ward, settings: object, kind: str) -> None:
    ward.router(PEER, settings)
    found = ward.verify(PASSWORD)
    assert PEER in found.one(kind)["text"]
    assert found.complaints == {kind, "takeover-slow"}


def test_a_peer_with_more_addresses(ward: Ward) -> None:
    more = PEER_SETTINGS.with_(addresses=(f"{VIRTUAL}/26", "10.0.0.180/26"))
    ward.router(PEER, more)
    found = ward.verify()
    assert "10.0.0.180" in found.one("address-list-differs")["text"]
    assert found.complaints == {"address-list-differs"}


def test_a_sender_that_is_no_peer(ward: Ward) -> None:
    ward.network.host(f"{PEER}/26")
    ward.router(THIRD)
    found = ward.verify()
    assert THIRD in found.one("peer-unknown")["text"]
    assert found.complaints == {"peer-unknown", "peers-silent"}


def test_a_master_with_our_priority(ward: Ward) -> None:
    ward.router(PEER, PEER_SETTINGS.with_(priority=200))
    found = ward.verify()
    assert PEER in found.one("priority-equal")["text"]
    assert found.complaints == {"priority-equal"}


def test_two_masters(ward: Ward) -> None:
    three = FILE.replace(f"  two: {PEER}\n", f"  two: {PEER}\n  three: {THIRD}\n")
    ward.router(PEER)
    ward.router(THIRD)  # neither of them tells the other
    found = ward.verify(three)
    several = found.one("masters-several")
    assert PEER in several["text"] and THIRD in several["text"]
    assert found.complaints == {"masters-several", "address-duplicate"}


# MARK: this node's own addresses


def test_the_address_is_configured_statically(ward: Ward) -> None:
    ward.node.ip("address", "add", f"{VIRTUAL}/26", "dev", "eth0")
    found = ward.verify()
    assert f"ip address del {VIRTUAL}/26 dev eth0" in found.one("address-static")["remedy"]


def test_a_killed_daemon_left_the_address(ward: Ward) -> None:
    node = ward.daemon()
    eventually(lambda: node.holds(PEER_SETTINGS.addresses), 10, "the node is master")
    node.kill()
    found = ward.verify()
    assert found.one("address-leftover")["severity"] == "warning"
    code, _, errors = run([*ward.node.prefix, str(FAIRLEAD), "cleanup"])
    assert code == 0, errors
    assert found.complaints - ward.verify().complaints == {"address-leftover"}


def test_keepalived_runs_beside(ward: Ward) -> None:
    ward.network.host(f"{PEER}/26")
    rival = ward.rival()
    found = ward.verify()
    assert found.one("keepalived-here")["severity"] == "problem"
    assert "by keepalived" in found.one("address-here")["text"]
    assert rival.process is not None
    rival.process.signal(signal.SIGTERM)


# MARK: interfaces

ROUTER = f"""\
vrrp_instance VI_1 {{
    interface %s
    virtual_router_id 51
    priority 100
    advert_int 0.1
    version 3
    virtual_ipaddress {{
        {VIRTUAL}/26
    }}
}}
"""


def test_interfaces(ward: Ward) -> None:
    def look(interface: str = "eth0", text: str = ROUTER) -> set[str]:
        return ward.verify(files=[ward.file(text % interface, "keepalived.conf")]).complaints

    assert look() == {"network-silent"}
    assert look("eth7") == {"interface-missing"}
    assert look("eth0", ROUTER.replace("10.0.0.179/26", "10.0.9.9/26")) == {
        "network-silent", "address-outside",
    }
    assert look("eth0", ROUTER.replace("10.0.0.179/26", "10.0.0.179/24")) == {
        "network-silent", "address-prefix",
    }
    assert look("eth0", ROUTER.replace("10.0.0.179", "10.0.0.191")) == {
        "network-silent", "address-unusable",
    }
    ward.network.pull_cable(ward.node)
    eventually(lambda: "interface-down" in look(), 10, "no carrier is noticed")
    ward.network.plug_cable(ward.node)
    ward.node.take_link_down()
    assert look() == {"interface-down"}
    ward.node.take_link_up()
    ward.node.ip("address", "del", f"{NODE}/26", "dev", "eth0")
    assert "interface-addressless" in look()
