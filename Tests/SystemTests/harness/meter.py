"""What a client of the endpoint notices: gaps between answers, failed requests, broken watches."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .endpoint_client import PATIENCE_SECONDS
from .namespaces import Host
from .process import ManagedProcess
from .waiting import eventually

SCRIPT = Path(__file__).with_name("endpoint_client.py")
EVENT_SECONDS = 1.5  # API servers tell a watch something every second
# Failed requests belong to the same disturbance when they began less than this apart.
SAME_DISTURBANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    started: float
    ended: float
    outcome: str
    server: str

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True)
class WatchChange:
    number: int
    when: float
    heard: float  # when something came last
    is_up: bool
    word: str  # the server, or the reason


@dataclass(frozen=True)
class Break:
    """A watch lost its connection `after` seconds, and had another one after `outage` more.

    For a `silent` one, whose end nobody told, the outage begins with the last thing heard."""

    after: float
    outage: float
    reason: str

    @property
    def hung(self) -> bool:
        return self.reason == "silent"


@dataclass(frozen=True)
class Seen:
    """What a client saw from one instant to another, both in seconds of the monotonic clock."""

    since: float
    until: float
    answered: float  # the last answer before
    requests: tuple[Request, ...]  # those that ended in between
    changes: tuple[WatchChange, ...]
    watches: int  # how many there are

    @property
    def longest_gap(self) -> float:
        """The longest time without an answer, in seconds."""
        answers = sorted(each.ended for each in self.requests if each.ok)
        times = [self.answered, *answers, max([self.until, *answers])]
        return max(b - a for a, b in zip(times, times[1:], strict=False))

    @property
    def failed(self) -> list[Request]:
        return [each for each in self.requests if not each.ok]

    @property
    def failures(self) -> Counter[str]:
        """Failed requests by outcome."""
        return Counter(each.outcome for each in self.failed)

    @property
    def longest_disturbance(self) -> float:
        """How long requests that were to fail began, at most, without half a second of peace."""
        longest, first, last = 0.0, None, 0.0
        for started in sorted(each.started for each in self.failed):
            if first is None or started - last > SAME_DISTURBANCE_SECONDS:
                first = started
            last = started
            longest = max(longest, last - first)
        return longest

    @property
    def failing_for(self) -> float:
        """From the beginning until the last request began that was to fail, in seconds."""
        return max((each.started - self.since for each in self.failed), default=0.0)

    @property
    def breaks(self) -> list[Break]:
        found = []
        for number in range(self.watches):
            own = [each for each in self.changes if each.number == number]
            for index, change in enumerate(own):
                if not change.is_up:
                    back = own[index + 1].when if index + 1 < len(own) else float("inf")
                    dead = change.heard if change.word == "silent" else change.when
                    found.append(Break(dead - self.since, back - dead, change.word))
        return found


class Meter:
    """The client, running on a host for as long as the `with` lasts."""

    def __init__(
        self, host: Host, target: str, ca: Path, *, streams: int = 0, every: float = 0.020
    ) -> None:
        self._argv = [
            *host.prefix, sys.executable, str(SCRIPT), target,
            *("--ca", str(ca), "--every", str(every), "--streams", str(streams)),
        ]  # fmt: skip
        self.streams = streams
        self.every = every
        self.requests: list[Request] = []
        self.changes: list[WatchChange] = []
        self._heard: dict[int, float] = {}
        self._read = 0

    def __enter__(self) -> Self:
        self._process = ManagedProcess(self._argv)
        return self

    def __exit__(self, *details: object) -> None:
        self._process.signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        finally:
            self._process.kill()

    def refresh(self) -> None:
        """Take in what the client has said since."""
        assert self._process.stdout is not None
        lines = self._process.stdout.lines_after(self._read)
        self._read += len(lines)
        for line in lines:
            kind, *words = line.split()
            if kind == "r":
                started, ended, outcome, server = words
                self.requests.append(Request(float(started), float(ended), outcome, server))
            else:
                number, when, heard, change, word = words
                self._heard[int(number)] = float(heard)
                if change != "event":
                    self.changes.append(
                        WatchChange(int(number), float(when), float(heard), change == "up", word)
                    )
        if not lines and self._process.exit_code is not None:
            raise AssertionError(f"the client ended:\n{self._process.transcript()}")

    def transcript(self) -> str:
        self.refresh()
        failed = [each for each in self.requests if not each.ok][-40:]
        lines = [f"{len(self.requests)} requests, the last failed ones and changes of watches:"]
        lines += [f"  {x.started:.3f} {x.ended:.3f} {x.outcome} {x.server}" for x in failed]
        lines += [f"  {x.when:.3f} {x.number} {x.is_up} {x.word}" for x in self.changes[-40:]]
        return "\n".join(lines + self._process.stderr.lines[-20:])

    # MARK: waiting

    def wait_for_answers(
        self, count: int, within: float, since: float | None = None, server: str | None = None
    ) -> None:
        """That many requests that began from now on (or `since`) were answered."""
        start = time.monotonic() if since is None else since

        def answered() -> bool:
            self.refresh()
            found = [
                each
                for each in reversed(self.requests)
                if each.ok and each.started >= start and server in (None, each.server)
            ]
            return len(found) >= count

        what = f"{count} answers" + (f" of {server}" if server else "")
        try:
            eventually(answered, within, what)
        except AssertionError as error:
            error.add_note(self.transcript())
            raise

    def wait_for_peace(self, seconds: float, within: float, since: float | None = None) -> None:
        """No request failed that began in the last `seconds`, and some were answered."""
        start = time.monotonic() if since is None else since

        def is_peaceful() -> bool:
            self.refresh()
            ended = time.monotonic() - PATIENCE_SECONDS  # what began before is decided
            if ended < start + seconds:
                return False
            recent = [x for x in self.requests if x.started >= ended - seconds]
            return bool(recent) and all(each.ok for each in recent)

        try:
            eventually(is_peaceful, within, f"{seconds} s without a failed request")
        except AssertionError as error:
            error.add_note(self.transcript())
            raise

    def wait_for_streams(self, within: float) -> None:
        """Every watch is established and has told something a moment ago."""
        eventually(self._all_alive, within, f"all {self.streams} watches are alive")

    def _all_alive(self) -> bool:
        self.refresh()
        latest = {each.number: each.is_up for each in self.changes}
        fresh = time.monotonic() - EVENT_SECONDS
        heard = [each for each in self._heard.values() if each > fresh]
        return len(heard) == len(latest) == self.streams and all(latest.values())

    def seen(self, since: float, until: float | None = None) -> Seen:
        """What happened from `since` until now; waits for what is under way."""
        end = time.monotonic() if until is None else until
        time.sleep(max(0.0, end + PATIENCE_SECONDS + 0.1 - time.monotonic()))
        self.refresh()
        answered = max((x.ended for x in self.requests if x.ok and x.ended < since), default=since)
        requests = tuple(x for x in self.requests if since <= x.ended and x.started <= end)
        changes = tuple(x for x in self.changes if since <= x.when <= end)
        return Seen(since, end, answered, requests, changes, self.streams)
