"""A whole endpoint on one bridge: three balancers, three API servers, a client.

`Deployment("fairlead")` starts Examples/fairlead.yaml on every balancer;
`Deployment("reference")` sets haproxy and keepalived up as kubeadm publishes it
(https://github.com/kubernetes/kubeadm/blob/main/docs/ha-considerations.md).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Self

from .balancers import Balancer, FairleadBalancer, ReferenceBalancer
from .masters import PORT, Master
from .meter import Meter
from .namespaces import Network
from .proxies import REPOSITORY
from .waiting import eventually

EXAMPLE = REPOSITORY / "Examples/fairlead.yaml"
NETWORK = "10.0.0.{}/24"
VIRTUAL = "10.0.0.179"
FIRST_BALANCER, FIRST_MASTER, CLIENT = 131, 11, 200
SETTLE_SECONDS = 20.0  # the reference's adverts come every second
RECENT_REQUESTS = 50
CALM_ANSWERS = 25  # half a second of answers

HAPROXY_CFG = """\
global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    option forwardfor except 127.0.0.0/8
    option redispatch
    retries 1
    timeout http-request 10s
    timeout queue 20s
    timeout connect 5s
    timeout client 35s
    timeout server 35s
    timeout http-keep-alive 10s
    timeout check 10s
frontend apiserver
    bind *:{port}
    mode tcp
    option tcplog
    default_backend apiserverbackend
backend apiserverbackend
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /healthz
    http-check expect status 200
    mode tcp
    balance roundrobin
{servers}
"""

KEEPALIVED_CONF = """\
global_defs {{{{
    router_id LVS_DEVEL
}}}}
vrrp_script check_apiserver {{{{
    script "{{script}}"
    interval 3
    weight -2
    fall 10
    rise 2
}}}}
vrrp_instance VI_1 {{{{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    authentication {{{{
        auth_type PASS
        auth_pass 42
    }}}}
    virtual_ipaddress {{{{
        {address}
    }}}}
    track_script {{{{
        check_apiserver
    }}}}
}}}}
"""

CHECK_APISERVER = """\
#!/bin/sh

errorExit() {{
    echo "*** $*" 1>&2
    exit 1
}}

curl -sfk --max-time 2 https://localhost:{port}/healthz -o /dev/null || errorExit "no answer"
"""


class Deployment:
    def __init__(
        self,
        kind: str = "fairlead",
        *,
        balancers: int = 3,
        streams: int = 0,
        file: Path = EXAMPLE,
        beside: tuple[str, str] | None = None,
        every: float = 0.02,
        shutdown_delay_s: int = 0,
    ) -> None:
        self.kind = kind
        self.count = balancers
        self.file = file
        self.beside = beside  # haproxy.cfg and keepalived.conf of the last balancer
        self.streams = streams
        self.every = every
        self.shutdown_delay_s = shutdown_delay_s  # of the API servers
        self.balancers: list[Balancer] = []
        self.masters: list[Master] = []
        self.cut: set[str] = set()  # balancers that nobody reaches
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="fairlead-endpoint-"))
            self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.network = self._stack.enter_context(Network())
            self.client = self.network.host(NETWORK.format(CLIENT))
            for number in range(3):
                self._add_master(number)
            for number in range(self.count):
                self._add_balancer(number)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    @property
    def authority(self) -> Path:
        """The folder with what signed the API servers' certificates."""
        return self.folder / "pki"

    def _add_master(self, number: int) -> None:
        host = self.network.host(NETWORK.format(FIRST_MASTER + number))
        name = f"kubemaster-{number + 1}"
        master = Master(host, name, self.authority, VIRTUAL, self.shutdown_delay_s)
        self.masters.append(master)
        self._stack.callback(master.close)

    def _add_balancer(self, number: int) -> None:
        host = self.network.host(NETWORK.format(FIRST_BALANCER + number))
        name = f"lb-{number + 1}"
        balancer: Balancer
        if self.beside and number == self.count - 1:
            haproxy, keepalived = self.beside
            escaped = keepalived.replace("{", "{{").replace("}", "}}")
            balancer = ReferenceBalancer(host, name, haproxy, escaped, "#!/bin/true\n")
        elif self.kind == "fairlead":
            balancer = FairleadBalancer(host, name, self.file)
        else:
            servers = "\n".join(
                f"    server {each.name} {each.address} check verify none"
                for each in self.masters
            )
            balancer = ReferenceBalancer(
                host,
                name,
                HAPROXY_CFG.format(port=PORT, servers=servers),
                KEEPALIVED_CONF.format(
                    state="BACKUP" if number else "MASTER",
                    priority=100 if number else 101,
                    address=VIRTUAL,
                ),
                CHECK_APISERVER.format(port=PORT),
            )
        self.balancers.append(balancer)
        self._stack.callback(balancer.close)

    def start(self) -> Meter:
        """Start everything; the client asks and watches from then on."""
        for master in self.masters:
            master.start()
        for balancer in self.balancers:
            balancer.start()
        self.settle()
        meter = Meter(
            self.client,
            f"{VIRTUAL}:{PORT}",
            self.authority / "ca.crt",
            streams=self.streams,
            every=self.every,
        )
        self.meter = self._stack.enter_context(meter)
        meter.wait_for_answers(CALM_ANSWERS, SETTLE_SECONDS)
        meter.wait_for_streams(SETTLE_SECONDS)
        return meter

    # MARK: who holds the address

    def holders(self) -> list[Balancer]:
        """Of the balancers that can be reached."""
        return [x for x in self.balancers if x.name not in self.cut and x.holds(VIRTUAL)]

    @property
    def holder(self) -> Balancer:
        """The one that holds the address; there must be one, and no other."""
        found = self.holders()
        assert len(found) == 1, [each.name for each in found]
        return found[0]

    def settle(
        self, other_than: Balancer | None = None, within: float = SETTLE_SECONDS
    ) -> Balancer:
        """Wait until one balancer, another one than that, holds the address alone."""

        def settled() -> Balancer | None:
            found = self.holders()
            return found[0] if len(found) == 1 and found[0] is not other_than else None

        return eventually(settled, within, "exactly one balancer holds the address")

    def wait_until_trusted(self, balancer: Balancer, within: float = SETTLE_SECONDS) -> None:
        """It has found out, by its own checks, that it can use every API server."""
        for master in self.masters:
            what = f"{balancer.name} uses {master.name}"
            eventually(lambda m=master: balancer.uses(m.name), within, what)

    def settle_on(self, expected: Balancer, within: float = SETTLE_SECONDS) -> None:
        eventually(
            lambda: self.holders() == [expected], within, f"{expected.name} holds the address"
        )

    def is_calm(self) -> None:
        """The next half second of requests is answered."""
        self.meter.wait_for_answers(CALM_ANSWERS, SETTLE_SECONDS)

    # MARK: the API servers

    def busiest_master(self) -> Master:
        """The one that has answered most of the last requests."""
        self.meter.refresh()
        recent = Counter(x.server for x in self.meter.requests[-RECENT_REQUESTS:] if x.ok)
        name = recent.most_common(1)[0][0]
        return next(each for each in self.masters if each.name == name)

    def wait_until_used(self, master: Master, within: float = SETTLE_SECONDS) -> None:
        """Every balancer that runs takes it for usable."""
        for each in self.balancers:
            what = f"{each.name} uses {master.name}"
            eventually(lambda b=each: b.uses(master.name), within, what)

    # MARK: what happens to balancers

    def lose_power(self, balancer: Balancer) -> None:
        """Seen from the others: its link is gone from one instant to the next."""
        self.network.pull_cable(balancer.host)
        self.cut.add(balancer.name)

    def return_power(self, balancer: Balancer) -> None:
        self.network.plug_cable(balancer.host)
        self.cut.discard(balancer.name)

    def part(self, balancer: Balancer) -> None:
        """It goes on and notices nothing, but nobody reaches it."""
        self.network.isolate(balancer.host)
        self.cut.add(balancer.name)

    def heal(self, balancer: Balancer) -> None:
        self.network.join(balancer.host)
        self.cut.discard(balancer.name)

    def transcript(self) -> str:
        parts = [each.transcript() for each in [*self.balancers, *self.masters]]
        with contextlib.suppress(AttributeError, AssertionError):
            parts.append(self.meter.transcript())
        return "\n".join(parts)
