"""Every line of the daemon's log has a name, as text and as JSON."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.process import ManagedProcess
from harness.proxies import FAIRLEAD
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

ROOT = Path(__file__).parents[2]
NAMES = set(re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "Documentation/events.md").read_text(), re.M))

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
    assert set(names) <= NAMES
    expected = {"process.limited", "process.ready", "server.down", "backend.empty"}
    assert expected | {"reload.failed", "reload.done"} <= set(names)

