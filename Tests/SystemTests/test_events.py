"""Every line of the daemon's log has a name, as text and as JSON."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.process import ManagedProcess
from harness.proxies import FAIRLEAD
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

ROOT = Path(__file__).parents[2]
NAMES = set(re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "Documentation/events.md").read_text(), re.M))

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d "

NATIVE = """\
http: none
frontends:
- {{name: edge, listen: "127.0.0.1:{port}"}}
servers:
- {{name: a, address: "127.0.0.1:{server}", check: false}}
- {{name: b, address: "127.0.0.1:{dead}", check: {{interval: 100ms, fall: 1, rise: 1}}}}
{more}"""

TEXT = """\
global
    nbthread 1
    maxconn 1000000
defaults
    mode tcp
    timeout connect 1s
    timeout client 30s
    timeout server 30s
listen edge
    bind 127.0.0.1:{port}
    server a 127.0.0.1:{dead} check inter 100ms fall 1
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_has_a_name(tmp_path: Path, form: str) -> None:
    file = tmp_path / "haproxy.cfg"
    good = TEXT.format(port=free_port(), dead=free_port())
    file.write_text(good)
    words = [str(FAIRLEAD), "run", "--control", "none", "--log-format", form, str(file)]
    process = ManagedProcess(words)
    try:
        eventually(lambda: "backend.empty" in process.stderr.text, 15, "the only server is dead")
        file.write_text(good.replace("mode tcp", "mode tpc"))
        process.signal(signal.SIGHUP)
        eventually(lambda: "reload.failed" in process.stderr.text, 15, "a reload that fails")
        file.write_text(good)
        process.signal(signal.SIGHUP)
        eventually(lambda: "reload.done" in process.stderr.text, 15, "one that does not")
        process.signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
    lines = process.stderr.lines
    assert "process.stopping" in lines[-2] and "SIGTERM" in lines[-2], lines[-3:]
    assert "process.stopped" in lines[-1]
    if form == "json":
        found = [json.loads(line) for line in lines]
        names = [each["event"] for each in found]
        (problem,) = [each for each in found if each["event"] == "configuration.problem"]
        assert problem["fields"]["file"] == str(file) and problem["fields"]["line"] == "5"
        down = next(each for each in found if each["event"] == "server.down")
        assert down["subject"] == "edge/a" and "is DOWN" in down["message"]
    else:
        # A diagnostic is printed as `check` prints it: its own line, the file's, and a caret.
        unnamed = [line for line in lines if " event=" not in line]
        assert ": error: " in unnamed[0] and len(unnamed) == 3, unnamed
        names = re.findall(r" event=([a-z_.]+)", "\n".join(lines))
        assert all(re.match(STAMP, line) for line in lines if " event=" in line), lines
    assert set(names) <= NAMES
    expected = {"process.limited", "process.ready", "server.down", "backend.empty"}
    assert expected | {"reload.failed", "reload.done"} <= set(names)



def native(tmp_path: Path, more: str, *words: str) -> tuple[list[str], list[str]]:
    """What a run of a native file with one session and a dead server writes."""
    file = tmp_path / "fairlead.yaml"
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        place = {"port": port, "server": server.getsockname()[1], "dead": free_port()}
        file.write_text(NATIVE.format(**place, more=more))
        process = ManagedProcess([str(FAIRLEAD), "run", "--control", "none", *words, str(file)])
        assert process.stdout is not None
        try:
            process.stderr.wait_for_text("server.down", 15)
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(b"x")
                with server.accept()[0] as connection:
                    assert connection.recv(1) == b"x"
                    connection.sendall(b"yz")
                    assert client.recv(2) == b"yz"
            process.stdout.wait_for_text("edge", 10)
            process.signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
    return process.stdout.lines, process.stderr.lines


@pytest.mark.parametrize("more", ["", "logging: {targets: [stdout]}\n"])
def test_a_native_file_says_everything_once(tmp_path: Path, more: str) -> None:
    out, errors = native(tmp_path, more)
    assert len(out) == 1, out
    assert re.search(r" edge kubernetes-apiserver/a .* event=session\.end$", out[0]), out
    for words in ("kubernetes-apiserver/b is DOWN", "event=server.down"):
        assert len([line for line in errors if words in line]) == 1, errors


def test_a_native_file_as_json_is_json_altogether(tmp_path: Path) -> None:
    out, errors = native(tmp_path, "", "--log-format", "json")
    (session,) = [json.loads(line) for line in out]
    assert (session["event"], session["subject"]) == ("session.end", "kubernetes-apiserver/a")
    fields = session["fields"]
    assert (fields["bytesIn"], fields["bytesOut"], fields["frontend"]) == (1, 2, "edge")
    assert {json.loads(line)["event"] for line in errors} <= NAMES


def test_a_socket_gets_everything_in_haproxys_words(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(5)
        native(tmp_path, f"logging: {{targets: [stdout, {tmp_path / 'log'}]}}\n")
        found: list[str] = []
        while not {"DOWN", "edge"} <= {w for x in found for w in ("DOWN", "edge") if w in x}:
            found.append(log.recv(4096).decode())
    assert not [line for line in found if "event=" in line], found
