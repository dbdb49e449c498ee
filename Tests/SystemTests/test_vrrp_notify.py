"""What is told to the outside: notify scripts and FIFOs, with keepalived's words and order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.routers import Node, Settings, block
from harness.waiting import eventually

Make = Callable[..., Cluster]

FAST = Settings(version=3, interval="0.1", priority=150)
ROLES = ["fairlead", "keepalived"]

pytestmark = pytest.mark.limit(90)


class Diary:
    """Scripts that append their arguments to a file, a line each."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "diary"
        self.file.touch()
        self.script = directory / "note"
        self.script.write_text(f'#!/bin/sh\necho "$*" >>{self.file}\n')
        self.script.chmod(0o755)
        self._read = 0

    def next(self, count: int, within: float = 10.0) -> list[str]:
        """The next lines, once there are `count`; sorted, since scripts run side by side."""

        def look() -> list[str]:
            return self.file.read_text().splitlines()[self._read :]

        eventually(lambda: len(look()) >= count, within, f"{count} more lines than {self._read}")
        found = look()
        self._read += len(found)
        return sorted(found)


def notify_lines(diary: Diary, *kinds: str) -> tuple[str, ...]:
    named = [f'notify_{kind} "{diary.script} only {kind}"' for kind in kinds]
    return (*named, f'notify "{diary.script} any extra"')


def any_line(state: str, priority: int = 150, kind: str = "INSTANCE", name: str = "VI_1") -> str:
    return f"any extra {kind} {name} {state} {priority}"


@pytest.mark.parametrize("role", ROLES)
def test_scripts_are_run_with_keepaliveds_arguments(make_cluster: Make, role: str) -> None:
    """The generic one gets type, name, state and priority after its own; the others get none."""
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    diary = Diary(node.directory)
    lines = notify_lines(diary, "backup", "master", "fault", "stop")
    node.start(cluster.text(node, FAST.with_(lines=lines)))
    assert diary.next(4) == [
        any_line("BACKUP"),
        any_line("MASTER"),
        "only backup",
        "only master",
    ]
    node.host.take_link_down()
    assert diary.next(2) == [any_line("FAULT"), "only fault"]
    node.host.take_link_up()
    assert diary.next(4) == [
        any_line("BACKUP"),
        any_line("MASTER"),
        "only backup",
        "only master",
    ]
    assert node.reload()
    cluster.stays_calm(node)
    node.stop()
    assert diary.next(2) == [any_line("STOP"), "only stop"], "and nothing for the reload"


@pytest.mark.parametrize("role", ROLES)
def test_scripts_see_states_in_order(make_cluster: Make, role: str) -> None:
    """They run side by side, so each state is awaited before the next one comes."""
    cluster = make_cluster("keepalived", role)
    master, node = cluster.nodes
    master.start(cluster.text(master, FAST.with_(priority=200)))
    cluster.settle(master)
    diary = Diary(node.directory)
    node.start(cluster.text(node, FAST.with_(lines=notify_lines(diary))))
    assert diary.next(1) == [any_line("BACKUP")]
    master.stop()
    assert diary.next(1) == [any_line("MASTER")]
    master.start()
    assert diary.next(1) == [any_line("BACKUP")]


@pytest.mark.parametrize("role", ROLES)
def test_a_slow_script_delays_nothing(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role, "keepalived")
    first, second = cluster.nodes
    slow = first.directory / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    cluster.start(FAST.with_(lines=(f'notify "{slow}"',)), FAST.with_(priority=100))
    cluster.settle(first)
    cluster.stays_calm(first, adverts=10)
    first.stop()
    cluster.settle(second)


class Fifo:
    """Reads the lines written to a FIFO from before the daemon starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o600)
        self._descriptor = os.open(path, os.O_RDWR)  # read and write: it never ends
        self.text = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            data = os.read(self._descriptor, 4096)
            if self._closed.is_set():
                return
            self.text += data.decode()

    def wait_for(self, lines: list[str], within: float = 10.0) -> None:
        """These lines, whole and in this order, and no others."""
        expected = "".join(f"{line}\n" for line in lines)
        try:
            eventually(lambda: len(self.text) >= len(expected), within, "lines in the FIFO")
        finally:
            assert self.text == expected

    def close(self) -> None:
        self._closed.set()
        os.write(self._descriptor, b"\n")
        self._thread.join(5)
        os.close(self._descriptor)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    pipe = Fifo(tmp_path / "fifo")
    yield pipe
    pipe.close()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("keyword", ["notify_fifo", "vrrp_notify_fifo"])
def test_a_fifo_gets_a_line_for_each_state(
    make_cluster: Make, fifo: Fifo, role: str, keyword: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    settings = FAST.with_(globals=(f"{keyword} {fifo.path}",))
    node.start(cluster.text(node, settings))
    lines = ['INSTANCE "VI_1" BACKUP 150', 'INSTANCE "VI_1" MASTER 150']
    fifo.wait_for(lines)
    node.host.take_link_down()
    lines.append('INSTANCE "VI_1" FAULT 150')
    fifo.wait_for(lines)
    node.host.take_link_up()
    lines += ['INSTANCE "VI_1" BACKUP 150', 'INSTANCE "VI_1" MASTER 150']
    fifo.wait_for(lines)
    assert node.reload()
    cluster.stays_calm(node)
    node.stop()
    fifo.wait_for([*lines, 'INSTANCE "VI_1" STOP 150'])


@pytest.mark.parametrize("role", ROLES)
def test_a_fifo_gets_priority_changes_when_asked(
    make_cluster: Make, fifo: Fifo, role: str
) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    value = node.directory / "value"
    value.write_text("0")
    settings = FAST.with_(
        globals=(f"vrrp_notify_fifo {fifo.path}", "vrrp_notify_priority_changes true"),
        blocks=block("vrrp_track_file load", [f"file {value}", "weight 1"]),
        lines=(block("track_file", ["load"]),),
    )
    node.start(cluster.text(node, settings))
    eventually(lambda: "MASTER 150\n" in fifo.text, 10, "master")
    value.write_text("-30")
    eventually(lambda: 'INSTANCE "VI_1" MASTER_PRIORITY 120\n' in fifo.text, 10, "the change")


@pytest.mark.fairlead_only
def test_a_fifo_gets_the_states_again_with_a_reload_when_asked(
    make_cluster: Make, fifo: Fifo
) -> None:
    """As keepalived's manual says; its version 2.2.7 writes nothing."""
    cluster = make_cluster("fairlead")
    node = cluster.nodes[0]
    asks = (f"vrrp_notify_fifo {fifo.path}", "fifo_write_vrrp_states_on_reload")
    node.start(cluster.text(node, FAST.with_(globals=asks)))
    lines = ['INSTANCE "VI_1" BACKUP 150', 'INSTANCE "VI_1" MASTER 150']
    fifo.wait_for(lines)
    for _ in range(2):
        assert node.reload()
        lines.append('INSTANCE "VI_1" MASTER 150')
        fifo.wait_for(lines)
    node.stop()
    fifo.wait_for([*lines, 'INSTANCE "VI_1" STOP 150'])


@pytest.mark.parametrize("role", ROLES)
def test_a_fifo_script_is_started_and_gets_the_path(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    pipe, diary = node.directory / "fifo", node.directory / "diary"
    reader = node.directory / "reader"
    reader.write_text(f'#!/bin/sh\necho "$*" >{diary}\nexec cat "$2" >>{diary}\n')
    reader.chmod(0o755)
    settings = FAST.with_(
        globals=(f"vrrp_notify_fifo {pipe}", f'vrrp_notify_fifo_script "{reader} mine"')
    )
    node.start(cluster.text(node, settings))
    expected = f'mine {pipe}\nINSTANCE "VI_1" BACKUP 150\nINSTANCE "VI_1" MASTER 150\n'
    eventually(
        lambda: diary.exists() and diary.read_text() == expected, 10, "the path, then the states"
    )


# MARK: sync groups


def second_instance(settings: Settings, *lines: str) -> str:
    """VI_2 with a virtual router id and an address of its own, and the group of both."""
    text = settings.with_(
        name="VI_2", router_id=52, addresses=("10.0.0.180/26",), lines=lines
    ).text()
    return text[text.index("vrrp_instance") :]


def grouped(settings: Settings, group: tuple[str, ...], *second: str) -> Settings:
    members = block("group", ["VI_1", "VI_2"])
    return settings.with_(
        blocks=block("vrrp_sync_group G", [members, *group]),
        after=second_instance(settings, *second),
    )


def both_on(node: Node) -> bool:
    return node.holds(("10.0.0.179", "10.0.0.180"))


@pytest.mark.parametrize("roles", [("fairlead", "keepalived"), ("keepalived", "fairlead")])
def test_the_members_of_a_sync_group_move_together(
    make_cluster: Make, roles: tuple[str, str]
) -> None:
    """Only the second one watches an interface; the first one follows it, and both return."""
    cluster = make_cluster(*roles)
    first, second = cluster.nodes
    first.host.ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
    first.host.ip("link", "set", "probe1", "up")
    first.host.ip("link", "set", "probe0", "up")
    tracking = block("track_interface", ["probe0"])
    first.start(cluster.text(first, grouped(FAST, (), tracking)))
    second.start(cluster.text(second, grouped(FAST.with_(priority=100), ())))
    stages = ((first, second, ""), (second, first, "down"), (first, second, "up"))
    for holder, other, state in stages:
        if state:
            first.host.ip("link", "set", "probe0", state)
        eventually(lambda h=holder: both_on(h), 10, f"both on {holder.name} ({state})")
        eventually(lambda o=other: o.holds_none(("10.0.0.179", "10.0.0.180")), 5, "not twice")


@pytest.mark.parametrize("role", ROLES)
def test_a_sync_group_tells_its_states(make_cluster: Make, role: str) -> None:
    cluster = make_cluster(role)
    node = cluster.nodes[0]
    diary = Diary(node.directory)
    node.start(cluster.text(node, grouped(FAST, notify_lines(diary, "master"))))

    def group_line(state: str) -> str:
        return any_line(state, 0, "GROUP", "G")

    assert diary.next(3) == [group_line("BACKUP"), group_line("MASTER"), "only master"]
    assert both_on(node)
    node.host.take_link_down()
    assert diary.next(1) == [group_line("FAULT")]
    node.host.take_link_up()
    assert diary.next(3) == [group_line("BACKUP"), group_line("MASTER"), "only master"]
    node.stop()
    assert diary.next(1) == [group_line("STOP")]
