"""Start, stop, check, and what must not hurt: lack of descriptors, dead log sinks."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.peers import ScriptedServer, connect, echo, read_exactly, read_to_end
from harness.ports import free_port
from harness.process import run
from harness.procfs import descriptor_kinds
from harness.proxies import FAIRLEAD, UNDER_TEST, Proxy, cpu_share
from harness.waiting import eventually

Start = Callable[..., Proxy]
Serve = Callable[..., ScriptedServer]

CONFIGURATION = """\
global
    nbthread 2
    {options}
defaults
    log global
    mode tcp
    option tcplog
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen edge
    bind {address}
    server a {server}
"""


def configuration(address: str, server: str, options: str = "") -> str:
    return CONFIGURATION.format(address=address, server=server, options=options)


def test_taken_port_is_an_error_that_names_it() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        code, words = UNDER_TEST.attempt(configuration(f"127.0.0.1:{port}", "127.0.0.1:1"))
    assert code == 1
    assert f"127.0.0.1:{port}" in words


@pytest.mark.fairlead_only
def test_address_of_another_node_is_bindable(start: Start, serve: Serve) -> None:
    """A virtual IP that another node holds now (192.0.2.0/24 is reserved for documentation)."""
    port, local = free_port(), free_port()
    text = configuration(f"192.0.2.179:{port},127.0.0.1:{local}", serve(echo).address)
    start(text)
    with connect(local) as client:
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"


def test_missing_file_is_an_error() -> None:
    proxy = UNDER_TEST("")
    shutil.rmtree(proxy.directory)
    code, out, errors = run(proxy.command())
    assert code == 1
    assert str(proxy.file) in out + errors


def test_broken_file_does_not_start() -> None:
    text = configuration("127.0.0.1:1", "127.0.0.1:2").replace("bind ", "bindd ")
    code, words = UNDER_TEST.attempt(text)
    assert code == 1
    assert "haproxy.cfg:12" in words and "bindd" in words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_stop_now_in_spite_of_sessions(start: Start, serve: Serve, number: signal.Signals) -> None:
    port = free_port()
    proxy = start(configuration(f"127.0.0.1:{port}", serve(echo).address))
    with connect(port) as client:
        client.sendall(b"x")
        read_exactly(client, 1)
        proxy.process.signal(number)
        assert proxy.process.wait(3) in (0, -number, 128 + number)
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass


def test_check_accepts_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration("127.0.0.1:1", "127.0.0.1:2"))
    assert UNDER_TEST.check(file)[0] == 0


ERRORS = """\
global
    nbthreads 2
defaults
    mode tcp
    timout client 5s
frontend edge
    bind 127.0.0.1:1
    default_backend masters
backend masters
    balance rondrobin
    server a 127.0.0.1:1 chek
"""


def test_check_reports_all_errors_at_once(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(ERRORS)
    code, words = UNDER_TEST.check(file)
    assert code == 1
    for line in (2, 5, 10, 11):
        assert f"{file}:{line}" in words, line


@pytest.mark.fairlead_only
def test_check_places_errors_by_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(ERRORS)
    _, words = UNDER_TEST.check(file)
    for line, column, nearest in ((2, 5, "nbthread"), (5, 5, "timeout"), (11, 26, "check")):
        assert re.search(rf"{re.escape(str(file))}:{line}:{column}: error: .*", words), words
        assert nearest in words


@pytest.mark.fairlead_only
def test_check_print_is_a_fixed_point(tmp_path: Path) -> None:
    """What `check --print` writes is a valid file that prints as itself."""
    first, second = tmp_path / "haproxy.cfg", tmp_path / "printed.cfg"
    first.write_text(configuration("127.0.0.1:1", "127.0.0.1:2 check inter 500ms", "maxconn 99"))
    code, printed, _ = run([str(FAIRLEAD), "check", "--print", str(first)])
    assert code == 0
    for words in ("maxconn 99", "bind 127.0.0.1:1", "inter 500"):
        assert words in printed
    second.write_text(printed.rstrip("\n") + "\n")
    assert run([str(FAIRLEAD), "check", "--print", str(second)])[:2] == (0, printed)


@pytest.mark.fairlead_only
def test_check_says_what_is_not_served(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration("127.0.0.1:1", "127.0.0.1:2", f"stats socket {tmp_path}/sock"))
    code, words = UNDER_TEST.check(file)
    assert code == 0
    assert "warning" in words and "stats socket" in words


def speaks(client: socket.socket, within: float) -> bool:
    """Whether a session answers in time."""
    client.settimeout(within)
    try:
        client.sendall(b"x")
        return read_exactly(client, 1) == b"x"
    except (TimeoutError, ConnectionError, AssertionError):
        return False


SMALL_LIMIT = 320  # HAProxy itself asks for 217
CLIENTS = 250  # more sessions than 320 descriptors carry at two each
SPIN_SHARE = 0.3  # of a core; a proxy that retries accept in a loop uses 1.0


def test_maxconn_is_derived_from_the_descriptor_limit(start: Start, serve: Serve) -> None:
    """Sessions beyond what descriptors allow wait in the backlog, are served later, and cost
    no CPU meanwhile; those that are open go on."""
    port = free_port()
    text = configuration(f"127.0.0.1:{port}", serve(echo).address)
    proxy = start(text, prefix=["prlimit", f"--nofile={SMALL_LIMIT}"])
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(b"x")
        served = [client for client in clients if answered(client, 0.05)]
        assert 10 <= len(served) <= SMALL_LIMIT // 2, len(served)
        assert cpu_share(proxy.serving_pid, 1.0) < SPIN_SHARE
        assert all(speaks(client, 2) for client in served)
        waiting = [client for client in clients if client not in served]
        for client in served:
            client.close()
        assert answered(waiting[0], 5), "a waiting session gets a freed place"


def answered(client: socket.socket, within: float) -> bool:
    client.settimeout(within)
    try:
        return client.recv(1) == b"x"
    except (TimeoutError, ConnectionError):
        return False


def test_descriptor_exhaustion_neither_spins_nor_drops(start: Start, serve: Serve) -> None:
    """The limit falls under a running proxy: accept fails with EMFILE until places are free."""
    port = free_port()
    proxy = start(configuration(f"127.0.0.1:{port}", serve(echo).address, "maxconn 1000"))
    with connect(port) as session:
        assert speaks(session, 5)
        pid = proxy.serving_pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        ceiling = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (ceiling, limits[1]))
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(port)) for _ in range(10)]
            for client in clients:
                client.sendall(b"x")
            assert cpu_share(pid, 1.5) < SPIN_SHARE
            assert speaks(session, 5), "the open session goes on"
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            with connect(port) as late:
                assert speaks(late, 10), "accepting resumes"
        assert speaks(session, 5)


SESSIONS = 300
SESSIONS_TO_DROP = 1200  # at some 90 bytes a record
SESSION_SECONDS = 1.0  # none may take longer; they take milliseconds
ALL_SECONDS = 20.0


def many_sessions(port: int, count: int = SESSIONS) -> None:
    """Sessions one after the other, each bounded."""
    begin = time.monotonic()
    for _ in range(count):
        with connect(port, timeout=SESSION_SECONDS) as client:
            assert speaks(client, SESSION_SECONDS)
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b""
    assert time.monotonic() - begin < ALL_SECONDS


def test_syslog_nobody_reads_does_not_slow_sessions(start: Start, serve: Serve) -> None:
    port = free_port()
    log = f"log 127.0.0.1:{free_port()} local0"
    start(configuration(f"127.0.0.1:{port}", serve(echo).address, log))
    many_sessions(port)


@pytest.mark.parametrize("how", ["absent", "full"])
def test_dead_log_socket_does_not_slow_sessions(
    start: Start, serve: Serve, tmp_path: Path, how: str
) -> None:
    """/dev/log without a daemon, or with one that hangs: its queue is full after ten records."""
    port, path = free_port(), tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        if how == "full":
            sink.bind(str(path))
        log = f"log {path} local0"
        start(configuration(f"127.0.0.1:{port}", serve(echo).address, log))
        many_sessions(port)


@contextmanager
def unread_pipe() -> Iterator[tuple[int, int]]:
    """A pipe of one page that nobody reads until asked to."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def test_unread_stdout_does_not_slow_sessions(serve: Serve) -> None:
    port = free_port()
    text = configuration(
        f"127.0.0.1:{port}", serve(echo).address, "log stdout format raw local0"
    )
    with unread_pipe() as (_, writer), UNDER_TEST(text, stdout_descriptor=writer):
        many_sessions(port)


@pytest.mark.fairlead_only
def test_dropped_records_are_counted_and_the_count_is_logged(serve: Serve) -> None:
    port = free_port()
    text = configuration(
        f"127.0.0.1:{port}", serve(echo).address, "log stdout format raw local0"
    )
    with unread_pipe() as (reader, writer), UNDER_TEST(text, stdout_descriptor=writer) as proxy:
        # The daemon keeps 64 KiB back for a slow reader before it drops records.
        many_sessions(port, SESSIONS_TO_DROP)
        os.set_blocking(reader, False)
        collected = bytearray()

        def look() -> bool:
            many_sessions(port, 1)
            try:
                collected.extend(os.read(reader, 65536))
            except BlockingIOError:
                pass
            return "dropped" in (collected.decode() + proxy.process.stderr.text).lower()

        eventually(look, 10, "a line that tells how many records were dropped")


def test_log_socket_that_comes_back_is_used(
    start: Start, serve: Serve, tmp_path: Path
) -> None:
    """The syslog daemon restarts: its socket is a new file at the same path."""
    port, path = free_port(), tmp_path / "log"
    start(configuration(f"127.0.0.1:{port}", serve(echo).address, f"log {path} local0"))
    many_sessions(port, 2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        sink.bind(str(path))
        sink.settimeout(0.2)

        def look() -> bool:
            many_sessions(port, 1)
            try:
                return b" edge edge/a " in sink.recv(4096)
            except TimeoutError:
                return False

        eventually(look, 10, "records arrive at the new socket")


def test_idle_proxy_uses_no_cpu(start: Start, serve: Serve) -> None:
    port = free_port()
    proxy = start(configuration(f"127.0.0.1:{port}", serve(echo).address + " check"))
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(50)]
        assert all(speaks(client, 5) for client in clients)
        assert cpu_share(proxy.serving_pid, 1.0) < 0.05
    eventually(lambda: descriptor_kinds(proxy.serving_pid)["socket"] < 50, 5, "sessions end")


def test_overlapping_addresses_start_together(start: Start, serve: Serve) -> None:
    """kind's file binds `*:6443` and `:::6443`; others add an address to a wildcard."""
    port = free_port()
    addresses = f"*:{port},127.0.0.1:{port}\n    bind :::{port}"
    start(configuration(addresses, serve(echo).address))
    for address in ("127.0.0.1", "127.0.0.2", "::1"):
        with connect(port, address) as client:
            client.sendall(b"x")
            assert read_exactly(client, 1) == b"x", address


def test_connection_rate_is_kept(start: Start, serve: Serve) -> None:
    """Two connections a second: six need three seconds of the clock."""
    port = free_port()
    start(configuration(f"127.0.0.1:{port}", serve(echo).address, "maxconnrate 2"))
    begin = time.monotonic()
    with ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(connect(port, timeout=10))
            client.sendall(b"x")
            assert read_exactly(client, 1) == b"x"
    assert time.monotonic() - begin > 0.9  # two full seconds, the first of them begun


@pytest.mark.fairlead_only
def test_absent_log_socket_is_told(start: Start, serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "absent"
    proxy = start(configuration(f"127.0.0.1:{port}", serve(echo).address, f"log {log} local0"))
    assert f"warning: log {log}" in proxy.process.stderr.text
