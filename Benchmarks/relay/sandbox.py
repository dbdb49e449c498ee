"""Processes of a run: where they live (a network namespace and a CPU each), what they cost, and
how they end. Nothing started here outlives the benchmark."""

import atexit
import ctypes
import fcntl
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
MAX_DESCRIPTORS = 20_000

# Linux's defaults where machines differ and results with them: BBR, for one, paces what it sends
# even on loopback, and bulk transfers through every program then cost two to three times as much.
SETTINGS = (
    ("net/ipv4/tcp_congestion_control", "reno"),    # always there …
    ("net/ipv4/tcp_congestion_control", "cubic"),   # … and the default, where the kernel has it
    ("net/ipv4/tcp_rmem", "4096 131072 6291456"),
    ("net/ipv4/tcp_wmem", "4096 16384 4194304"),
    ("net/ipv4/ip_local_port_range", "2048 65000"),
    ("net/core/somaxconn", "4096"),
)

_libc = ctypes.CDLL(None, use_errno=True)
_started = []


def _call(name, *words):
    if getattr(_libc, name)(*words) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter_user_namespace():
    """Without root a network namespace needs a user namespace around it, with us as its root."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        return
    # Together, because only a network that belongs to our user namespace can be returned to.
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


class Namespace:
    """A network of its own, loopback only. A fresh one per program and round means that no
    program pays for the TIME_WAIT sockets another one left behind, no packet filter is in the
    way, and no port is taken. `Namespace.host()` stands in where the system forbids them."""

    def __init__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", CLONE_NEWNET)
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._loopback_up()
                for name, value in SETTINGS:
                    self._set(name, value)
            finally:
                _call("setns", home, CLONE_NEWNET)
        finally:
            os.close(home)

    @classmethod
    def host(cls):
        self = cls.__new__(cls)
        self.descriptor = None
        return self

    @staticmethod
    def _loopback_up():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            request = bytearray(struct.pack("16sH14x", b"lo", 0))
            fcntl.ioctl(probe, SIOCGIFFLAGS, request)
            flags = struct.unpack_from("H", request, 16)[0] | IFF_UP
            fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))

    @staticmethod
    def _set(name, value):
        try:
            with open(f"/proc/sys/{name}", "w") as file:
                file.write(value)
        except OSError:
            pass  # the settings are for comparing machines; a run is fair without them

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


class Janitor:
    """A process that waits for ours to end, however it ends, and then removes what is left of a
    run: a worker whose master was killed lives on otherwise."""

    def __init__(self, folder):
        reader, self.writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()     # Ctrl-C in the terminal is for the benchmark
            os.close(self.writer)
            try:
                with os.fdopen(reader) as lines:
                    groups = set()
                    for line in lines:
                        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
                for group in groups:
                    try:
                        os.killpg(group, signal.SIGKILL)
                    except OSError:
                        pass
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os._exit(0)
        os.close(reader)

    def note(self, sign, group):
        os.write(self.writer, f"{sign}{group}\n".encode())

    def close(self):
        os.close(self.writer)
        os.waitpid(self.pid, 0)


janitor = None


class Process:
    def __init__(self, command, namespace, cpus, log, pipes=False, environment=None):
        def prepare():
            # The kernel ends the child even if the benchmark is killed with SIGKILL.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if namespace.descriptor is not None:
                _call("setns", namespace.descriptor, CLONE_NEWNET)
            if cpus:
                os.sched_setaffinity(0, cpus)

        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                preexec_fn=prepare,
                start_new_session=True,
            )
        self.tree = [self.child.pid]
        _started.append(self)
        if janitor:
            janitor.note("+", self.child.pid)

    def alive(self):
        return self.child.poll() is None

    def read_tree(self):
        """Finds the processes below this one. Asked once per measurement, before it starts: the
        programs measured here start their workers when they start."""
        parents = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as file:
                        after_name = file.read().rpartition(")")[2].split()
                    parents.setdefault(int(after_name[1]), []).append(int(name))
                except OSError:
                    pass
        self.tree = [self.child.pid]
        for pid in self.tree:
            self.tree.extend(parents.get(pid, []))

    def cpu_seconds(self):
        """User and system time of all threads, living and ended, of the whole tree, in ns steps:
        the kernel's per-process CPU clock (see clock_getcpuclockid(3)), not 10 ms ticks."""
        total = 0
        for pid in self.tree:
            try:
                total += time.clock_gettime_ns((~pid << 3) | 2)
            except OSError:
                pass
        return total / 1e9

    def waited_seconds(self):
        """How long living threads were ready to run while something else had their CPU: on a
        quiet machine next to nothing, so this tells how busy the machine was with other work."""
        total = 0
        for pid in self.tree:
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                        total += int(file.read().split()[1])
            except (OSError, IndexError):
                pass
        return total / 1e9

    def memory_bytes(self):
        """Proportional set size: what the tree holds of user memory, shared pages divided."""
        total = 0
        for pid in self.tree:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    for line in file:
                        if line.startswith("Pss:"):
                            total += int(line.split()[1]) * 1024
            except OSError:
                pass
        return total

    def tail(self, lines=6):
        try:
            with open(self.log, errors="replace") as file:
                return "".join(file.readlines()[-lines:]).strip()
        except OSError:
            return ""

    def stop(self):
        if self not in _started:
            return
        _started.remove(self)
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        if janitor:
            janitor.note("-", self.child.pid)   # the number may soon be another process's
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass


def stop_all():
    for process in list(_started):
        process.stop()


atexit.register(stop_all)
