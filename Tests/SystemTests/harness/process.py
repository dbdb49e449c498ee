"""One child process: bounded, its output captured line by line, always killed.

Output is read by a thread per pipe, so a chatty child never blocks and a test can wait for a
line instead of sleeping.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TypeVar

Value = TypeVar("Value")

_living: set["ManagedProcess"] = set()


class Output:
    """The lines a child has written to one pipe so far."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self._stream = stream
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True, name=f"read-{name}")
        self._thread.start()

    def _read(self) -> None:
        try:
            for raw in self._stream:
                with self._changed:
                    self._lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    @property
    def lines(self) -> list[str]:
        with self._changed:
            return list(self._lines)

    def lines_after(self, count: int) -> list[str]:
        """Those after the first `count`."""
        with self._changed:
            return self._lines[count:]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, find: Callable[[list[str]], Value], within: float, what: str) -> Value:
        """Return the first true value of `find` over the lines; fail when none comes in time."""
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                found = find(list(self._lines))
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    reason = "the output ended" if self._ended else f"not within {within} s"
                    shown = "\n".join(self._lines[-40:])
                    raise AssertionError(f"{reason}: {what}; {self.name} holds:\n{shown}")
                self._changed.wait(left)

    def wait_for_text(self, text: str, within: float) -> str:
        """Return the first line that contains `text`."""

        def find(lines: list[str]) -> str | None:
            return next((line for line in lines if text in line), None)

        return self.wait_for(find, within, f"a line with {text!r}")

    def finish(self, within: float = 5.0) -> None:
        """Wait for the end of the pipe, so that `lines` is complete."""
        self._thread.join(within)


class ManagedProcess:
    """A child that never outlives the test run."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdout_descriptor: int | None = None,
    ) -> None:
        self.argv = list(argv)
        self._child = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout_descriptor is None else stdout_descriptor,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        _living.add(self)
        pipe = self._child.stdout
        self.stdout = Output(pipe, "stdout") if pipe is not None else None
        assert self._child.stderr is not None
        self.stderr = Output(self._child.stderr, "stderr")

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self, within: float) -> int:
        """Return the exit code; fail when the child is still there after `within` seconds."""
        try:
            code = self._child.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within} s: {self.argv}") from None
        for output in (self.stdout, self.stderr):
            if output is not None:
                output.finish()
        return code

    def kill(self) -> None:
        """Kill the child and whatever it started in its session; idempotent."""
        if self in _living:
            _living.discard(self)
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._child.wait(10)

    def transcript(self) -> str:
        """The command and the ends of its outputs, for a failure report."""
        parts = [f"$ {' '.join(self.argv)}  (exit {self.exit_code})"]
        for output in (self.stdout, self.stderr):
            if output is not None:
                parts += [f"--- {output.name}", *output.lines[-60:]]
        return "\n".join(parts)


def run(argv: Sequence[str], within: float = 10.0) -> tuple[int, str, str]:
    """Run a short command; return exit code, stdout, stderr."""
    process = ManagedProcess(argv)
    try:
        code = process.wait(within)
        assert process.stdout is not None
        return code, process.stdout.text, process.stderr.text
    finally:
        process.kill()


@atexit.register
def _kill_all() -> None:
    for process in list(_living):
        process.kill()
