"""Nodes that hold the virtual address and balance: Fairlead, or haproxy and keepalived.

Every program has a private /run, as on a machine of its own, so that each is started with its
configuration file and no other argument.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from . import procfs
from .namespaces import Host
from .netlink import Netlink
from .process import ManagedProcess, run
from .proxies import FAIRLEAD, HAPROXY
from .routers import KEEPALIVED
from .waiting import eventually

READY_SECONDS = 15.0
STOP_SECONDS = 20.0
OWN_RUN = ["sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]


class Balancer(ABC):
    kind: str

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.netlink = Netlink(host)
        self.directory = Path(tempfile.mkdtemp(prefix=f"fairlead-{name}-"))
        self.directory.chmod(0o755)
        self.started: list[ManagedProcess] = []

    def _launch(self, *command: str) -> ManagedProcess:
        process = ManagedProcess([*self.host.prefix, *OWN_RUN, *command])
        self.started.append(process)
        return process

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until it serves and takes part in the election."""

    @abstractmethod
    def stop(self) -> None:
        """Stop as an operator does, and wait for the end."""

    def kill(self) -> None:
        """SIGKILL to everything."""
        for process in self.started:
            process.kill()

    def holds(self, address: str) -> bool:
        return self.netlink.address(address) is not None

    @abstractmethod
    def proxy(self) -> ManagedProcess:
        """The process that says of servers whether they are up."""

    def uses(self, server: str) -> bool:
        """What it said last of a server; it starts with all of them."""
        said = [x for x in self.proxy().stderr.lines if f"/{server} is " in x]
        return not said or f"/{server} is UP" in said[-1]

    def transcript(self) -> str:
        parts = [f"--- {self.name} ({self.kind})"]
        parts += [process.transcript() for process in self.started]
        with contextlib.suppress(AssertionError):
            parts.append(self.host.ip("address", "show", "eth0"))
        return "\n".join(parts)

    def close(self) -> None:
        for process in self.started:
            with contextlib.suppress(OSError):
                process.kill()
        self.netlink.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class FairleadBalancer(Balancer):
    kind = "fairlead"

    def __init__(self, host: Host, name: str, file: Path) -> None:
        super().__init__(host, name)
        self.file = file

    @property
    def process(self) -> ManagedProcess:
        return self.started[-1]

    def proxy(self) -> ManagedProcess:
        return self.process

    def start(self) -> None:
        self._launch(str(FAIRLEAD), "run", str(self.file))
        self.process.stderr.wait_for_text("fairlead is ready", READY_SECONDS)

    def stop(self) -> None:
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        assert code == 0, f"exit status {code}"

    def command(self, *words: str) -> list[str]:
        """The command line that runs `fairlead WORDS…` on this node, beside its daemon."""
        inside = ["nsenter", "--mount", "--net", "--target", str(self.process.pid)]
        return [*inside, str(FAIRLEAD), *words]

    def operate(self, *words: str, within: float = 20.0) -> tuple[int, str, str]:
        """An operator's command on this node: exit status, output, errors."""
        return run(self.command(*words), within)


class ReferenceBalancer(Balancer):
    """haproxy and keepalived as kubeadm's guide to high availability sets them up."""

    kind = "haproxy + keepalived"

    def __init__(
        self, host: Host, name: str, haproxy: str, keepalived: str, check: str
    ) -> None:
        super().__init__(host, name)
        script = self.directory / "check_apiserver.sh"
        script.write_text(check)
        script.chmod(0o755)
        self.haproxy_file = self.directory / "haproxy.cfg"
        self.haproxy_file.write_text(haproxy)
        self.keepalived_file = self.directory / "keepalived.conf"
        self.keepalived_file.write_text(keepalived.format(script=script))
        self.haproxy: ManagedProcess
        self.keepalived: ManagedProcess

    def proxy(self) -> ManagedProcess:
        return self.haproxy

    def start(self) -> None:
        self.haproxy = self._launch(str(HAPROXY), "-db", "-f", str(self.haproxy_file))
        eventually(
            lambda: procfs.listening(self.haproxy.pid), READY_SECONDS, "haproxy listens"
        )
        self.start_keepalived()

    def start_keepalived(self) -> None:
        file = str(self.keepalived_file)
        self.keepalived = self._launch(str(KEEPALIVED), "-n", "-l", "-D", "-f", file)
        self.keepalived.stderr.wait_for_text("Startup complete", READY_SECONDS)

    def stop_keepalived(self) -> None:
        self.keepalived.signal(signal.SIGTERM)
        self.keepalived.wait(STOP_SECONDS)

    def stop(self) -> None:
        """The address first, so that nobody is sent to a proxy that is gone."""
        self.stop_keepalived()
        self.haproxy.signal(signal.SIGTERM)
        self.haproxy.wait(STOP_SECONDS)
