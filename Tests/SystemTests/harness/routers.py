"""Nodes that run a virtual router each: Fairlead or keepalived, with a generated keepalived.conf.

`FAILOVER_UNDER_TEST=keepalived` gives the role of Fairlead to keepalived as well, which proves
the tests; `KEEPALIVED` names its binary. `FAILOVER_CONVERTED=1` lets Fairlead run what `fairlead
convert` makes of each file, which has to behave the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import procfs
from .namespaces import Host
from .netlink import Address, Monitor, Netlink
from .process import ManagedProcess, run
from .proxies import FAIRLEAD

KEEPALIVED = Path(os.environ.get("KEEPALIVED", "/usr/sbin/keepalived"))
FAILOVER_UNDER_TEST = os.environ.get("FAILOVER_UNDER_TEST", "fairlead")
CONVERTED = bool(os.environ.get("FAILOVER_CONVERTED"))
READY_SECONDS = 10.0
NAME_PORT = 6443  # where every node says its name


@dataclass(frozen=True)
class Settings:
    """One `vrrp_instance` and what stands around it."""

    version: int = 2
    family: int = 4
    unicast: bool = False
    router_id: int = 51
    priority: int = 150
    interval: str = "1"
    state: str = "BACKUP"
    password: str = ""
    addresses: tuple[str, ...] = ("10.0.0.179/26",)
    lines: tuple[str, ...] = ()  # more of the instance
    globals: tuple[str, ...] = ()
    blocks: str = ""  # before the instance: scripts, track files …
    after: str = ""  # after it: sync groups …
    name: str = "VI_1"

    def with_(self, **changes: object) -> Settings:
        return replace(self, **changes)  # type: ignore[arg-type]

    def text(self, source: str = "", peers: Sequence[str] = ()) -> str:
        body = [
            *([f"state {self.state}"] if self.state else []),
            "interface eth0",
            f"virtual_router_id {self.router_id}",
            f"priority {self.priority}",
            f"advert_int {self.interval}",
            f"version {self.version}",
            *self.lines,
        ]
        if self.unicast:
            body += [f"unicast_src_ip {source}", block("unicast_peer", peers)]
        if self.password:
            secret = ["auth_type PASS", f"auth_pass {self.password}"]
            body.append(block("authentication", secret))
        body.append(block("virtual_ipaddress", self.addresses))
        head = block("global_defs", ["router_id node", "script_user root", *self.globals])
        return "\n".join([head, self.blocks, block(f"vrrp_instance {self.name}", body), self.after])


def block(name: str, lines: Sequence[str]) -> str:
    """A keepalived.conf block; lines may be blocks themselves."""
    inner = "\n".join("    " + line.replace("\n", "\n    ") for line in lines)
    return f"{name} {{\n{inner}\n}}"


class NameServer:
    """Says the node's name to whoever connects to any of its addresses."""

    def __init__(self, host: Host, name: str) -> None:
        self._listener = host.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._listener.bind(("::", NAME_PORT))
        self._listener.listen(512)
        self._name = name.encode()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.send(self._name)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@dataclass
class Node:
    """A host with a failover daemon on it; `role` is 'fairlead' or 'keepalived'."""

    host: Host
    role: str
    name: str
    serves_name: bool = True
    extra_files: tuple[Path, ...] = ()  # put before keepalived.conf on Fairlead's command line
    process: ManagedProcess | None = None
    started: list[ManagedProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kind = FAILOVER_UNDER_TEST if self.role == "fairlead" else self.role
        assert self.kind in ("fairlead", "keepalived"), self.kind
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-node-"))
        self.directory.chmod(0o755)
        self.file = self.directory / "keepalived.conf"
        self.netlink = Netlink(self.host)
        self.monitor = Monitor(self.host)
        self.server = NameServer(self.host, self.name) if self.serves_name else None
        self.mac = self.netlink.mac()

    # MARK: the daemon's life

    def command(self) -> list[str]:
        if self.kind == "fairlead":
            control = self.directory / "control.sock"
            files = [*map(str, self.extra_files), str(self.file)]
            if self.is_converted:
                files = ["--node", NODE_NAME, str(self.converted)]
            return [str(FAIRLEAD), "run", "--control", str(control), *files]
        pids = [f"{flag}{self.directory}/{name}.pid" for flag, name in PID_FILES]
        return [str(KEEPALIVED), "-n", "-l", "-D", "-G", "-f", str(self.file), *pids]

    @property
    def is_converted(self) -> bool:
        return CONVERTED and self.kind == "fairlead"

    @property
    def converted(self) -> Path:
        return self.directory / "fairlead.yaml"

    def write(self, text: str) -> None:
        self.file.write_text(text)
        if self.is_converted:
            words = ["convert", *map(str, self.extra_files), "--node", f"{NODE_NAME}:{self.file}"]
            code, out, errors = run([str(FAIRLEAD), *words])
            assert code == 0 and "needs a hand" not in errors, errors
            self.converted.write_text(out)

    def start(self, text: str | None = None) -> None:
        """Start with a configuration (or the last one) and wait until it takes part."""
        if text is not None:
            self.write(text)
        self.process = ManagedProcess([*self.host.prefix, *self.command()])
        self.started.append(self.process)
        self.wait_for_line("fairlead is ready" if self.kind == "fairlead" else "Startup complete")

    def request_stop(self) -> None:
        assert self.process is not None
        self.process.signal(signal.SIGTERM)

    def stop(self, within: float = 10.0) -> int:
        self.request_stop()
        assert self.process is not None
        return self.process.wait(within)

    def pids(self) -> list[int]:
        """The daemon and everything it started."""
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:
            found += procfs.children(pid)
        return found

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to all of it; parents first are stopped, so that nothing is started again."""
        self._signal_all(signal.SIGSTOP)
        doomed = self.pids()
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(5)
        for _, name in PID_FILES:  # keepalived takes a dead child that nobody reaped for alive
            (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def freeze(self) -> None:
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def reload(self, text: str | None = None, within: float = 10.0) -> bool:
        """SIGHUP with this file; true when the new configuration runs."""
        assert self.process is not None
        if text is not None:
            self.write(text)
        known = len(self.process.stderr.lines)
        self.process.signal(signal.SIGHUP)
        ends = ("reload done", "reload failed", "Reload complete")

        def find(lines: list[str]) -> str | None:
            return next((x for x in lines[known:] if any(word in x for word in ends)), None)

        found = self.process.stderr.wait_for(find, within, "the reload's end")
        return "failed" not in found

    # MARK: what it shows

    @property
    def lines(self) -> list[str]:
        """What the daemon of now has logged."""
        return self.process.stderr.lines if self.process is not None else []

    def lines_with(self, *words: str) -> list[str]:
        return [line for line in self.lines if all(word in line for word in words)]

    def wait_for_line(self, *words: str, within: float = READY_SECONDS) -> str:
        assert self.process is not None

        def find(lines: list[str]) -> str | None:
            return next((line for line in lines if all(word in line for word in words)), None)

        return self.process.stderr.wait_for(find, within, f"a line with {words}")

    def address(self, text: str) -> Address | None:
        return self.netlink.address(text.split("/")[0])

    def holds(self, addresses: Sequence[str]) -> bool:
        """All of them; `holds_none` is not its opposite."""
        mine = {each.text for each in self.netlink.addresses()}
        return all(bare(address) in mine for address in addresses)

    def holds_none(self, addresses: Sequence[str]) -> bool:
        mine = {each.text for each in self.netlink.addresses()}
        return not any(bare(address) in mine for address in addresses)

    def transcript(self) -> str:
        parts = [f"--- {self.name} ({self.kind}), {self.file}"]
        if self.file.exists():
            parts.append(self.file.read_text())
        parts += [process.transcript() for process in self.started]
        parts.append(self.host.ip("address", "show", "eth0"))
        return "\n".join(parts)

    def close(self) -> None:
        with contextlib.suppress(AssertionError, OSError, subprocess.SubprocessError):
            if self.process is not None and self.process.exit_code is None:
                self.kill()
        for process in self.started:
            process.kill()
        if self.server is not None:
            self.server.close()
        self.monitor.close()
        self.netlink.close()
        shutil.rmtree(self.directory, ignore_errors=True)


NODE_NAME = "node"
PID_FILES = (("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd"))


def bare(address: str) -> str:
    """`10.0.0.179/26 dev eth0` is the address 10.0.0.179."""
    return address.split()[0].split("/")[0]
