"""Health checks: what they send, when a server changes state, and the words in the log.

State changes are logged to stdout by both proxies; their lines must agree as text once
durations are masked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.peers import ScriptedServer
from harness.ports import free_port
from harness.proxies import UNDER_TEST, Haproxy, Proxy
from harness.waiting import eventually
from scenarios.checking import API, HEADER, PLAYS, Play, Scene

# "Server " would also match "Backup Server ", "Health check for server ".
STATE_WORDS = ("Server masters/", "Health check for", "backend masters", "Backup Server")


def state_lines(proxy: Proxy) -> list[str]:
    return [x for x in proxy.stdout if any(word in x for word in STATE_WORDS)]


def masked(line: str) -> str:
    return re.sub(r"check duration: \d+ms", "check duration: Nms", line)


def lines_of(play: Play, kind: type[Proxy]) -> list[str]:
    scene = Scene(kind)
    with scene.stack:
        play(scene)
        return [masked(line) for line in state_lines(scene.proxy)]


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_state_changes_are_worded_alike(play: Play) -> None:
    with ThreadPoolExecutor(2) as pool:
        reference, actual = pool.map(lambda kind: lines_of(play, kind), (Haproxy, UNDER_TEST))
    assert reference, "the play left nothing to compare"
    assert actual == reference



KUBEADM = """\
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /healthz
    http-check expect status 200
    balance roundrobin
"""


@pytest.mark.parametrize("verify", ["verify none", "ca-file {ca}"])
def test_kubeadm_checks_healthz_over_tls(
    tmp_path: Path, start: Callable[..., Proxy], serve: Callable[..., ScriptedServer], verify: str
) -> None:
    """kubeadm's published HAProxy configuration, with three API servers, one of them unhealthy."""
    authority = Authority(tmp_path)
    context = authority.issue("kube-apiserver", "IP:127.0.0.1").server_context()
    apis = [API() for _ in range(3)]
    apis[1].status = "500 Internal Server Error"
    servers = [serve(api, tls=context) for api in apis]
    option = verify.format(ca=authority.certificate)
    text = HEADER.format(port=free_port()) + "    option log-health-checks\n" + KUBEADM
    for number, server in enumerate(servers):
        text += f"    server m{number} {server.address} check check-ssl {option} inter 300ms\n"
    proxy = start(text)
    proxy.wait_for_lines(1, "Server masters/m1 is DOWN", 5)
    for name in ("m0", "m2"):
        proxy.wait_for_lines(1, f"Health check for server masters/{name} succeeded", 5)
    assert apis[0].requests[0].startswith(b"GET /healthz HTTP/1.0\r\n"), apis[0].requests
    apis[1].status = "200 OK"
    proxy.wait_for_lines(1, "Server masters/m1 is UP", 5)


def test_ca_file_refuses_a_stranger(
    tmp_path: Path, start: Callable[..., Proxy], serve: Callable[..., ScriptedServer]
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other-ca").issue("api").server_context()
    server = serve(API(), tls=stranger)
    authority = Authority(tmp_path)
    text = HEADER.format(port=free_port()) + KUBEADM
    text += f"    server m {server.address} check check-ssl ca-file {authority.certificate}\n"
    proxy = start(text)
    line = proxy.wait_for_lines(1, "Server masters/m is DOWN", 10)[0]
    assert "Layer6 invalid response" in line


def test_check_sni(
    tmp_path: Path, start: Callable[..., Proxy], serve: Callable[..., ScriptedServer]
) -> None:
    context = Authority(tmp_path).issue("api").server_context()
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, own: names.append(name)
    server = serve(API(), tls=context)
    text = HEADER.format(port=free_port()) + "    option log-health-checks\n" + KUBEADM
    text = text.replace("http-check connect ssl", "http-check connect ssl sni api.example")
    text += f"    server m {server.address} check check-ssl verify none inter 300ms\n"
    proxy = start(text)
    proxy.wait_for_lines(1, "Health check for server masters/m succeeded", 5)
    assert names[0] == "api.example"


def test_rise_and_fall_count_checks(
    start: Callable[..., Proxy], serve: Callable[..., ScriptedServer]
) -> None:
    """An UP server falls with the third failure in a row, rises with the second success."""
    api = API()
    server = serve(api)
    text = HEADER.format(port=free_port()) + "    option httpchk GET /healthz\n"
    text += f"    server a {server.address} check inter 100ms rise 2 fall 3\n"
    proxy = start(text)
    eventually(lambda: len(api.requests) >= 2, 5, "two checks")
    api.status = "500 Oops"
    before = len(api.requests)
    proxy.wait_for_lines(1, "is DOWN", 5)
    assert 3 <= len(api.requests) - before <= 4  # one may have been under way
    api.status = "200 OK"
    before = len(api.requests)
    proxy.wait_for_lines(1, "is UP", 5)
    assert 2 <= len(api.requests) - before <= 3


@pytest.mark.parametrize(
    ("options", "least", "most"), [("inter 1s fastinter 100ms", 0, 0.9), ("inter 400ms", 0.7, 2.5)]
)
def test_fastinter_speeds_up_the_fall(
    start: Callable[..., Proxy],
    serve: Callable[..., ScriptedServer],
    options: str,
    least: float,
    most: float,
) -> None:
    """Between the first failure and DOWN lie two intervals: the fast one when it is set."""
    api = API()
    server = serve(api)
    text = HEADER.format(port=free_port()) + "    option httpchk GET /healthz\n"
    text += "    option log-health-checks\n"
    text += f"    server a {server.address} check {options} rise 1 fall 3\n"
    proxy = start(text)
    proxy.wait_for_lines(1, "succeeded", 5)
    api.status = "500 Oops"
    proxy.wait_for_lines(1, "failed", 5)
    begin = time.monotonic()
    proxy.wait_for_lines(1, "is DOWN", 5)
    assert least <= time.monotonic() - begin <= most


@pytest.mark.parametrize(
    ("directives", "request_bytes"),
    [
        ("option httpchk", b"OPTIONS / HTTP/1.0\r\n\r\n"),
        ("option httpchk GET /healthz", b"GET /healthz HTTP/1.0\r\n\r\n"),
        ("option httpchk /uri", b"OPTIONS /uri HTTP/1.0\r\n\r\n"),
        ("option httpchk GET /h HTTP/1.1", b"GET /h HTTP/1.1\r\nconnection: close\r\n\r\n"),
        ("option httpchk\nhttp-check send meth HEAD uri /u ver HTTP/1.1 hdr Host a hdr X b", None),
        ("option httpchk\nhttp-check send meth POST uri /u body hello", None),
        ("option httpchk GET /h HTTP/1.1\\r\\nHost:\\ api", None),
    ],
)
def test_bytes_of_http_checks(directives: str, request_bytes: bytes | None) -> None:
    def first_request(kind: type[Proxy]) -> bytes:
        scene, api = Scene(kind), API()
        with scene.stack:
            scene.run(f"{directives}\nserver a {scene.server(api).address} check inter 100ms")
            eventually(lambda: api.requests, 5, "a check")
            return api.requests[0]

    with ThreadPoolExecutor(2) as pool:
        reference, actual = pool.map(first_request, (Haproxy, UNDER_TEST))
    if request_bytes is not None:
        assert reference == request_bytes
    assert actual == reference
