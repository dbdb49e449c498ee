"""What is asked of each balancer, and how one measurement of it is taken."""

import json
import select
import time
from dataclasses import dataclass

from programs import BACKEND_PORT, BACKENDS, LISTEN, PORT
from sandbox import Process

SETTLE_SECONDS = 0.3        # after the load is over: last acknowledgements, freed buffers
IDLE_SETTLE_SECONDS = 1.0
READY_SECONDS = 15


class Failure(Exception):
    """A measurement that says nothing: the balancer or the loader did not do its part."""


@dataclass
class Workload:
    name: str
    title: str
    unit: str               # what the CPU time is divided by
    words: dict             # for load.c
    target: float | None = None       # CPU of Fairlead / the best peer of the same run
    latency_target: bool = False      # p50 and p99 no worse than HAProxy's
    note: str = ""
    idle: bool = False


THOUSAND_REQUESTS = "1,000 requests"
GIGABYTE = "GB"
THOUSAND_CONNECTIONS = "1,000 connections"
LARGE = 64 << 20

WORKLOADS = [
    Workload(
        "small-1", "Small requests, 1 connection", THOUSAND_REQUESTS,
        {"connections": 1, "body": 200},
        target=1.0, latency_target=True,
        note="200-byte responses on one kept connection, one request after the other.",
    ),
    Workload(
        "small-50", "Small requests, 50 connections", THOUSAND_REQUESTS,
        {"connections": 50, "body": 200},
        target=0.85, latency_target=True,
        note="200-byte responses on 50 kept connections, as fast as they go.",
    ),
    Workload(
        "paced-50", "Small requests, 50 connections, 10,000 per second", THOUSAND_REQUESTS,
        {"connections": 50, "body": 200, "rate": 10000},
        latency_target=True,
        note="The same at a rate all can carry: latency without a queue in front of it, counted "
        "from when a request was due.",
    ),
    Workload(
        "100k", "100 KB responses", GIGABYTE,
        {"connections": 10, "body": 100_000},
        target=0.60, latency_target=True,
        note="100,000-byte responses on 10 kept connections.",
    ),
    Workload(
        "64m", "64 MB responses", GIGABYTE,
        {"connections": 4, "body": LARGE},
        target=0.65,
        note="64 MiB responses on 4 kept connections.",
    ),
    Workload(
        "connect", "New connection per request, server closes", THOUSAND_CONNECTIONS,
        {"connections": 20, "body": 200, "close": "server"},
        target=1.0, latency_target=True,
        note="20 at a time; connect, one 200-byte response, the server closes first.",
    ),
    Workload(
        "connect-client", "New connection per request, client closes", THOUSAND_CONNECTIONS,
        {"connections": 20, "body": 200, "close": "client"},
        target=1.0, latency_target=True,
        note="The same, but the client closes first.",
    ),
    Workload(
        "idle", "2,500 idle connections", THOUSAND_CONNECTIONS,
        {"connections": 2500, "body": 200, "idle": 1},
        idle=True,
        note="2,500 connections that made one request each and then stay silent.",
    ),
]
MEMORY_TARGET_BYTES = 1024


class Stage:
    """One balancer with its own network, backend and log folder, for one round."""

    def __init__(self, program, namespace, tools, folder, layout):
        self.program, self.namespace, self.tools = program, namespace, tools
        self.folder, self.layout = folder, layout
        self.proxy = self.backend = None

    def open(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.backend = Process(
            [self.tools["backend"], str(BACKEND_PORT), *BACKENDS],
            self.namespace, self.layout["backend"], self.folder / "backend.log",
        )
        # First, because a balancer that finds nobody there may leave a server out for a while.
        deadline = time.monotonic() + READY_SECONDS
        while "ready" not in self.backend.tail():
            if not self.backend.alive() or time.monotonic() > deadline:
                raise Failure(f"no backend: {self.backend.tail()}")
            time.sleep(0.01)
        self.proxy = Process(
            self.program.command(self.folder),
            self.namespace, self.layout["proxy"], self.folder / "proxy.log",
        )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.proxy.alive():
                raise Failure(f"{self.program.name} ended at start: {self.proxy.tail()}")
            probe = Loader(self, {"connections": 1, "seconds": 0.01, "warm": 0.02})
            try:
                probe.wait_ready(2)
                if probe.finish(2)["errors"] == 0:
                    self.proxy.read_tree()
                    return
            except Failure:
                time.sleep(0.05)
            finally:
                probe.stop()
        raise Failure(f"{self.program.name} answers nothing: {self.proxy.tail()}")

    def close(self):
        for process in (self.proxy, self.backend):
            if process:
                process.stop()
        self.namespace.close()


class Loader:
    def __init__(self, stage, words):
        pairs = [f"{key}={value}" for key, value in {"to": LISTEN, **words}.items()]
        self.process = Process(
            [stage.tools["load"], str(PORT), *pairs],
            stage.namespace, stage.layout["load"], stage.folder / "load.log", pipes=True,
        )

    def _line(self, seconds):
        pipe = self.process.child.stdout
        if not select.select([pipe], [], [], seconds)[0]:
            raise Failure(f"nothing from the loader for {seconds:.0f} s")
        line = pipe.readline().decode().strip()
        if not line:
            raise Failure(f"the loader gave up: {self.process.tail(1)}")
        return line

    def _go_on(self):
        try:
            self.process.child.stdin.write(b"\n")
            self.process.child.stdin.flush()
        except OSError as error:
            raise Failure(f"the loader gave up: {self.process.tail(1)}") from error

    def wait_ready(self, seconds):
        self._line(seconds)

    def finish(self, seconds):
        self._go_on()
        return json.loads(self._line(seconds))

    def stop(self):
        self.process.stop()


def measure(stage, workload, seconds):
    """One measurement: a dictionary of plain numbers, kept as it is in the JSON output."""
    if not stage.proxy.alive():
        raise Failure(f"{stage.program.name} is gone: {stage.proxy.tail()}")
    return (_measure_idle if workload.idle else _measure_load)(stage, workload, seconds)


def _measure_load(stage, workload, seconds):
    warm = min(0.3, seconds / 4)
    loader = Loader(stage, {**workload.words, "seconds": seconds, "warm": warm})
    try:
        loader.wait_ready(warm + 15)
        time.sleep(0.05)
        stage.proxy.read_tree()
        waited = stage.proxy.waited_seconds()
        before = stage.proxy.cpu_seconds()
        result = loader.finish(seconds + 20)
        time.sleep(0.05)    # connections that were closed last are closed inside the balancer
        cpu = stage.proxy.cpu_seconds() - before
        waited = stage.proxy.waited_seconds() - waited
    finally:
        loader.stop()
    if result["errors"]:
        raise Failure(f"{result['errors']} failed requests")
    if not result["requests"]:
        raise Failure("no request was answered")
    done = result["bytes"] / 1e9 if workload.unit == GIGABYTE else result["requests"] / 1000
    time.sleep(SETTLE_SECONDS)
    return {
        "cpu_ms": cpu * 1000,
        "cpu_ms_per_unit": cpu * 1000 / done,
        "cpu_share": cpu / result["seconds"],
        "waited_share": waited / result["seconds"],
        "per_second": (done if workload.unit == GIGABYTE else done * 1000) / result["seconds"],
        **result,
    }


def _measure_idle(stage, workload, seconds):
    """Needs a balancer that has just been started: memory that an earlier workload left in its
    pools would hold the new connections, and they would look free."""
    count = workload.words["connections"]
    stage.proxy.read_tree()
    memory = stage.proxy.memory_bytes()
    before = stage.proxy.cpu_seconds()
    loader = Loader(stage, workload.words)
    try:
        loader.wait_ready(40)
        time.sleep(IDLE_SETTLE_SECONDS)
        opened = stage.proxy.cpu_seconds()
        held = stage.proxy.memory_bytes() - memory
        hold = max(0.5, seconds / 2)
        time.sleep(hold)
        idle = stage.proxy.cpu_seconds() - opened
        result = loader.finish(10)
    finally:
        loader.stop()
    if result["errors"]:
        raise Failure(f"{result['errors']} of {count} connections failed or were dropped")
    return {
        "cpu_ms_per_unit": (opened - before) * 1000 / (count / 1000),
        "bytes_per_connection": held / count,
        "idle_cpu_us_per_second": idle * 1e6 / hold,
        **result,
    }
