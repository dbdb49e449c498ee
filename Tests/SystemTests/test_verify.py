"""`fairlead verify`: what it finds on the node and at the servers, each by its cause."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.doctor import FILE, LONG, NODE, PEER, SERVERS, VIRTUAL, Ward
from harness.ports import free_port
from harness.process import ManagedProcess, run
from harness.proxies import FAIRLEAD
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

# Without a peer nobody is master, and that is said. A peer that is not there does not answer ARP.
ALONE = {"network-silent", "peer-unreachable"}

PROXY = f"""\
defaults
  mode tcp
  timeout connect 2s
  timeout client 30m
  timeout server 30m
  timeout check 1s
frontend api
  bind *:6443
  default_backend masters
backend masters
  option httpchk GET /readyz
  http-check expect status 200,401,403
  default-server check check-ssl verify none inter 1s
  server a {SERVERS[0]}:6443
  server b {SERVERS[1]}:6443
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def ward(authority: Authority) -> Iterator[Ward]:
    with Ward(authority) as ward:
        yield ward


def test_nothing_is_said_of_a_healthy_proxy(ward: Ward) -> None:
    found = ward.verify(files=[ward.file(PROXY, "haproxy.cfg")])
    assert found.complaints == set() and found.code == 0
    assert found.report["worst"] == "ok" and found.report["listened"] == 0
    ready = found.all("server-ready")
    assert [each["subject"] for each in ready] == ["masters/a", "masters/b"]
    assert "/readyz: 200" in ready[0]["text"]
    assert len(found.all("certificate-good")) == 2 and len(found.all("clock-good")) == 1


def test_a_node_alone(ward: Ward) -> None:
    found = ward.verify()
    assert found.complaints == ALONE and found.code == 1
    assert found.one("address-free")["subject"] == VIRTUAL
    assert VIRTUAL in found.all("certificate-good")[0]["text"]


# MARK: servers and certificates


def test_certificate_without_the_virtual_address(ward: Ward, authority: Authority) -> None:
    plain = authority.issue("plain", f"IP:{SERVERS[1]}", "DNS:kubernetes", days=LONG)
    ward.replace(1, plain)
    found = ward.verify()
    lacks = found.one("certificate-lacks-address")
    assert lacks["subject"] == "kubernetes-apiserver/b" and lacks["severity"] == "problem"
    assert SERVERS[1] in lacks["text"] and "certSANs" in lacks["remedy"]
    assert found.complaints == {*ALONE, "certificate-lacks-address"} and found.code == 2


def test_certificate_for_a_name(ward: Ward, authority: Authority) -> None:
    named = authority.issue("named", "DNS:kubernetes", "DNS:api.test", days=LONG)
    ward.replace(0, named)
    hosts = ward.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{VIRTUAL} api.test\n{PEER} elsewhere.test\n")
    mount = f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"'
    resolving = ("unshare", "-m", "sh", "-c", mount)
    # Its name leads to the address: clients that use the name are served.
    found = ward.verify(prefix=resolving)
    assert found.complaints == {*ALONE, "certificate-by-name"}
    found = ward.verify(FILE, "--name", "api.test", prefix=resolving)
    assert found.complaints == {*ALONE, "certificate-by-name"}
    assert found.one("name-good")["subject"] == "api.test"
    found = ward.verify(FILE, "--name", "elsewhere.test", prefix=resolving)
    assert found.one("name-elsewhere")["severity"] == "problem"
    assert len(found.all("certificate-lacks-name")) == 2
    found = ward.verify(FILE, "--name", "no-such-name.test", prefix=resolving)
    assert found.one("name-unresolved")["severity"] == "problem"


def test_certificate_that_expires(ward: Ward, authority: Authority) -> None:
    names = (f"IP:{VIRTUAL}", f"IP:{SERVERS[0]}")
    ward.replace(0, authority.issue("late", *names, days="29"))
    ward.replace(1, authority.issue("later", *names, days="32"))
    found = ward.verify()
    assert found.one("certificate-expiring")["subject"] == "kubernetes-apiserver/a"
    assert found.complaints == {*ALONE, "certificate-expiring"}


def test_servers_that_are_not_ready(ward: Ward) -> None:
    ward.servers[0].status = 401
    ward.servers[1].status = 500
    found = ward.verify()
    assert found.one("server-anonymous")["subject"].endswith("/a")
    assert found.one("server-not-ready")["subject"].endswith("/b")
    assert found.one("check-fails")["subject"].endswith("/b")
    assert found.complaints == {*ALONE, "server-anonymous", "server-not-ready", "check-fails"}


def test_a_server_that_hangs_and_one_without_tls(ward: Ward) -> None:
    ward.servers[0].status = None
    ward.replace(1, None)
    found = ward.verify()
    assert found.one("server-silent")["subject"].endswith("/a")
    assert found.one("server-without-tls")["subject"].endswith("/b")
    assert found.report["duration"] < 15


def test_servers_that_are_not_there(ward: Ward) -> None:
    ward.servers[0].close()
    found = ward.verify()
    assert "refused" in found.one("server-unreachable")["text"]
    assert found.complaints == {*ALONE, "server-unreachable"}
    ward.servers[1].close()
    found = ward.verify()
    assert found.one("server-none")["severity"] == "problem"


def test_it_ends_in_time_whoever_is_silent(ward: Ward) -> None:
    lines = [f'  - {{name: s{n}, address: "10.0.0.{n}:6443"}}' for n in range(151, 171)]
    lines.append('  - {name: named, address: "no-such-name.test:6443"}')
    found = ward.verify(FILE + "\n".join(lines) + "\n")
    assert len(found.all("server-unreachable")) == 20
    assert found.one("server-unresolved")["severity"] == "problem"
    assert found.report["duration"] < 15


def test_clocks(ward: Ward) -> None:
    ward.servers[0].offset_seconds = -30
    skew = ward.verify().one("clock-skew")
    assert skew["subject"].endswith("/a") and "behind" in skew["text"]
    ward.servers[1].offset_seconds = -30
    skew = ward.verify().one("clock-skew")
    assert skew["subject"] == "this node" and "ahead of all 2 servers" in skew["text"]


# MARK: the files


def test_short_timeouts_and_shallow_checks(ward: Ward) -> None:
    text = PROXY.replace("timeout client 30m", "timeout client 35s")
    text = text.replace("  option httpchk GET /readyz\n", "").replace("check-ssl verify none ", "")
    text = text.replace("  http-check expect status 200,401,403\n", "")
    found = ward.verify(files=[ward.file(text.replace("inter 1s", "inter 10s"), "haproxy.cfg")])
    assert found.complaints == {"timeout-short", "check-superficial", "check-slow"}
    assert found.code == 1
    tunnel = text.replace("mode tcp\n", "mode tcp\n  timeout tunnel 1h\n")
    found = ward.verify(files=[ward.file(tunnel, "haproxy.cfg")])
    assert found.complaints == {"check-superficial"}


def test_a_server_that_is_the_virtual_address(ward: Ward) -> None:
    found = ward.verify(FILE.replace(f"{SERVERS[1]}:6443", f"{VIRTUAL}:6443"))
    assert found.one("server-loop")["subject"].endswith("/b")


def test_a_frontend_elsewhere(ward: Ward) -> None:
    found = ward.verify(FILE.replace("0.0.0.0:6443", "127.0.0.1:6443"))
    assert found.one("address-unserved")["subject"] == VIRTUAL


def test_equal_priorities(ward: Ward) -> None:
    nodes = f"  - {{address: {VIRTUAL}/26, nodes: {{one: 150, two: 150}}}}\n"
    found = ward.verify(FILE.replace(f"  - {VIRTUAL}/26\n", nodes))
    assert "one and two" in found.one("priority-equal")["text"]


# MARK: the machine


def test_somebody_listens_on_the_port(ward: Ward) -> None:
    with ward.node.socket(socket.AF_INET6, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        taken.bind(("::", 6443))
        taken.listen()
        found = ward.verify()
    port = found.one("port-taken")
    assert f"(process {os.getpid()}) listens on [::]:6443" in port["text"]
    assert VIRTUAL in port["remedy"]
    assert found.complaints == {*ALONE, "port-taken"} and found.code == 2
    # Another address, or another port, is in nobody's way.
    with ward.node.socket(socket.AF_INET, socket.SOCK_STREAM) as beside:
        beside.bind((NODE, 6443))
        beside.listen()
        found = ward.verify(FILE.replace("0.0.0.0:6443", f"{VIRTUAL}:6443"))
    assert found.complaints == ALONE


def test_a_missing_capability(ward: Ward) -> None:
    less = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    found = ward.verify(prefix=less)
    assert "CAP_NET_RAW" in found.one("capability-missing")["text"]
    assert {each["area"] for each in found.all("unexamined")} == {"addresses", "wire"}
    assert found.complaints == {"capability-missing", "unexamined"} and found.code == 2


def test_low_ports_need_a_capability(ward: Ward) -> None:
    text = PROXY.replace("bind *:6443", "bind *:443")
    less = ("setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service")
    found = ward.verify(files=[ward.file(text, "haproxy.cfg")], prefix=less)
    assert "CAP_NET_BIND_SERVICE" in found.one("capability-missing")["text"]
    ward.node.set_kernel("ipv4/ip_unprivileged_port_start", "443")
    found = ward.verify(files=[ward.file(text, "haproxy.cfg")], prefix=less)
    assert found.complaints == set()


@pytest.mark.parametrize(
    ("setting", "value", "kind"),
    [
        ("ipv4/conf/eth0/arp_ignore", "8", "arp-reply-off"),
        ("ipv4/conf/eth0/promote_secondaries", "0", "promote-secondaries"),
        ("core/somaxconn", "128", "backlog-small"),
    ],
)
def test_settings_of_the_kernel(ward: Ward, setting: str, value: str, kind: str) -> None:
    ward.node.set_kernel(setting, value)
    assert ward.verify().complaints == {*ALONE, kind}


def test_a_second_interface_in_the_network(ward: Ward) -> None:
    ward.node.ip("link", "add", "eth1", "type", "veth", "peer", "name", "end1")
    ward.node.ip("address", "add", "10.0.0.135/26", "dev", "eth1")
    ward.node.ip("link", "set", "eth1", "up")
    ward.node.set_kernel("ipv4/conf/eth1/arp_ignore", "0")
    found = ward.verify()
    assert "eth1" in found.one("arp-flux")["text"]
    ward.node.set_kernel("ipv4/conf/all/arp_ignore", "1")
    assert "arp-flux" not in ward.verify().complaints


def test_few_descriptors(ward: Ward) -> None:
    found = ward.verify(prefix=("prlimit", "--nofile=1024:1024"))
    assert found.complaints == {*ALONE, "descriptors-few"}


# MARK: the command


def test_text_for_people(ward: Ward) -> None:
    code, out, _ = ward.command(ward.file())
    assert code == 1
    assert "Servers\n" in out and "\x1b" not in out
    assert "warning  " in out and "[peer-unreachable]" in out and "-> Start that node" in out
    assert out.splitlines()[-1].startswith("one: 1 warning, 1 note")


def test_exit_codes_of_the_command(ward: Ward, tmp_path: Path) -> None:
    assert ward.command(str(tmp_path / "missing.yaml"))[0] == 3
    assert ward.command(ward.file("frontends: 7\n"))[0] == 3
    assert ward.command("--listen", "0", ward.file())[0] == 64
    code, out, _ = ward.command("--json", "--listen", "0.2", "--node", "one", ward.file())
    assert code == 1
    report = json.loads(out)
    assert report["version"] == 1 and report["listened"] == 0.2 and report["node"] == "one"


def test_without_files_those_of_the_daemon_are_examined(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(
        f"nodes: {{one: 192.0.2.1, two: 192.0.2.2}}\n"
        f"frontends: [{{name: edge, listen: 127.0.0.1:{free_port()}}}]\n"
        f"servers: [{{name: gone, address: 127.0.0.1:{free_port()}}}]\n"
    )
    control = tmp_path / "control.sock"
    # By a relative name, which means something else to whoever asks.
    words = ["run", "--http", "none", "--control", str(control), "--node", "two", "other.yaml"]
    daemon = ManagedProcess(["env", "-C", str(tmp_path), str(FAIRLEAD), *words])
    verify = [str(FAIRLEAD), "verify", "--json", "--control", str(control)]
    try:
        eventually(lambda: "process.ready" in daemon.stderr.text, 10, "the daemon runs")
        code, out, errors = run(verify, 30)
        assert code == 2 and f"has: {tmp_path}/other.yaml" in errors, errors
        report = json.loads(out)
        assert report["node"] == "two"
        assert "server-none" in {each["finding"] for each in report["findings"]}
    finally:
        daemon.kill()
    code, out, errors = run(verify, 30)
    assert (code, out) == (3, "") and "no fairlead answers" in errors
    assert run([*verify, str(tmp_path / "other.yaml")], 30)[0] == 64


def test_nothing_to_examine_is_a_problem(ward: Ward) -> None:
    text = "global\n  maxconn 100\ndefaults\n  mode tcp\n"
    found = ward.verify(files=[ward.file(text, "haproxy.cfg")])
    assert found.code == 2
    assert "fairlead run" in found.one("nothing-configured")["remedy"]
