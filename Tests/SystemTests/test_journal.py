"""Standard error as the journal reads it: every line with its priority, and none for anybody else."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from harness.peers import named, serving
from harness.ports import free_port
from harness.process import ManagedProcess
from harness.proxies import FAIRLEAD
from harness.waiting import eventually

pytestmark = pytest.mark.fairlead_only

TEXT = """\
defaults
    mode tcp
    timeout connect 1s
    timeout client 30s
    timeout server 30s
listen edge
    tcp-request connection accept
    bind 127.0.0.1:{port}
    server a {server} check inter 100ms fall 1
"""
# systemd says so in JOURNAL_STREAM: device and inode of what standard error is.
UNDER_THE_JOURNAL = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"'
UNDER_ANOTHER = 'JOURNAL_STREAM=1:1 exec "$@"'
NOTICE, WARNING, ERROR, ALERT, EMERGENCY = 5, 4, 3, 1, 0


def lines(tmp_path: Path, shell: str, form: str) -> list[str]:
    """What a life with a warning, a server that dies, and a reload that fails says."""
    file = tmp_path / "haproxy.cfg"
    with serving(named("a")) as server:
        good = TEXT.format(port=free_port(), server=server.address)
        file.write_text(good)
        run = [str(FAIRLEAD), "run", "--control", "none", "--log-format", form, str(file)]
        process = ManagedProcess(["sh", "-c", shell, "sh", *run])
        try:
            eventually(lambda: "process.ready" in process.stderr.text, 15, "it runs")
            server.stop()
            eventually(lambda: "server.down" in process.stderr.text, 15, "the server is dead")
            file.write_text(good.replace("mode tcp", "mode tpc"))
            process.signal(signal.SIGHUP)
            eventually(lambda: "reload.failed" in process.stderr.text, 15, "a reload that fails")
            process.signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
    return process.stderr.lines


def level(found: list[str], word: str) -> int:
    (level,) = {int(line[1 : line.index(">")]) for line in found if word in line}
    return level


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_journal_gets_priorities(tmp_path: Path, form: str) -> None:
    found = lines(tmp_path, UNDER_THE_JOURNAL, form)
    assert all(re.match(r"<[0-7]>", line) for line in found), found
    assert level(found, "process.ready") == NOTICE
    assert level(found, "server.down") == ALERT
    assert level(found, "backend.empty") == EMERGENCY
    assert level(found, "reload.failed") == ERROR
    # What is wrong in a file, and the lines that show where.
    assert level(found, "'tcp-request'") == WARNING
    assert level(found, "'tpc'" if form == "json" else "haproxy.cfg:2:") == ERROR
    if form == "text":
        (at,) = [number for number, line in enumerate(found) if "haproxy.cfg:2:" in line]
        assert "mode tpc" in found[at + 1] and "^~" in found[at + 2]
        assert [line[:3] for line in found[at : at + 3]] == ["<3>"] * 3
        return
    words = {NOTICE: "notice", WARNING: "warning", ERROR: "err", ALERT: "alert", EMERGENCY: "emerg"}
    for line in found:
        mark, _, text = line.partition(">")
        told = json.loads(text)["level"]
        assert words.get(int(mark[1:]), told) == told, line


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_else_does(tmp_path: Path, form: str) -> None:
    found = lines(tmp_path, UNDER_ANOTHER, form)
    assert len(found) >= 5 and not any(line.startswith("<") for line in found), found
    if form == "json":
        assert {json.loads(line)["level"] for line in found} >= {"notice", "err", "alert"}
