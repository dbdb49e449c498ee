"""Network namespaces joined by a bridge: hosts of a small cluster on one machine.

Needs root and says so by failing, never by skipping. Names carry the process id and a counter;
everything is removed at the end of the `with`, and by an exit handler if that was not reached.
"""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import subprocess
import threading
from collections.abc import Callable
from typing import Self, TypeVar

Value = TypeVar("Value")

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_counter = itertools.count(1)
_living: set["Network"] = set()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise AssertionError(
            f"`ip {' '.join(arguments)}` failed (root and iproute2 are needed): {done.stderr}"
        )


class Host:
    """One namespace with an address on the bridge."""

    def __init__(self, namespace: str, addresses: tuple[str, ...]) -> None:
        self.namespace = namespace
        self.addresses = addresses

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it runs on this host."""
        return ["ip", "netns", "exec", self.namespace]

    def call(self, function: Callable[[], Value], within: float = 30.0) -> Value:
        """Run a function on this host: in a thread that enters the namespace."""
        outcome: list[Value] = []
        problem: list[BaseException] = []

        def work() -> None:
            try:
                self._enter()
                outcome.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                problem.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(within)
        if problem:
            raise problem[0]
        if not outcome:
            raise AssertionError(f"not within {within} s on {self.namespace}")
        return outcome[0]

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
        descriptor = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)


class Network:
    """A bridge in a namespace of its own, and hosts attached to it."""

    def __init__(self) -> None:
        self._stem = f"fl{os.getpid() % 100000}x{next(_counter)}"
        self._switch = f"{self._stem}sw"
        self._hosts: list[Host] = []
        self._made: list[str] = []

    def __enter__(self) -> Self:
        _living.add(self)
        try:
            self._namespace(self._switch)
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def host(self, *addresses: str) -> Host:
        """A new host; addresses read `10.0.0.11/24`."""
        number = len(self._hosts)
        namespace, port = f"{self._stem}h{number}", f"port{number}"
        self._namespace(namespace)
        peer = ("peer", "name", port, "netns", self._switch)
        _ip("-n", namespace, "link", "add", "eth0", "type", "veth", *peer)
        for address in addresses:
            _ip("-n", namespace, "address", "add", address, "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
        host = Host(namespace, tuple(address.split("/")[0] for address in addresses))
        self._hosts.append(host)
        return host

    def close(self) -> None:
        _living.discard(self)
        for name in reversed(self._made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)
        self._made.clear()


@atexit.register
def _remove_all() -> None:
    for network in list(_living):
        network.close()
