"""The story of an endpoint: what may happen to it, and what a client notices of each event.

The nodes, the API servers and the client are those of the system tests.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "SystemTests"))

from harness.deployment import Deployment  # noqa: E402

STREAMS = 24
PEACE_SECONDS = 3.0         # nothing failed for so long: it is over
LONGEST_SECONDS = 90.0      # three checks of 10 s and more until the reference notices a hang


@dataclass(frozen=True)
class Event:
    name: str
    title: str
    happen: Callable        # of the deployment and the balancer that holds the address; waits
                            # until clients that only ask are served again


def lose_power(deployment, holder):
    deployment.lose_power(holder)
    deployment.settle(other_than=holder)
    deployment.is_calm()


def fail_over(deployment, holder):
    """`fairlead failover`; the reference's address moves when its keepalived is stopped."""
    if deployment.kind == "fairlead":
        code, out, errors = holder.operate("failover")
        assert code == 0, out + errors
    else:
        holder.stop_keepalived()
    deployment.settle(other_than=holder)
    deployment.is_calm()


def restart_all(deployment, holder):
    for balancer in deployment.balancers:
        balancer.stop()
        balancer.start()
        deployment.wait_until_trusted(balancer)
        if deployment.kind == "fairlead":
            deployment.settle()
        else:
            deployment.settle_on(holder)    # keepalived always takes it back, and is waited for
        deployment.is_calm()


def stop_master(deployment, holder):
    """As the kubelet or systemd do it: /readyz turns red, everything is served for a while."""
    master = deployment.busiest_master()
    master.request_stop()
    master.wait(deployment.shutdown_delay_s + 10.0)
    deployment.meter.wait_for_peace(PEACE_SECONDS, LONGEST_SECONDS)


def kill_master(deployment, holder):
    deployment.busiest_master().kill()
    deployment.meter.wait_for_peace(PEACE_SECONDS, LONGEST_SECONDS)


def hang_master(deployment, holder):
    """Its port stays open; whoever connects waits."""
    deployment.busiest_master().hang()
    deployment.meter.wait_for_peace(PEACE_SECONDS, LONGEST_SECONDS)


EVENTS = [
    Event("power", "balancer loses its power", lose_power),
    Event("failover", "planned failover", fail_over),
    Event("rolling", "all balancers restarted, one by one", restart_all),
    Event("stop", "API server stopped (SIGTERM)", stop_master),
    Event("kill", "API server killed", kill_master),
    Event("hang", "API server hangs", hang_master),
]


def play(kind, event, shutdown_delay_s):
    """What a client saw of one event, from its beginning until all watches were alive again."""
    with Deployment(kind, streams=STREAMS, shutdown_delay_s=shutdown_delay_s) as deployment:
        try:
            meter = deployment.start()
            deployment.is_calm()
            since = time.monotonic()
            event.happen(deployment, deployment.holder)
            meter.wait_for_streams(LONGEST_SECONDS)
            return meter.seen(since)
        except AssertionError as error:
            error.add_note(deployment.transcript())
            raise
