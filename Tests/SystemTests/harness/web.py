"""A daemon with its dashboard, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any, Self

from .ports import free_port
from .process import ManagedProcess, run
from .proxies import FAIRLEAD

READY_SECONDS = 15.0
TOKEN = "a-token-that-is-long-enough"


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Served:
    """`fairlead run` with a native file; `http` is what stands behind that key."""

    def __init__(
        self, servers: list[str], http: str | None = "{listen: 127.0.0.1:%d}", *words: str
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-test-"))
        self.file = self.directory / "fairlead.yaml"
        self.control = self.directory / "control"
        self.frontend, self.port = free_port(), free_port()
        self.servers = servers
        self.words = words
        self.context: ssl.SSLContext | None = None
        self.write(http)

    def write(self, http: str | None) -> None:
        text = f"frontends: [{{name: edge, listen: '127.0.0.1:{self.frontend}'}}]\nservers:\n"
        for index, address in enumerate(self.servers):
            text += f"  - {{name: {'abcdef'[index]}, address: '{address}'}}\n"
        text += "check: {type: tcp, interval: 200ms}\nprocess: {threads: 2}\n"
        text += "logging: {sessions: none}\n"
        if http is not None:
            text += f"http: {http.replace('%d', str(self.port))}\n"
        self.file.write_text(text)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"{self.file.read_text()}\n{self.process.transcript()}")
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        self.process = ManagedProcess(
            [str(FAIRLEAD), "run", "--control", str(self.control), *self.words, str(self.file)]
        )
        self.process.stderr.wait_for_text("fairlead is ready", READY_SECONDS)

    def command(self, *words: str) -> tuple[int, str, str]:
        first, *rest = words
        return run([str(FAIRLEAD), first, "--control", str(self.control), *rest])

    def connect(self, port: int | None = None) -> http.client.HTTPConnection:
        if self.context:
            return http.client.HTTPSConnection(
                "127.0.0.1", port or self.port, timeout=10, context=self.context
            )
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)

    def ask(
        self, path: str, method: str = "GET", port: int | None = None, **headers: str
    ) -> Answer:
        """Header names with `_` for `-`."""
        client = self.connect(port)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            client.request(method, path, headers=named)
            return Answer(client.getresponse())
        finally:
            client.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


class Events:
    """A page's event stream."""

    def __init__(self, port: int, last: str | None = None, receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        more = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(
            f"GET /events HTTP/1.1\r\nHost: localhost:{port}\r\n{more}\r\n".encode()
        )
        self.file = self.socket.makefile("rb")

    def status(self) -> int:
        code = int(self.file.readline().split()[1])
        while self.file.readline() not in (b"\r\n", b""):
            pass
        return code

    def next(self) -> tuple[str, Any, str | None]:
        """The next message: its name, its value, its number. Chunk sizes are stepped over."""
        name, data, number = "", None, None
        while True:
            line = self.file.readline().decode()
            assert line, "the stream ended"
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("id: "):
                number = line[4:].strip()
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif line == "\n" and data is not None:
                return name, data, number

    def until(self, name: str) -> tuple[Any, str | None]:
        while True:
            found, value, number = self.next()
            if found == name:
                return value, number

    def close(self) -> None:
        self.file.close()
        self.socket.close()
