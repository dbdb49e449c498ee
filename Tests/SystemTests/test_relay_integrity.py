"""Bytes in = bytes out: thousands of sessions of random shape, in copy and in splice mode.

Every session follows a plan drawn from a seed: message sizes from 1 byte to 2 MB, pauses, who
closes first and how. Received bytes are compared with the sent ones as they come, and by hash
at the end; after a reset they must be a prefix. At the end the proxy holds no extra descriptor.
"""

from __future__ import annotations

import hashlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto

import pytest

from harness.peers import ScriptedServer, connect, read_exactly, reset
from harness.ports import free_port
from harness.procfs import descriptor_kinds
from harness.proxies import UNDER_TEST, Proxy
from harness.waiting import eventually

CONCURRENCY = 100
LARGEST_MESSAGE = 2_000_000
MESSAGES_PER_SIDE = 4
PAUSE_SECONDS = 0.02
SESSION_TIMEOUT_SECONDS = 30.0
CHUNK = 65536
SLOW_SECONDS = 0.002  # per read: a 2 MB message takes about 60 ms

# All messages are slices of one random block, so that a plan costs no memory.
BLOCK = random.Random(1).randbytes(2 * LARGEST_MESSAGE)


class Ending(Enum):
    CLIENT_CLOSES_FIRST = auto()  # client FIN, then the server still sends, then server FIN
    SERVER_CLOSES_FIRST = auto()
    BOTH_CLOSE = auto()
    CLIENT_RESETS = auto()
    SERVER_RESETS = auto()


@dataclass(frozen=True)
class Message:
    offset: int
    size: int
    pause: float


@dataclass(frozen=True)
class Plan:
    """One session: what each side sends, and how it ends."""

    number: int
    upward: tuple[Message, ...]
    downward: tuple[Message, ...]
    ending: Ending
    slow: bool  # both sides pause while reading, so that the proxy has to hold data back


def draw_messages(source: random.Random) -> tuple[Message, ...]:
    messages = []
    for _ in range(source.randint(0, MESSAGES_PER_SIDE)):
        size = int(LARGEST_MESSAGE ** source.random())  # as many of 1-10 B as of 100 KB-1 MB
        pause = PAUSE_SECONDS * source.random() if source.random() < 0.3 else 0.0
        messages.append(Message(source.randrange(len(BLOCK) - size), size, pause))
    return tuple(messages)


def draw(seed: int, count: int) -> list[Plan]:
    source = random.Random(seed)
    endings = list(Ending)
    return [
        Plan(n, draw_messages(source), draw_messages(source), source.choice(endings), n % 8 == 0)
        for n in range(count)
    ]


class Mismatch(AssertionError):
    """Received bytes differ from the sent ones."""


def send_all(connection: socket.socket, messages: tuple[Message, ...]) -> None:
    view = memoryview(BLOCK)
    for message in messages:
        if message.pause:
            time.sleep(message.pause)  # part of the plan
        connection.sendall(view[message.offset : message.offset + message.size])


def expected_stream(messages: tuple[Message, ...]) -> bytes:
    return b"".join(BLOCK[m.offset : m.offset + m.size] for m in messages)


def receive(
    connection: socket.socket, messages: tuple[Message, ...], *, may_be_cut: bool, slow: bool
) -> None:
    """Read to the end and compare; with `may_be_cut` a prefix is enough."""
    expected = expected_stream(messages)
    got, digest = 0, hashlib.blake2b()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    try:
        while count := connection.recv_into(buffer):
            if buffer[:count] != expected[got : got + count]:
                raise Mismatch(f"bytes {got}..{got + count} of {len(expected)} differ")
            digest.update(view[:count])
            got += count
            if slow:
                time.sleep(SLOW_SECONDS)
    except (ConnectionResetError, BrokenPipeError):
        if not may_be_cut:
            raise Mismatch(f"reset after {got} of {len(expected)} bytes") from None
    if may_be_cut:
        return
    if digest.digest() != hashlib.blake2b(expected).digest():
        raise Mismatch(f"{got} bytes came, {len(expected)} were sent")


def play_side(
    connection: socket.socket,
    mine: tuple[Message, ...],
    theirs: tuple[Message, ...],
    *,
    waits: bool,
    resets: bool,
    cut: bool,
    slow: bool,
) -> None:
    """One end of a session. `waits`: send only after the other side's FIN."""
    problems: list[BaseException] = []

    def reader() -> None:
        try:
            receive(connection, theirs, may_be_cut=cut, slow=slow)
        except BaseException as problem:  # noqa: BLE001 - handed to the caller
            problems.append(problem)

    if waits:
        receive(connection, theirs, may_be_cut=cut, slow=slow)
        send_all(connection, mine)
        connection.shutdown(socket.SHUT_WR)
        return
    if resets:
        send_all(connection, mine)
        reset(connection)
        return
    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    try:
        send_all(connection, mine)
        connection.shutdown(socket.SHUT_WR)
    except (ConnectionResetError, BrokenPipeError, OSError):
        if not cut:
            raise
    thread.join(SESSION_TIMEOUT_SECONDS)
    if thread.is_alive():
        raise Mismatch("no end of stream")
    if problems:
        raise problems[0]


class Exchange:
    """Plans played between our clients and our servers through the proxy."""

    def __init__(self, plans: list[Plan]) -> None:
        self.plans = plans
        self.problems: list[str] = []
        self.served: Counter[Ending] = Counter()
        self.finished = 0
        self._lock = threading.Lock()

    def _note(self, plan: Plan, side: str, problem: BaseException) -> None:
        with self._lock:
            self.problems.append(f"{side} of {plan.number} ({plan.ending.name}): {problem!r}")

    def serve(self, connection: socket.socket) -> None:
        connection.settimeout(SESSION_TIMEOUT_SECONDS)
        (number,) = struct.unpack("!I", read_exactly(connection, 4))
        plan = self.plans[number]
        ending = plan.ending
        try:
            play_side(
                connection,
                plan.downward,
                plan.upward,
                waits=ending is Ending.CLIENT_CLOSES_FIRST,
                resets=ending is Ending.SERVER_RESETS,
                cut=ending in (Ending.CLIENT_RESETS, Ending.SERVER_RESETS),
                slow=plan.slow,
            )
        except BaseException as problem:  # noqa: BLE001 - judged at the end
            if ending not in (Ending.CLIENT_RESETS, Ending.SERVER_RESETS) or isinstance(
                problem, (Mismatch, TimeoutError)
            ):
                self._note(plan, "server", problem)
        with self._lock:
            self.served[ending] += 1

    def ask(self, port: int, plan: Plan) -> None:
        ending = plan.ending
        try:
            with connect(port, timeout=SESSION_TIMEOUT_SECONDS) as connection:
                connection.sendall(struct.pack("!I", plan.number))
                play_side(
                    connection,
                    plan.upward,
                    plan.downward,
                    waits=ending is Ending.SERVER_CLOSES_FIRST,
                    resets=ending is Ending.CLIENT_RESETS,
                    cut=ending in (Ending.CLIENT_RESETS, Ending.SERVER_RESETS),
                    slow=plan.slow,
                )
        except BaseException as problem:  # noqa: BLE001 - judged at the end
            if ending not in (Ending.CLIENT_RESETS, Ending.SERVER_RESETS) or isinstance(
                problem, (Mismatch, TimeoutError)
            ):
                self._note(plan, "client", problem)
        with self._lock:
            self.finished += 1


def configuration(port: int, server: str, options: str) -> str:
    return f"""\
global
    nbthread 2
    {options}
defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen relay
    bind 127.0.0.1:{port}
    server a {server}
"""


# Each of two workers keeps at most 64 empty pipes for the next bulk transfer.
POOLED_PIPE_ENDS = 2 * 64 * 2


@pytest.mark.limit(120)
@pytest.mark.parametrize(
    ("options", "seed", "sessions"),
    [("", 1, 1500), ("", 2, 1500), ("nosplice", 3, 1500), ("maxpipes 4", 4, 500)],
)
def test_bytes_in_are_bytes_out(options: str, seed: int, sessions: int) -> None:
    exchange = Exchange(draw(seed, sessions))
    server = ScriptedServer(exchange.serve)
    port = free_port()
    try:
        with UNDER_TEST(configuration(port, server.address, options)) as proxy:
            before = descriptor_kinds(proxy.serving_pid)
            pipes = MostPipes(proxy)
            with ThreadPoolExecutor(CONCURRENCY) as pool, pipes:
                list(pool.map(lambda plan: exchange.ask(port, plan), exchange.plans))
            extra = pipes.most - before["pipe"]
            assert (extra > 0) == (options != "nosplice"), "bytes are spliced exactly when allowed"
            assert not exchange.problems, "\n".join(exchange.problems[:20])
            assert exchange.finished == sessions
            for ending in set(Ending) - {Ending.CLIENT_RESETS, Ending.SERVER_RESETS}:
                planned = sum(plan.ending is ending for plan in exchange.plans)
                eventually(lambda e=ending, n=planned: exchange.served[e] == n, 5, f"all {ending}")
            no_more_sockets(proxy, before)
    finally:
        server.close()


class MostPipes:
    """Watches how many pipe descriptors the proxy has while the sessions run."""

    def __init__(self, proxy: Proxy) -> None:
        self.most = 0
        self._proxy = proxy
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, descriptor_kinds(self._proxy.serving_pid)["pipe"])

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def no_more_sockets(proxy: Proxy, before: Counter[str]) -> None:
    """Every session's sockets are closed; pipes are either closed or pooled in pairs."""

    def look() -> bool:
        return descriptor_kinds(proxy.serving_pid)["socket"] <= before["socket"]

    eventually(look, 25, f"sockets return to {before} from {descriptor_kinds(proxy.serving_pid)}")
    after = descriptor_kinds(proxy.serving_pid)
    assert after["file"] == before["file"] and after["anon"] == before["anon"], (before, after)
    pooled = after["pipe"] - before["pipe"]
    assert pooled % 2 == 0 and pooled <= POOLED_PIPE_ENDS, (before, after)
