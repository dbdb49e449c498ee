"""The proxy under test, behind one face: HAProxy (the reference) or Fairlead.

`PROXY_UNDER_TEST=haproxy` runs the suite against HAProxy itself, which proves the tests;
`FAIRLEAD` names the Fairlead binary when it is not the repository's release build.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from . import procfs
from .process import ManagedProcess, run
from .waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[3]
FAIRLEAD = Path(os.environ.get("FAIRLEAD", REPOSITORY / ".build/release/fairlead"))
HAPROXY = Path(os.environ.get("HAPROXY", "/usr/sbin/haproxy"))
READY_SECONDS = 10.0
RELOAD_SECONDS = 10.0


class Proxy(ABC):
    """A running proxy with its configuration file in a directory of its own.

    Use it as a context manager: on failure the configuration and the outputs are added to the
    exception, and the process is killed in any case.
    """

    kind: str

    def __init__(
        self,
        configuration: str,
        *,
        prefix: Sequence[str] = (),
        stdout_descriptor: int | None = None,
        master: bool = False,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-test-"))
        self.file = self.directory / "haproxy.cfg"
        self.file.write_text(configuration)
        self.prefix = list(prefix)
        self.master = master
        self._stdout_descriptor = stdout_descriptor
        self.process: ManagedProcess

    def __enter__(self) -> Self:
        self.process = ManagedProcess(
            [*self.prefix, *self.command()], stdout_descriptor=self._stdout_descriptor
        )
        try:
            self.wait_until_ready()
        except BaseException as error:
            self._explain(error)
            self.close()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._explain(error)
        self.close()

    def _explain(self, error: BaseException) -> None:
        error.add_note(f"--- {self.file}\n{self.file.read_text()}\n{self.process.transcript()}")

    def close(self) -> None:
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that runs `self.file` in the foreground."""

    @abstractmethod
    def wait_until_ready(self) -> None:
        """Return when every listener accepts."""

    @abstractmethod
    def reload(self, number: signal.Signals = signal.SIGHUP) -> bool:
        """Reload `self.file`; true when the new configuration runs, false when it was refused."""

    @classmethod
    def attempt(cls, configuration: str, within: float = 10.0) -> tuple[int, str]:
        """Run a configuration that must not start; return exit code and all output."""
        proxy = cls(configuration)
        try:
            code, out, errors = run([*proxy.prefix, *proxy.command()], within)
            return code, out + errors
        finally:
            shutil.rmtree(proxy.directory, ignore_errors=True)

    @property
    def stdout(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.lines

    @property
    def serving_pid(self) -> int:
        """The process that holds the sessions."""
        return self.process.pid

    def wait_for_lines(self, count: int, holding: str, within: float) -> list[str]:
        """The stdout lines that contain `holding`, once there are at least `count`."""
        assert self.process.stdout is not None

        def find(lines: list[str]) -> list[str] | None:
            matching = [line for line in lines if holding in line]
            return matching if len(matching) >= count else None

        if count == 0:
            return [line for line in self.stdout if holding in line]
        what = f"{count} lines with {holding!r}"
        return self.process.stdout.wait_for(find, within, what)

    def stop(self, within: float = 10.0) -> int:
        """Stop at once (SIGTERM); return the exit code."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(within)

    @classmethod
    @abstractmethod
    def check(cls, file: Path) -> tuple[int, str]:
        """Check a configuration file: exit code, diagnostics."""


class Haproxy(Proxy):
    kind = "haproxy"

    def command(self) -> list[str]:
        return [str(HAPROXY), *(["-W"] if self.master else []), "-db", "-f", str(self.file)]

    def _listening(self) -> set[tuple[str, str]]:
        pids = [self.process.pid, *procfs.children(self.process.pid)]
        return set().union(*(procfs.listening(pid) for pid in pids))

    def wait_until_ready(self) -> None:
        """Listening sockets are there and no more come: HAProxy binds all of them in one go."""
        seen: set[tuple[str, str]] = set()

        def look() -> bool:
            nonlocal seen
            if self.process.exit_code is not None:
                raise AssertionError(f"{self.kind} ended: exit code {self.process.exit_code}")
            before, seen = seen, self._listening()
            return bool(seen) and seen == before

        eventually(look, READY_SECONDS, "haproxy listens")
        if self.master:
            self.process.stderr.wait_for_text("Loading success", READY_SECONDS)

    @property
    def serving_pid(self) -> int:
        workers = procfs.children(self.process.pid) if self.master else []
        return workers[-1] if workers else self.process.pid

    def reload(self, number: signal.Signals = signal.SIGHUP) -> bool:
        """Signal until the master answers: it misses one that comes while it executes itself."""
        assert self.master, "only a HAProxy master reloads"
        known = len(self.process.stderr.lines)

        def reloading() -> bool:
            self.process.signal(number)
            try:
                self.process.stderr.wait_for(
                    lambda lines: any("Reloading" in x for x in lines[known:]), 1.0, "an answer"
                )
            except AssertionError:
                return False
            return True

        def find(lines: list[str]) -> str | None:
            return next((text for text in lines[known:] if "Loading " in text), None)

        eventually(reloading, RELOAD_SECONDS, "the master answers the signal")
        return "success" in self.process.stderr.wait_for(find, RELOAD_SECONDS, "the reload's end")

    @classmethod
    def check(cls, file: Path) -> tuple[int, str]:
        code, out, errors = run([str(HAPROXY), "-c", "-f", str(file)])
        return code, out + errors


class Fairlead(Proxy):
    kind = "fairlead"

    def command(self) -> list[str]:
        return [str(FAIRLEAD), "run", "--control", str(self.control), str(self.file)]

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"

    def wait_until_ready(self) -> None:
        self.process.stderr.wait_for_text("fairlead is ready", READY_SECONDS)

    def reload(self, number: signal.Signals = signal.SIGHUP) -> bool:
        known = len(self.process.stderr.lines)
        self.process.signal(number)

        def find(lines: list[str]) -> str | None:
            words = ("reload done", "reload failed")
            return next((x for x in lines[known:] if any(word in x for word in words)), None)

        return "reload done" in self.process.stderr.wait_for(find, RELOAD_SECONDS, "reload's end")

    @classmethod
    def check(cls, file: Path) -> tuple[int, str]:
        code, out, errors = run([str(FAIRLEAD), "check", str(file)])
        return code, out + errors


KINDS: dict[str, type[Proxy]] = {"haproxy": Haproxy, "fairlead": Fairlead}
UNDER_TEST: type[Proxy] = KINDS[os.environ.get("PROXY_UNDER_TEST", "fairlead")]


def cpu_share(pid: int, seconds: float) -> float:
    """The share of one core a process uses over an interval."""
    before, start = procfs.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)  # the interval is what is measured
    return (procfs.cpu_seconds(pid) - before) / (time.monotonic() - start)
