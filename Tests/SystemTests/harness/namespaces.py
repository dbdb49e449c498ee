"""Network namespaces joined by a bridge: hosts of a small cluster on one machine.

Needs root and says so by failing, never by skipping. Names carry the process id and a counter;
everything is removed at the end of the `with`, and by an exit handler if that was not reached.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Self, TypeVar

Value = TypeVar("Value")

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_counter = itertools.count(1)
_living: set["Network"] = set()


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise AssertionError(
            f"`ip {' '.join(arguments)}` failed (root and iproute2 are needed): {done.stderr}"
        )
    return done.stdout


def _kill_all_in(namespace: str) -> None:
    """A daemon's scripts may outlive it, and would keep the namespace without its name."""
    listing = subprocess.run(
        ["ip", "netns", "pids", namespace], capture_output=True, text=True, timeout=20
    )
    for pid in listing.stdout.split():
        if int(pid) != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


class Host:
    """One namespace with an address on the bridge."""

    def __init__(self, namespace: str, given: tuple[str, ...], port: str = "") -> None:
        self.namespace = namespace
        self.given = given  # with their prefix lengths
        self.addresses = tuple(address.split("/")[0] for address in given)
        self.port = port  # its end on the bridge

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
                self.enter()
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

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this host; it may be used from any thread."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def ip(self, *arguments: str) -> str:
        """Run `ip` on this host; return its output."""
        return _ip("-n", self.namespace, *arguments)

    def set_kernel(self, setting: str, value: str) -> None:
        """Write below /proc/sys/net, which shows the settings of the namespace that looks."""

        def write() -> None:
            with open(f"/proc/sys/net/{setting}", "w") as file:
                file.write(value)

        self.call(write)

    def take_link_down(self) -> None:
        self.ip("link", "set", "eth0", "down")

    def take_link_up(self) -> None:
        """Up again; IPv6 addresses that the kernel dropped with the link come back."""
        self.ip("link", "set", "eth0", "up")
        for address in self.given:
            if ":" in address:
                self.ip("address", "replace", address, "dev", "eth0")

    def enter(self) -> None:
        """Move the calling thread onto this host, for good."""
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
            quiet = ("mcast_snooping", "0")  # no waiting for who listens to a group
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge", *quiet)
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

    @property
    def switch(self) -> Host:
        """The namespace of the bridge, where everything passes."""
        return Host(self._switch, ())

    def host(self, *addresses: str, detects_duplicates: bool = False) -> Host:
        """A new host; addresses read `10.0.0.11/24`.

        IPv6 addresses, the link-local one included, are usable at once unless it
        `detects_duplicates`, which takes the kernel a second or two for each.
        """
        number = len(self._hosts)
        namespace, port = f"{self._stem}h{number}", f"port{number}"
        self._namespace(namespace)
        host = Host(namespace, addresses, port)
        if not detects_duplicates:
            for scope in ("all", "default"):
                host.set_kernel(f"ipv6/conf/{scope}/accept_dad", "0")
                host.set_kernel(f"ipv6/conf/{scope}/dad_transmits", "0")
        peer = ("peer", "name", port, "netns", self._switch)
        _ip("-n", namespace, "link", "add", "eth0", "type", "veth", *peer)
        for address in addresses:
            _ip("-n", namespace, "address", "add", address, "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
        self._hosts.append(host)
        return host

    def isolate(self, host: Host) -> None:
        """Take a host off the bridge; its own link stays up and it notices nothing."""
        _ip("-n", self._switch, "link", "set", host.port, "nomaster")

    def join(self, host: Host) -> None:
        _ip("-n", self._switch, "link", "set", host.port, "master", "bridge", "up")

    def pull_cable(self, host: Host) -> None:
        """Take the bridge's end down: the host loses its carrier."""
        _ip("-n", self._switch, "link", "set", host.port, "down")

    def plug_cable(self, host: Host) -> None:
        _ip("-n", self._switch, "link", "set", host.port, "up")

    def close(self) -> None:
        _living.discard(self)
        for name in reversed(self._made):
            _kill_all_in(name)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)
        self._made.clear()


@atexit.register
def _remove_all() -> None:
    for network in list(_living):
        network.close()
