"""From the gaps of all rounds to a table, targets, and a section of Documentation/performance.md."""

import datetime
import os
from statistics import median

BEGIN, END = "<!-- bench:failover:begin -->", "<!-- bench:failover:end -->"
OURS, REFERENCE = "fairlead", "keepalived"
# Seconds; (variant, event) to the longest gap that is allowed in any round.
TARGETS = {("v3", "cut"): 0.45, ("v3", "stop"): 0.06}
# Attempts come every 20 ms, so two equal daemons differ by up to that from round to round.
NOISE_SECONDS = 0.020


class Results:
    """gaps[(variant, event)][kind] is a list of seconds, one of each round."""

    def __init__(self):
        self.gaps = {}
        self.failures = []

    def add(self, variant, event, kind, gap):
        self.gaps.setdefault((variant, event), {}).setdefault(kind, []).append(gap)

    def fail(self, variant, event, kind, reason):
        self.failures.append(f"{variant.name}, {event.name}, {kind}: {reason}")

    def rounds(self):
        counts = [len(g) for kinds in self.gaps.values() for g in kinds.values()]
        return min(counts, default=0)


def milliseconds(seconds):
    return f"{seconds * 1000:,.0f}"


def table(results):
    lines = [
        "| settings | event | pair of | rounds | min ms | median ms | max ms | ratio |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for (variant, event), kinds in results.gaps.items():
        reference = median(kinds[REFERENCE]) if REFERENCE in kinds else None
        for kind, gaps in kinds.items():
            ratio = f"{median(gaps) / reference:.2f}" if reference else "–"
            figures = " | ".join(milliseconds(f(gaps)) for f in (min, median, max))
            lines.append(
                f"| {variant.title} | {event.title} | {kind} | {len(gaps)} | {figures} | {ratio} |"
            )
    return lines


def judgements(results):
    """(what, measured, limit, met) for each target that was measured."""
    found = []
    for (variant, event), kinds in results.gaps.items():
        if OURS not in kinds or event.name == "none":
            continue
        where = f"{variant.title}: {event.title}"
        ours = kinds[OURS]
        if REFERENCE in kinds:
            limit = median(kinds[REFERENCE]) + NOISE_SECONDS
            what = f"{where}; median, {REFERENCE}'s plus one attempt's {NOISE_SECONDS * 1000:.0f} ms"
            found.append((what, median(ours), limit, median(ours) <= limit))
        limit = TARGETS.get((variant.name, event.name))
        if limit:
            found.append((f"{where}; longest", max(ours), limit, max(ours) <= limit))
    return found


def section(results, facts):
    lines = [
        BEGIN,
        "## Failover beside keepalived",
        "",
        f"Measured on {facts['date']} by `{facts['command']}`: {results.rounds()} alternating "
        f"rounds. Linux {facts['kernel']}, {facts['cpus']} CPUs; "
        + ", ".join(f"{kind} {version}" for kind, version in facts["versions"].items()) + ".",
        "",
        "Two nodes of one kind hold an address on a bridge, with the same settings (priorities "
        f"{' and '.join(map(str, facts['priorities']))}). A client opens a TCP connection to the "
        "address every 20 ms and waits for an answer; what counts is the longest time between "
        "two answers. Undisturbed that is some 20 ms, which every number contains. From round to "
        "round the event moves through the interval between two adverts, for both programs alike. "
        f"The ratio is that of the medians, {REFERENCE} = 1.00.",
        "",
        *table(results),
        "",
    ]
    judged = judgements(results)
    if judged:
        lines += ["| target | measured ms | limit ms | |", "|---|---:|---:|---|"]
        for what, measured, limit, met in judged:
            verdict = "met" if met else "**missed**"
            lines.append(
                f"| {what} | {milliseconds(measured)} | {milliseconds(limit)} | {verdict} |"
            )
        lines.append("")
    lines += [f"- Failed: {failure}" for failure in results.failures]
    return "\n".join([*lines, END])


def facts(priorities, versions, words):
    return {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["Scripts/bench-failover", *words]),
        "kernel": os.uname().release,
        "cpus": os.cpu_count(),
        "versions": versions,
        "priorities": priorities,
    }
