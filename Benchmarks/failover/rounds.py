"""One failover: two nodes of one kind on a bridge, a client, an event, the longest gap it saw.

The nodes, the bridge and the client are those of the system tests.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "SystemTests"))

from harness.clients import GapMeter    # noqa: E402
from harness.cluster import Cluster     # noqa: E402
from harness.routers import Settings    # noqa: E402
from harness.waiting import eventually  # noqa: E402

CONNECTIONS_BEFORE = 25     # half a second of answers from the first node …
CONNECTIONS_AFTER = 25      # … and from the second one: the end of the gap is certain
SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class Variant:
    name: str
    title: str
    settings: Settings


@dataclass(frozen=True)
class Event:
    name: str
    title: str

    def happen(self, cluster, node):
        if self.name == "cut":
            cluster.network.pull_cable(node.host)
        elif self.name == "stop":
            node.request_stop()


VARIANTS = [
    Variant("v2", "version 2, 1 s, multicast", Settings(version=2, interval="1",
                                                        password="42Secure")),
    Variant("v3", "version 3, 100 ms, multicast", Settings(version=3, interval="0.1")),
]
EVENTS = [
    Event("cut", "power loss (link cut)"),
    Event("stop", "planned stop (SIGTERM)"),
    Event("none", "nothing (what the method itself shows)"),
]


def play(kind, variant, event, priorities, phase):
    """Returns the longest time in seconds between two answers the client got.

    The event comes `phase` (0 to 1) of an interval after an advert: a backup counts from the last
    advert, so that this moves the gap by up to an interval.
    """
    with Cluster((kind, kind)) as cluster:
        first, second = cluster.nodes
        cluster.start(*(variant.settings.with_(priority=p) for p in priorities))
        eventually(lambda: cluster.holders() == [first.name], SETTLE_SECONDS, "a master")
        cluster.answers(first)
        cluster.stays_calm(first, adverts=1)
        answering = first if event.name == "none" else second
        with GapMeter(cluster.client, cluster.target) as meter:
            eventually(lambda: meter.count(first.name) >= CONNECTIONS_BEFORE, 10, "answers")
            before = meter.count(answering.name)
            since = cluster.sniffer.position
            cluster.sniffer.wait_for_adverts(1, SETTLE_SECONDS, since=since)
            time.sleep(phase * float(variant.settings.interval))
            event.happen(cluster, first)
            eventually(
                lambda: meter.count(answering.name) >= before + CONNECTIONS_AFTER,
                SETTLE_SECONDS, "answers of the node that took over",
            )
        return meter.longest_gap()
