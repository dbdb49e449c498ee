"""The HTTP side: status, metrics, events and commands, who may use them, and what clients that
misbehave cannot do."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.peers import ScriptedServer, connect, named, read_exactly
from harness.ports import free_port
from harness.process import run
from harness.proxies import FAIRLEAD
from harness.waiting import eventually
from harness.web import TOKEN, Events, Served

Serve = Callable[..., ScriptedServer]

pytestmark = pytest.mark.fairlead_only

PACKAGING = Path(__file__).resolve().parents[2] / "Packaging"
FOLLOWERS = 32  # DashboardLimits.followers
WITH_TOKEN = f"{{listen: '127.0.0.1:%d', token: {TOKEN}}}"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def addresses(serve: Serve) -> list[str]:
    return [serve(named("a")).address, serve(named("b")).address]


@pytest.fixture
def served(addresses: list[str]) -> Iterator[Served]:
    with Served(addresses) as daemon:
        yield daemon


def open_sessions(served: Served, count: int) -> None:
    for _ in range(count):
        with connect(served.frontend) as client:
            read_exactly(client, 1)


def test_the_status_is_that_of_the_command(served: Served) -> None:
    open_sessions(served, 4)
    code, text, _ = served.command("status", "--json")
    assert code == 0
    ours, theirs = served.ask("/status.json").json, json.loads(text)
    assert ours.keys() == theirs.keys() - {"files", "nativeNode"}, "not for whoever sees the page"
    assert all(Path(each).is_absolute() for each in theirs["files"])
    assert ours["frontends"][0]["traffic"]["total"] == 4
    (backend,) = ours["backends"]
    assert [each["state"] for each in backend["servers"]] == ["up", "up"]
    assert sum(sum(each["connectTimes"]["counts"]) for each in backend["servers"]) == 4


@pytest.mark.parametrize("query", ["", "?names=haproxy"])
def test_metrics_please_promtool(served: Served, query: str) -> None:
    open_sessions(served, 6)
    prefix = "haproxy_frontend_sessions_total" if query else "fairlead_frontend_sessions_total"
    eventually(
        lambda: any(
            line.startswith(prefix) and line.endswith(" 6")
            for line in served.ask("/metrics" + query).text.splitlines()
        ),
        5,
        "six sessions are counted",
    )
    answer = served.ask("/metrics" + query)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    result = subprocess.run(
        ["promtool", "check", "metrics"], input=answer.text, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_session_ends_and_connect_times_are_counted(served: Served) -> None:
    open_sessions(served, 6)

    def value(start: str) -> float:
        lines = served.ask("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(start))

    eventually(
        lambda: value('fairlead_frontend_session_ends_total{frontend="edge"') == 6, 5, "six ends"
    )
    assert value("fairlead_server_connect_duration_seconds_count") == 6
    assert value('fairlead_server_checks_total{backend="kubernetes-apiserver",server="a"') > 0


def test_health_follows_the_drain(served: Served) -> None:
    assert served.ask("/healthz").status == 200
    with connect(served.frontend) as client:
        read_exactly(client, 1)
        served.process.signal(signal.SIGUSR1)
        served.process.stderr.wait_for_text("draining", 5)
        answer = served.ask("/healthz")
        assert (answer.status, "draining" in answer.text) == (503, True)


def test_answers_are_strict_with_browsers(served: Served) -> None:
    for path in ("/", "/status.json", "/nothing-here", "/healthz"):
        headers = served.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert served.ask("/nothing-here").status == 404
    page = served.ask("/")
    assert "https://" not in page.text and "<link rel=\"stylesheet\"" not in page.text


def test_a_foreign_name_for_this_machine_is_refused(served: Served) -> None:
    for host in ("localhost", f"127.0.0.1:{served.port}", "[::1]:80"):
        assert served.ask("/status.json", Host=host).status == 200
    for host in ("attacker.example", "127.0.0.1.attacker.example", "10.0.0.1"):
        for path in ("/", "/status.json", "/metrics", "/events"):
            assert served.ask(path, Host=host).status == 421
        assert served.ask("/healthz", Host=host).status == 200


def test_without_a_token_nothing_can_be_changed(served: Served) -> None:
    path = "/servers/kubernetes-apiserver/a/drain"
    assert served.ask(path, "POST").status == 403
    assert served.ask(path, "POST", **BEARER).status == 403
    assert served.ask("/reload", "POST").status == 403
    assert served.ask("/status.json").json["backends"][0]["servers"][0]["state"] == "up"


def test_the_token_is_asked_for(addresses: list[str]) -> None:
    with Served(addresses, WITH_TOKEN) as served:
        for path in ("/status.json", "/metrics", "/events"):
            for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
                answer = served.ask(path, **wrong)
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert served.ask("/status.json", **BEARER).status == 200
        assert served.ask("/").status == served.ask("/healthz").status == 200
        assert TOKEN not in "".join(served.process.stderr.lines)


def test_the_token_drains_and_reloads(addresses: list[str]) -> None:
    public = WITH_TOKEN.replace("}", ", public: true}")
    with Served(addresses, public) as served:

        def state() -> str:
            return served.ask("/status.json").json["backends"][0]["servers"][0]["state"]

        path = "/servers/kubernetes-apiserver/a/"
        assert served.ask(path + "drain", "POST").status == 401
        foreign = {"Origin": "http://attacker.example", **BEARER}
        assert served.ask(path + "drain", "POST", **foreign).status == 403
        form = {"Content_Type": "application/x-www-form-urlencoded", **BEARER}
        assert served.ask(path + "drain", "POST", **form).status == 415
        assert state() == "up"
        same = {"Origin": f"http://127.0.0.1:{served.port}", **BEARER}
        answer = served.ask(path + "drain", "POST", **same)
        assert (answer.status, answer.json["ok"], state()) == (200, True, "drained")
        assert served.ask(path + "undrain", "POST", **BEARER).status == 200
        assert state() == "up"
        missing = served.ask("/servers/kubernetes-apiserver/none/drain", "POST", **BEARER)
        assert (missing.status, missing.json["ok"]) == (409, False)
        assert served.ask("/reload", "POST", **BEARER).json["ok"]


# Events


def test_events_and_statuses_come(served: Served) -> None:
    stream = Events(served.port)
    assert stream.status() == 200
    name, hello, _ = stream.next()
    assert (name, hello["writes"]) == ("hello", False)
    event, first = stream.until("event")
    assert event["kind"] == "start"
    assert stream.until("status")[0]["pid"] == served.process.pid
    assert served.command("drain", "a")[0] == 0
    event, last = stream.until("event")
    assert (event["subject"], event["to"]) == ("kubernetes-apiserver/a", "drained")
    stream.close()
    # Who comes back gets what it has not seen, and only that.
    assert served.command("undrain", "a")[0] == 0
    again = Events(served.port, last)
    assert again.status() == 200
    event, number = again.until("event")
    assert event["text"].endswith("is no longer drained") and number != last
    again.close()


def follow(served: Served) -> int:
    """The answer to one more follower, which then goes."""
    events = Events(served.port)
    try:
        return events.status()
    finally:
        events.close()


def test_pages_that_read_nothing_hold_up_nobody(served: Served) -> None:
    lazy = [Events(served.port, receive_bytes=2048) for _ in range(FOLLOWERS)]
    eventually(lambda: follow(served) == 503, 10, "one too many is told so")
    assert served.ask("/status.json").status == 200
    for _ in range(20):
        assert served.command("drain", "a")[0] == served.command("undrain", "a")[0] == 0
    open_sessions(served, 5)
    for each in lazy:
        each.close()
    eventually(lambda: follow(served) == 200, 10, "places are free again")


def test_who_asks_much_and_takes_nothing_is_let_go(served: Served) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", served.port))
    client.setblocking(False)
    request = f"GET /metrics HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode()
    poll = select.poll()
    poll.register(client, 0)  # errors and hang-ups only

    def let_go() -> bool:
        with contextlib.suppress(BlockingIOError):
            try:
                client.send(request * 50)
            except ConnectionError:
                return True
        return bool(poll.poll(0))

    eventually(let_go, 45, "the connection is closed")
    assert served.ask("/healthz").status == 200
    client.close()


def test_an_end_waits_for_no_page(served: Served) -> None:
    pages = [Events(served.port) for _ in range(3)]
    for page in pages:
        page.until("status")
    with socket.create_connection(("127.0.0.1", served.port), 10):
        served.process.signal(signal.SIGTERM)
        assert served.process.wait(5) == 0
    assert not [line for line in served.process.stderr.lines if "EventLoop" in line]
    for page in pages:
        page.close()


def test_half_a_request_does_not_stay(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 30) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert client.recv(1) == b""


# Settings


def test_a_reload_moves_it(served: Served) -> None:
    other = free_port()
    served.write(f"{{listen: '127.0.0.1:{other}'}}")
    assert served.command("reload")[0] == 0
    assert served.ask("/healthz", port=other).status == 200
    with pytest.raises(ConnectionRefusedError):
        served.ask("/healthz")
    served.write("none")
    assert served.command("reload")[0] == 0
    with pytest.raises(ConnectionRefusedError):
        served.ask("/healthz", port=other)


def test_a_reload_to_a_taken_place_leaves_it(served: Served) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        served.write(f"{{listen: '127.0.0.1:{other.getsockname()[1]}'}}")
        code, out, errors = served.command("reload")
        assert (code, "it stays at" in out + errors) == (0, True)
        assert served.ask("/healthz").status == 200


def test_a_place_that_was_asked_for_must_be_free(addresses: list[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        served = Served(addresses, f"{{listen: '127.0.0.1:{other.getsockname()[1]}'}}")
        code, out, errors = run([str(FAIRLEAD), "run", "--control", "none", str(served.file)], 10)
        assert (code, "in use" in out + errors) == (1, True)


def test_the_usual_place_may_be_taken(addresses: list[str]) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 9600))
            other.listen()
        except OSError:
            pass  # somebody has it already
        with Served(addresses, None) as served:
            served.process.stderr.wait_for_text("no dashboard", 5)
            open_sessions(served, 1)


@pytest.mark.parametrize(
    ("http", "words"),
    [
        ("{listen: '0.0.0.0:9601'}", "can be reached from other machines"),
        ("{token: short}", "a token is 16 to 512"),
        ("{listen: nowhere}", "the port is missing"),
        ("{tls: {certificate: /nowhere.pem}}", "a certificate and its key"),
        ("{tls: {certificate: /nowhere.pem, key: /nowhere.key}}", "cannot be used"),
        ("{lisen: 9601}", "did you mean 'listen'"),
    ],
)
def test_check_names_what_is_wrong(addresses: list[str], http: str, words: str) -> None:
    served = Served(addresses, http)
    code, out, errors = run([str(FAIRLEAD), "check", str(served.file)])
    assert (code, words in out + errors) == (1, True), out + errors


def test_other_files_have_it_when_asked(addresses: list[str], served: Served) -> None:
    port = free_port()
    token = served.directory / "token"
    token.write_text(TOKEN + "\n")
    file = served.directory / "haproxy.cfg"
    file.write_text(
        "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        f"listen edge\n bind 127.0.0.1:{free_port()}\n server a {addresses[0]}\n"
    )
    base = [str(FAIRLEAD), "run", "--control", "none", "--http"]
    code, out, errors = run([*base, f"0.0.0.0:{port}", str(file)], 10)
    assert (code, "--http-token-file" in out + errors) == (1, True)
    with Served(addresses, None, "--http", f"127.0.0.1:{port}", "--http-token-file", str(token)) as (
        other
    ):
        assert other.ask("/status.json", port=port).status == 401
        assert other.ask("/status.json", port=port, **BEARER).status == 200


def test_over_tls(addresses: list[str]) -> None:
    served = Served(addresses)
    authority = Authority(served.directory)
    issued = authority.issue("lb-1", "IP:127.0.0.1")
    served.write(
        f"{{listen: '127.0.0.1:%d', tls: {{certificate: '{issued.certificate}', "
        f"key: '{issued.key}'}}}}"
    )
    served.context = ssl.create_default_context(cafile=str(authority.certificate))
    with served:
        assert served.ask("/healthz").text == "ok\n"
        assert served.command("reload")[0] == 0
        assert served.ask("/healthz").text == "ok\n"


# What is shipped for Prometheus and Grafana


def promtool(*words: str) -> None:
    result = subprocess.run(["promtool", *words], capture_output=True, text=True, cwd=PACKAGING)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_alerts_fire_when_they_should() -> None:
    promtool("check", "rules", "prometheus-alerts.yaml")
    promtool("test", "rules", "prometheus-alerts-test.yaml")


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    dashboard = json.loads((PACKAGING / "grafana-dashboard.json").read_text())
    asked = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(asked) > 10
    rules = [
        {"record": f"asked:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(asked)
    ]
    file = tmp_path / "asked.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    promtool("check", "rules", "--lint=none", str(file))
