"""What /proc tells about a process: descriptors by kind, listening sockets, CPU time, children."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

LISTEN_STATE = "0A"  # include/net/tcp_states.h: TCP_LISTEN = 10


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(word) for word in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descriptor_targets(pid: int) -> list[str]:
    targets = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
        except FileNotFoundError:
            continue  # closed between the listing and the look
    return targets


def descriptor_kinds(pid: int) -> Counter[str]:
    """Count open descriptors as `socket`, `pipe`, `anon` (epoll, timers, events) or `file`."""
    kinds: Counter[str] = Counter()
    for target in descriptor_targets(pid):
        head = target.split(":", 1)[0]
        kinds[{"socket": "socket", "pipe": "pipe", "anon_inode": "anon"}.get(head, "file")] += 1
    return kinds


def _inodes(pid: int, state: str) -> dict[str, str]:
    found = {}
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError, OSError):
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == state:
                found[f"socket:[{fields[9]}]"] = fields[1]
    return found


def listening(pid: int) -> set[tuple[str, str]]:
    """The listening sockets of a process as (inode, local address) pairs."""
    try:
        mine = set(descriptor_targets(pid))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()
    return {(inode, local) for inode, local in _inodes(pid, LISTEN_STATE).items() if inode in mine}


def cpu_seconds(pid: int) -> float:
    """User plus system time of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])  # utime, stime: fields 14 and 15 of proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")
