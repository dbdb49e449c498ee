"""API servers on hosts of their own: `fairlead stand-in`, which leaves, dies and hangs on demand."""

from __future__ import annotations

import signal
from pathlib import Path

from .namespaces import Host
from .process import ManagedProcess
from .proxies import FAIRLEAD

READY_SECONDS = 10.0
PORT = 6443


class Master:
    def __init__(
        self, host: Host, name: str, authority: Path, virtual: str, shutdown_delay_s: int = 0
    ) -> None:
        self.host = host
        self.name = name
        self._authority = authority
        self._virtual = virtual
        self._shutdown_delay_s = shutdown_delay_s
        self._hangs = False
        self.started: list[ManagedProcess] = []

    @property
    def address(self) -> str:
        return f"{self.host.addresses[0]}:{PORT}"

    @property
    def process(self) -> ManagedProcess:
        return self.started[-1]

    def start(self) -> None:
        argv = [
            *self.host.prefix, str(FAIRLEAD), "stand-in", "--listen", self.address,
            *("--name", self.name, "--san", self._virtual),
            *("--authority", str(self._authority), "--shutdown-delay"),
            f"{self._shutdown_delay_s}s",
        ]  # fmt: skip
        self._hangs = False
        self.started.append(ManagedProcess(argv))
        self._wait_for_word("serves")

    def _wait_for_word(self, word: str) -> None:
        assert self.process.stdout is not None
        self.process.stdout.wait_for_text(word, READY_SECONDS)

    def request_stop(self) -> None:
        """As systemd or the kubelet stop an API server; `wait` says when it is gone."""
        self.process.signal(signal.SIGTERM)

    def wait(self, within: float) -> int:
        return self.process.wait(within)

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        self.process.wait(5)

    def hang(self) -> None:
        """Its port stays open and nothing is answered."""
        assert not self._hangs
        self.process.signal(signal.SIGUSR1)
        self._wait_for_word("hangs")
        self._hangs = True

    def run_again(self) -> None:
        assert self._hangs
        self.process.signal(signal.SIGUSR1)
        self._wait_for_word("runs again")
        self._hangs = False

    def transcript(self) -> str:
        return "\n".join(each.transcript() for each in self.started)

    def close(self) -> None:
        for process in self.started:
            process.kill()
