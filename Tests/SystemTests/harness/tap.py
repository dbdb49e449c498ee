"""Every frame as it enters the bridge from a host, one at a time: what sniffers have in common."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

from .namespaces import Network

ETH_P_ALL, PACKET_OUTGOING = 0x0003, 4
SO_ATTACH_FILTER, SO_TIMESTAMPNS = 26, 35
SO_RCVBUFFORCE = 33

# (code, jump if true, jump if false, value): linux/filter.h. Offsets count from the MAC header.
Filter = Sequence[tuple[int, int, int, int]]
# When (seconds since the epoch, from the kernel), the bridge's port, the frame.
Take = Callable[[float, str, bytes], None]


class Tap:
    """A packet socket in the namespace of the bridge; `take` is called on a thread of its own for
    each frame that the filter lets through."""

    def __init__(
        self, network: Network, filter: Filter, take: Take, receive_bytes: int = 0
    ) -> None:
        self._take = take
        self._socket = network.switch.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)
        )
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
        code = b"".join(struct.pack("=HBBI", *step) for step in filter)
        buffer = ctypes.create_string_buffer(code)
        program = struct.pack("@HP", len(filter), ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.2)  # close() does not wake a reader of a packet socket
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closed:
            try:
                data, extra, _, origin = self._socket.recvmsg(4096, 64)
            except TimeoutError:
                continue
            except OSError:
                return
            if origin[2] == PACKET_OUTGOING or not origin[0].startswith("port"):
                continue
            stamp = next((d for _, k, d in extra if k == SO_TIMESTAMPNS), None)
            seconds, nanoseconds = struct.unpack("@ll", stamp) if stamp else (0, 0)
            when = seconds + nanoseconds / 1e9 if stamp else time.time()
            self._take(when, origin[0], data)

    def close(self) -> None:
        self._closed = True
        self._thread.join(2)
        self._socket.close()
