"""Places log records go to: a UDP syslog server, a unix datagram socket like /dev/log."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

from .ports import free_port
from .waiting import eventually

# RFC 3164 without a host name, which is how a local daemon writes: <PRI>Mmm dd HH:MM:SS tag[pid]: x
LOCAL_FRAME = re.compile(
    r"<(?P<priority>\d+)>(?P<date>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) "
    r"(?P<tag>[^ \[]+)\[(?P<pid>\d+)\]: (?P<message>.*)",
    re.DOTALL,
)


class DatagramSink:
    """Keeps every datagram it receives, as text."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._records: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                record = self._socket.recv(65536)
            except OSError:
                return
            if not record:
                return
            self._records.append(record.decode("utf-8", "replace"))

    @property
    def records(self) -> list[str]:
        return list(self._records)

    def wait_for(self, text: str, within: float = 5.0) -> str:
        def look() -> str | None:
            return next((record for record in self.records if text in record), None)

        return eventually(look, within, f"a log record with {text!r} among {self._records}")

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


class UDPSink(DatagramSink):
    def __init__(self, host: str = "127.0.0.1") -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((host, free_port()))
        self.address = f"{host}:{bound.getsockname()[1]}"
        super().__init__(bound)


class UnixSink(DatagramSink):
    """A stand-in for /dev/log at a path of the test's own."""

    def __init__(self, path: Path) -> None:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bound.bind(str(path))
        self.path = path
        super().__init__(bound)
