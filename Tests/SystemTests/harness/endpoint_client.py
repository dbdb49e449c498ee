"""A client of an API endpoint, for a process of its own: asks all the time and notes what happens.

    python3 endpoint_client.py ADDRESS:PORT --ca ca.crt [--every 0.02] [--streams 20]

A new TLS connection with one request every 20 ms, the certificate verified; attempts overlap, so
that one that hangs does not delay the next. Beside them a number of watches, each of which
connects again at once when its connection ends. One line on standard output for each outcome:

    r STARTED ENDED OUTCOME SERVER      a request; OUTCOME is ok, refused, reset, closed, timeout,
                                        unreachable, tls or status-NNN
    s NUMBER WHEN HEARD up SERVER       a watch has got its first event
    s NUMBER WHEN HEARD event -         … another event
    s NUMBER WHEN HEARD down REASON     … or has lost its connection; `silent`: nothing came for
                                        long; HEARD is when something came last

Times are seconds of CLOCK_MONOTONIC, which all processes of a machine share. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import ssl
import sys
import time

# A lost SYN is repeated by the kernel after 1 s: what is answered later is another attempt's.
PATIENCE_SECONDS = 0.9
# A watch says something every second. A client that notices silence at all does so later.
SILENCE_SECONDS = 6.0
# A watch dials as programs do: one connection, whose SYN the kernel repeats.
DIAL_SECONDS = 5.0
RETRY_SECONDS = 0.010
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Failed(Exception):
    """The connection's outcome, in a word."""


class Connection:
    """Connects, shakes hands and sends one request; the subclass reads the answer."""

    def __init__(self, asker: Asker, path: str, patience: float) -> None:
        self.asker = asker
        self.started = time.monotonic()
        self.deadline = self.started + patience
        self.socket: socket.socket | ssl.SSLSocket | None = None
        self.secured = False
        self.sent = False
        self.received = b""
        host = f"{asker.host}:{asker.port}"
        self.request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{self.headers}\r\n".encode()
        try:
            raw = socket.socket(asker.family, socket.SOCK_STREAM)
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = raw
            raw.connect_ex((asker.host, asker.port))
            asker.selector.register(raw, WRITE, self)
        except OSError as error:
            self.end(word(error))

    headers = ""

    def on_ready(self) -> None:
        assert self.socket is not None
        try:
            if not isinstance(self.socket, ssl.SSLSocket):
                self.secure()
            if not self.secured:
                self.socket.do_handshake()
                self.secured = True
            if not self.sent:
                self.socket.send(self.request)
                self.sent = True
            self.wait_for(READ)
            while True:
                data = self.socket.recv(65536)
                if not data:
                    raise Failed("closed")
                self.received += data
                self.on_data()
                if self.socket is None:
                    return
        except ssl.SSLWantReadError:
            self.wait_for(READ)
        except ssl.SSLWantWriteError:
            self.wait_for(WRITE)
        except Failed as failure:
            self.end(str(failure))
        except OSError as error:
            self.end(word(error))

    def secure(self) -> None:
        raw = self.socket
        assert raw is not None
        problem = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))
        self.asker.selector.unregister(raw)
        self.socket = None
        try:
            wrapped = self.asker.context.wrap_socket(
                raw, server_hostname=self.asker.host, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        self.socket = wrapped
        self.asker.selector.register(wrapped, READ, self)

    def wait_for(self, events: int) -> None:
        if self.socket is not None:
            self.asker.selector.modify(self.socket, events, self)

    def head(self) -> tuple[int, str, int, bytes] | None:
        """Status, server and length of the body; what of the body is there."""
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        first, *rest = head.decode("latin-1").split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in rest)}
        try:
            return int(first.split()[1]), fields.get("x-served-by", "-"), int(
                fields.get("content-length", -1)), body
        except (IndexError, ValueError):
            raise Failed("nonsense") from None

    def on_data(self) -> None:
        raise NotImplementedError

    def end(self, outcome: str, server: str = "-") -> None:
        if self.socket is not None:
            try:
                self.asker.selector.unregister(self.socket)
            except KeyError:
                pass
            self.socket.close()
            self.socket = None
        self.asker.live.pop(self, None)
        self.ended(outcome, server)

    def ended(self, outcome: str, server: str) -> None:
        raise NotImplementedError

    def on_late(self) -> None:
        self.end("timeout")


class Request(Connection):
    headers = "Connection: close\r\n"

    def on_data(self) -> None:
        found = self.head()
        if found is None:
            return
        status, server, length, body = found
        if len(body) >= length:
            self.end("ok" if status == 200 else f"status-{status}", server)

    def ended(self, outcome: str, server: str) -> None:
        self.asker.say(f"r {self.started:.6f} {time.monotonic():.6f} {outcome} {server}")


class Watch(Connection):
    def __init__(self, asker: Asker, number: int) -> None:
        self.number = number
        self.heard: float | None = None
        super().__init__(asker, "/api/v1/namespaces?watch=true", DIAL_SECONDS)

    def on_data(self) -> None:
        now = time.monotonic()
        if self.heard is None:
            found = self.head()
            if found is None or not found[3]:
                return
            if found[0] != 200:
                raise Failed(f"status-{found[0]}")
            self.asker.say(f"s {self.number} {now:.6f} {now:.6f} up {found[1]}")
        else:
            self.asker.say(f"s {self.number} {now:.6f} {now:.6f} event -")
        self.heard = now
        self.deadline = now + SILENCE_SECONDS
        self.received = b""

    def ended(self, outcome: str, server: str) -> None:
        now = time.monotonic()
        if self.heard is not None:
            self.asker.say(f"s {self.number} {now:.6f} {self.heard:.6f} down {outcome}")
            self.asker.dial(self.number, now)
        else:
            self.asker.dial(self.number, now + RETRY_SECONDS)

    def on_late(self) -> None:
        self.end("timeout" if self.heard is None else "silent")


class Asker:
    def __init__(self, host: str, port: int, ca: str, every: float, streams: int) -> None:
        self.host, self.port, self.every = host, port, every
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.context = ssl.create_default_context(cafile=ca)
        self.selector = selectors.DefaultSelector()
        self.live: dict[Connection, None] = {}
        self.dials = [(time.monotonic(), number) for number in range(streams)]
        self.stopped = False

    def say(self, line: str) -> None:
        data = f"{line}\n".encode()
        while data:
            data = data[os.write(1, data) :]

    def dial(self, number: int, when: float) -> None:
        if not self.stopped:
            self.dials.append((when, number))

    def begin(self, connection: Connection) -> None:
        if connection.socket is not None:
            self.live[connection] = None

    def start_what_is_due(self, now: float) -> None:
        due = [number for when, number in self.dials if when <= now]
        self.dials = [each for each in self.dials if each[0] > now]
        for number in due:
            self.begin(Watch(self, number))

    def run(self) -> None:
        due = time.monotonic()
        while not self.stopped:
            now = time.monotonic()
            self.start_what_is_due(now)
            if now >= due:
                self.begin(Request(self, "/version", PATIENCE_SECONDS))
                due = max(due + self.every, now)
            wake = min([due, *(when for when, _ in self.dials)])
            for key, _ in self.selector.select(max(0.0, wake - time.monotonic())):
                key.data.on_ready()
            now = time.monotonic()
            for connection in [each for each in self.live if each.deadline <= now]:
                connection.on_late()


def word(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "unreachable"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--every", type=float, default=0.020)
    parser.add_argument("--streams", type=int, default=0)
    chosen = parser.parse_args()
    host, _, port = chosen.target.rpartition(":")
    asker = Asker(host.strip("[]"), int(port), chosen.ca, chosen.every, chosen.streams)

    def stop(number: int, frame: object) -> None:
        asker.stopped = True

    signal.signal(signal.SIGTERM, stop)
    try:
        asker.run()
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
