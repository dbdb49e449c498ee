"""What tests of operator commands share: a proxy with two servers, and the commands against its
control socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.peers import ScriptedServer, connect, named, read_exactly
from harness.ports import free_port
from harness.process import run
from harness.proxies import FAIRLEAD, Fairlead, Proxy

Start = Callable[..., Proxy]
Serve = Callable[..., ScriptedServer]

TEXT = """\
global
    nbthread 2
defaults
    mode tcp
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend edge
    bind 127.0.0.1:{port}
    default_backend masters
backend masters
    server a {a}
    server b {b} check inter 100ms
"""


class Pair:
    """A proxy with two servers, `a` without checks and `b` with them."""

    def __init__(self, start: Start, serve: Serve) -> None:
        self.port = free_port()
        self.a, self.b = serve(named("a")), serve(named("b"))
        self.text = TEXT.format(port=self.port, a=self.a.address, b=self.b.address)
        proxy = start(self.text)
        assert isinstance(proxy, Fairlead)
        self.proxy = proxy

    def call(self, *words: str) -> tuple[int, str, str]:
        return call(self.proxy.control, *words)

    def status(self) -> dict[str, Any]:
        return status(self.proxy.control)

    def server(self, name: str) -> dict[str, Any]:
        (backend,) = self.status()["backends"]
        return next(each for each in backend["servers"] if each["name"] == name)

    def names(self, count: int) -> set[bytes]:
        found = set()
        for _ in range(count):
            with connect(self.port) as client:
                found.add(read_exactly(client, 1))
        return found


def call(control: Path, *words: str, within: float = 10.0) -> tuple[int, str, str]:
    return run([str(FAIRLEAD), *words, "--control", str(control)], within)


def status(control: Path) -> dict[str, Any]:
    code, out, errors = call(control, "status", "--json")
    assert code == 0, errors
    found = json.loads(out)
    assert isinstance(found, dict)
    return found
