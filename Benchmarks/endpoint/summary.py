"""From what clients saw in all rounds to tables, targets, and a section of performance.md."""

import datetime
import os
from statistics import median

BEGIN, END = "<!-- bench:endpoint:begin -->", "<!-- bench:endpoint:end -->"
OURS, REFERENCE = "fairlead", "reference"
TITLES = {OURS: "Fairlead", REFERENCE: "haproxy + keepalived"}
# Of Examples/fairlead.yaml: a check every second, three failures in a row.
CHECK_SECONDS, FALL = 1.0, 3


class Results:
    """seen[event][program] is a list of what was seen, one of each round."""

    def __init__(self):
        self.seen = {}
        self.problems = []

    def add(self, event, program, seen):
        self.seen.setdefault(event, {}).setdefault(program, []).append(seen)

    def fail(self, event, program, reason):
        self.problems.append(f"{event.title}, {TITLES[program]}: {reason}")

    def rounds(self):
        counts = [len(all) for programs in self.seen.values() for all in programs.values()]
        return min(counts, default=0)


def ms(seconds):
    return "never" if seconds == float("inf") else f"{seconds * 1000:,.0f}"


def span(values, show=str):
    """The median, and the largest where it is another one."""
    middle, most = show(median(values)), show(max(values))
    return middle if middle == most else f"{middle} (up to {most})"


def count(value):
    return f"{value:,.0f}"


def requests_table(results):
    lines = [
        "| event | | longest gap ms | failed requests | failing for ms | how they failed |",
        "|---|---|---:|---:|---:|---|",
    ]
    for event, programs in results.seen.items():
        for program, all in programs.items():
            gap = span([each.longest_gap for each in all], ms)
            failed = span([len(each.failed) for each in all], count)
            lasting = span([each.longest_disturbance for each in all], ms)
            kinds = sorted({kind for each in all for kind in each.failures})
            words = ", ".join(kinds) or "–"
            lines.append(
                f"| {event.title} | {TITLES[program]} | {gap} | {failed} | {lasting} | {words} |"
            )
    return lines


def watches_table(results, streams):
    lines = [
        f"| event | | of {streams} watches ended | fell silent | without a watch for ms |",
        "|---|---|---:|---:|---:|",
    ]
    for event, programs in results.seen.items():
        for program, all in programs.items():
            ended = span([sum(not b.hung for b in each.breaks) for each in all], count)
            silent = span([sum(b.hung for b in each.breaks) for each in all], count)
            outages = [b.outage for each in all for b in each.breaks]
            outage = span(outages, ms) if outages else "–"
            lines.append(f"| {event.title} | {TITLES[program]} | {ended} | {silent} | {outage} |")
    return lines


def worst_gap(all):
    return max(each.longest_gap for each in all)


def worst_disturbance(all):
    return max(each.longest_disturbance for each in all)


def last_failure(all):
    return max(each.failing_for for each in all)


def failed(all):
    return sum(len(each.failed) for each in all)


def tls_errors(all):
    return sum(each.failures["tls"] for each in all)


def silent(all):
    return sum(b.hung for each in all for b in each.breaks)


def worst_outage(all):
    return max((b.outage for each in all for b in each.breaks), default=0.0)


# (event, what, of all rounds, limit, how it is shown)
TARGETS = [
    ("power", "longest gap, ms", worst_gap, 0.5, ms),
    ("failover", "longest gap, ms", worst_gap, 0.1, ms),
    ("failover", "requests fail for, ms", worst_disturbance, 0.1, ms),
    ("failover", "TLS errors", tls_errors, 0, count),
    ("failover", "watches that fell silent", silent, 0, count),
    ("failover", "longest time without a watch, ms", worst_outage, 0.2, ms),
    ("rolling", "longest gap, ms", worst_gap, 0.1, ms),
    ("rolling", "requests fail for, ms", worst_disturbance, 0.1, ms),
    ("rolling", "TLS errors", tls_errors, 0, count),
    ("stop", "failed requests", failed, 0, count),
    ("hang", "last request that fails begins after, ms", last_failure, CHECK_SECONDS * FALL, ms),
]


def judgements(results):
    """(event, what, measured, limit, met) for each target that was measured."""
    for name, what, measure, limit, show in TARGETS:
        for event, programs in results.seen.items():
            if event.name == name and OURS in programs:
                measured = measure(programs[OURS])
                yield event.title, what, show(measured), show(limit), measured <= limit


def section(results, facts):
    programs = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [
        BEGIN,
        "## An endpoint beside haproxy and keepalived",
        "",
        f"Measured on {facts['date']} by `{facts['command']}`: {results.rounds()} alternating "
        f"rounds. Linux {facts['kernel']}, {facts['cpus']} CPUs, load {facts['load']} at the "
        f"start; {programs}.",
        "",
        "Three balancers, three API servers and a client on a bridge, each in a network namespace, "
        "made afresh for every row of every round. Fairlead runs `Examples/fairlead.yaml` as it is. "
        "haproxy and keepalived run what kubeadm publishes: `/healthz` every 2 s, `fall` 3, "
        "`timeout check` 10 s; `check_apiserver` every 3 s, `fall` 10, `weight -2`; adverts every "
        "second. A client opens a TLS connection every 20 ms, verifies the certificate and asks "
        "for `/version`; an attempt that takes more than 0.9 s has failed. The gap is the longest "
        "time between two answers; undisturbed it is some 20 ms. “Failing for” is how long "
        "connections that were to fail began, without half a second of peace. "
        f"{facts['streams']} watches connect again at once when they are ended; one that hears "
        "nothing for 6 s (events come every second) gives up and counts as fallen silent. The API "
        f"server that is stopped serves on for {facts['shutdown_delay_s']} s with a red `/readyz`, "
        "then it closes its port. A planned failover is `fairlead failover`, and a stop "
        "of keepalived while its haproxy stays. Figures are medians, with the largest in brackets.",
        "",
        *requests_table(results),
        "",
        *watches_table(results, facts["streams"]),
        "",
    ]
    judged = list(judgements(results))
    if judged:
        lines += ["| Fairlead's target | worst of all rounds | limit | |", "|---|---:|---:|---|"]
        for event, what, measured, limit, met in judged:
            verdict = "met" if met else "**missed**"
            lines.append(f"| {event}: {what} | {measured} | {limit} | {verdict} |")
        lines.append("")
    lines += [f"- Failed: {problem}" for problem in results.problems]
    return "\n".join([*lines, END])


def facts(versions, words, streams, shutdown_delay_s):
    return {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["Scripts/bench-endpoint", *words]),
        "kernel": os.uname().release,
        "cpus": os.cpu_count(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "versions": versions,
        "streams": streams,
        "shutdown_delay_s": shutdown_delay_s,
    }
