"""Custom log formats, the default line, syslog framing and log targets, as HAProxy writes them.

Both proxies play the same session; what differs between any two runs (ports, times, process
ids) is masked or compared within the timer tolerance.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import tcplog
from harness.peers import ScriptedServer, echo, read_to_end, replying
from harness.proxies import UNDER_TEST, Haproxy, Proxy
from harness.sinks import LOCAL_FRAME, UDPSink, UnixSink
from harness.stage import Stage

LABELLED = (
    "ci f ft b bi s si bq sq Tw Tc Td Tt Th B U ts ac fc bc sc rc lc fi fp sp cp bp H".split()
)
TIMER_NAMES = frozenset({"Tw", "Tc", "Td", "Tt", "Th"})
RUN_NAMES = frozenset({"cp", "bp", "sp", "fp"})


def finished_session(stage: Stage) -> None:
    client = stage.exchange()
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b""


def one_line(kind: type[Proxy], log_option: str, holding: str) -> str:
    """The stdout line one echoed session leaves under a log option."""
    with Stage(kind) as stage:
        stage.run(f"server a {stage.server(echo).address}", log_option=log_option)
        finished_session(stage)
        return stage.logged(holding)[0]


def both(call: Callable[[type[Proxy]], str]) -> tuple[str, str]:
    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(call, (Haproxy, UNDER_TEST)))  # type: ignore[return-value]


def test_most_aliases() -> None:
    text = "log-format \"begin " + " ".join(f"{name}=%{name}" for name in LABELLED) + '"'
    lines = both(lambda kind: one_line(kind, text, "begin"))
    fields = [dict(pair.split("=", 1) for pair in line.split()[1:]) for line in lines]
    assert set(fields[0]) == set(LABELLED), fields[0]
    found = tcplog.differences(*fields, timers=TIMER_NAMES, per_run=RUN_NAMES)
    assert not found, "\n".join(lines)


def masked(text: str) -> str:
    """Digits become 9: the shape of dates, ports and process ids."""
    return re.sub(r"\d", "9", text)


@pytest.mark.parametrize(
    "text",
    [
        "begin [%t] [%T] [%Tl] [%Ts] [%ms]",
        "begin %%ts %{+Q}s %{+Q}ts",
        "begin %pid %rt",
        "begin %sslc/%sslv %hr/%hs end",
        "begin %{+Q}o %f %b/%s %ts end",
        "begin %[src] %[dst_port] %[fe_name] end",
        "begin tab\\\\there end",
    ],
)
def test_shape_of_other_aliases(text: str) -> None:
    lines = both(lambda kind: one_line(kind, f"log-format '{text}'", "begin"))
    assert re.sub("9+", "9", masked(lines[0])) == re.sub("9+", "9", masked(lines[1]))


def test_default_line() -> None:
    """Without tcplog or log-format, one line is written when the connection is accepted."""

    def line(kind: type[Proxy]) -> str:
        with Stage(kind) as stage:
            stage.run(f"server a {stage.server(replying(b'x')).address}", log_option="")
            stage.connect()
            found = stage.logged("Connect from")[0]
            return re.sub(r":\d+", ":PORT", found)

    reference, actual = both(line)
    assert reference == "Connect from 127.0.0.1:PORT to 127.0.0.1:PORT (edge/TCP)"
    assert actual == reference


TARGETS = """\
global
    {log}
defaults
    log global
    mode tcp
    option tcplog
    timeout connect 1s
    timeout client 5s
    timeout server 5s
{extra}
listen edge
    bind 127.0.0.1:{port}
    server a {server}
"""


def framed_record(kind: type[Proxy], log: str, sink: UDPSink | UnixSink, extra: str = "") -> str:
    """What arrives at a syslog sink for one session."""
    with Stage(kind) as stage, ScriptedServerContext() as server:
        text = TARGETS.format(log=log, port=stage.port, server=server.address, extra=extra)
        with kind(text):
            finished_session(stage)
            return sink.wait_for(" edge edge/a ")


class ScriptedServerContext:
    """An echo server for the length of a `with`."""

    def __enter__(self) -> ScriptedServer:
        self.server = ScriptedServer(echo)
        return self.server

    def __exit__(self, *details: object) -> None:
        self.server.close()


@pytest.mark.parametrize(
    ("facility", "extra", "priority", "tag"),
    [
        ("local0", "", 134, "{name}"),  # 16 * 8 + info
        ("daemon", "", 30, "{name}"),
        ("local1 info", "log-tag edge-lb", 142, "edge-lb"),
        ("local7 debug notice", "", 190, "{name}"),  # `min` caps severity: info is below it
    ],
)
def test_udp_syslog(facility: str, extra: str, priority: int, tag: str) -> None:
    messages = []
    for kind in (Haproxy, UNDER_TEST):
        sink = UDPSink()
        try:
            record = framed_record(kind, f"log {sink.address} {facility}", sink, extra)
        finally:
            sink.close()
        match = LOCAL_FRAME.fullmatch(record.rstrip("\n"))
        assert match, (kind.kind, record)
        assert int(match["priority"]) == priority, kind.kind
        if "{" not in tag:
            assert match["tag"] == tag
        assert tcplog.is_tcplog(match["message"])
        messages.append(record)
    assert messages[0].endswith("\n") == messages[1].endswith("\n"), messages


def test_unix_syslog(tmp_path: Path) -> None:
    for kind in (Haproxy, UNDER_TEST):
        path = tmp_path / "log"
        sink = UnixSink(path)
        try:
            record = framed_record(kind, f"log {path} local0", sink)
        finally:
            sink.close()
            path.unlink()
        match = LOCAL_FRAME.fullmatch(record.rstrip("\n"))
        assert match and match["priority"] == "134", (kind.kind, record)


FRAMINGS = "raw short local rfc3164 rfc5424 timed iso priority".split()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_stdout_formats(framing: str) -> None:
    def line(kind: type[Proxy]) -> str:
        with Stage(kind) as stage, ScriptedServerContext() as server:
            log = f"log stdout format {framing} local0"
            text = TARGETS.format(
                log=log, port=stage.port, server=server.address, extra="log-tag tag"
            )
            with kind(text) as proxy:
                finished_session(stage)
                return proxy.wait_for_lines(1, " edge edge/a ", 5)[0]

    reference, actual = (re.sub(r"\d+", "9", text) for text in both(line))
    assert actual == reference


def test_minimum_level_caps_severity() -> None:
    """With minimum `notice`, the emergency of an empty backend is sent as a notice."""
    with Stage(UNDER_TEST) as stage:
        sink = UDPSink()
        text = TARGETS.format(
            log=f"log {sink.address} local7 debug notice",
            port=stage.port,
            server="127.0.0.1:1 check inter 100ms",
            extra="",
        )
        with UNDER_TEST(text):
            record = sink.wait_for("has no server available!")
        sink.close()
        assert record.startswith("<189>"), record  # 23 * 8 + notice


def test_level_filters_sessions() -> None:
    """`log … local1 notice` takes state changes but no sessions."""
    with Stage(UNDER_TEST) as stage, ScriptedServerContext() as server:
        everything, notices = UDPSink(), UDPSink()
        log = f"log {everything.address} local0\n    log {notices.address} local1 notice"
        text = TARGETS.format(log=log, port=stage.port, server=server.address, extra="")
        text += "    server gone 127.0.0.1:1 check inter 100ms\n"
        with UNDER_TEST(text):
            everything.wait_for("Server edge/gone is DOWN")
            finished_session(stage)
            everything.wait_for(" edge edge/a ")
            notices.wait_for("Server edge/gone is DOWN")
        assert not any(" edge edge/a " in record for record in notices.records)
        everything.close()
        notices.close()
