"""From the numbers of all rounds to what a person reads: medians, ratios, targets."""

import datetime
import os
from statistics import median

from workloads import GIGABYTE, MEMORY_TARGET_BYTES

BEGIN, END = "<!-- bench:relay:begin -->", "<!-- bench:relay:end -->"
REFERENCE = "haproxy"
OURS = "fairlead"
LATENCY_TARGET = 1.05


class Results:
    """samples[workload][program] is a list with one entry per round; None where it failed."""

    def __init__(self, workloads, programs):
        self.workloads, self.programs = workloads, programs
        self.samples = {w.name: {p: [] for p in programs} for w in workloads}
        self.failures = []

    def add(self, workload, program, sample, failure=None):
        self.samples[workload.name][program].append(sample)
        if failure:
            self.failures.append(f"{workload.name}, {program}: {failure}")

    def value(self, workload, program, key):
        found = [s[key] for s in self.samples[workload.name][program] if s and key in s]
        return median(found) if found else None

    def ratios(self, workload, program, other, key):
        """Round by round, so that a slow minute of the machine hits both sides of a ratio."""
        pairs = zip(self.samples[workload.name][program], self.samples[workload.name][other])
        return [a[key] / b[key] for a, b in pairs if a and b and b.get(key)]

    def ratio(self, workload, program, other, key):
        if program not in self.programs or other not in self.programs:
            return None
        found = self.ratios(workload, program, other, key)
        return median(found) if found else None

    def waited_percent(self):
        """The median over all measurements under load, in percent of their time."""
        found = [s["waited_share"] for programs in self.samples.values()
                 for samples in programs.values() for s in samples if s and "waited_share" in s]
        return round(100 * median(found), 1) if found else 0.0

    def best_peer(self, workload, key):
        peers = [
            (value, p)
            for p in self.programs
            if p != OURS and (value := self.value(workload, p, key)) is not None
        ]
        return min(peers)[1] if peers else None

    def judgements(self, workload):
        """(what, measured, limit, met) for each target this run can say something about."""
        found = []
        if OURS not in self.programs:
            return found
        best = self.best_peer(workload, "cpu_ms_per_unit")
        if workload.target and best:
            ratio = self.ratio(workload, OURS, best, "cpu_ms_per_unit")
            found.append((f"CPU of the best peer ({best})", ratio, workload.target))
        if workload.latency_target:
            for key, what in (("p50_us", "p50"), ("p99_us", "p99")):
                ratio = self.ratio(workload, OURS, REFERENCE, key)
                found.append((f"{what} of {REFERENCE}", ratio, LATENCY_TARGET))
        if workload.idle:
            held = self.value(workload, OURS, "bytes_per_connection")
            found.append(("bytes per idle connection", held, MEMORY_TARGET_BYTES))
        return [(*f, round(f[1], 2) <= f[2]) for f in found if f[1] is not None]


def number(value, digits=3):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    whole = len(str(int(abs(value))))
    return f"{value:.{max(0, digits - whole)}f}"


def _ratio(value):
    return "–" if value is None else f"{value:.2f}"


def _spread(results, workload, program, key):
    found = results.ratios(workload, program, REFERENCE, key)
    return f"{min(found):.2f}–{max(found):.2f}" if len(found) > 1 else "–"


def columns(results, workload):
    """(heading, function of a program name) for each column of a workload's table."""
    def value(key, scale=1):
        def cell(p):
            found = results.value(workload, p, key)
            return number(found * scale if found is not None else None)
        return cell

    def ratio(key):
        return lambda p: _ratio(results.ratio(workload, p, REFERENCE, key))

    cpu = "cpu_ms_per_unit"
    found = [(f"CPU ms per {workload.unit}", value(cpu))]
    if REFERENCE in results.programs:
        found += [
            ("ratio", ratio(cpu)),
            ("rounds", lambda p: _spread(results, workload, p, cpu)),
        ]
    if workload.idle:
        return found + [
            ("bytes per connection", value("bytes_per_connection")),
            ("ratio", ratio("bytes_per_connection")),
            ("CPU µs per idle second", value("idle_cpu_us_per_second")),
        ]
    rate = {GIGABYTE: "GB/s"}.get(workload.unit, workload.unit.split()[-1] + "/s")
    found.append((rate, value("per_second")))
    for key, what in (("p50_us", "p50 µs"), ("p99_us", "p99 µs")):
        found.append((what, value(key)))
        if REFERENCE in results.programs:
            found.append(("ratio", ratio(key)))
    return found


def _sentence(judgement):
    what, measured, limit, met = judgement
    text = number(measured) if limit > 10 else f"{measured:.2f}"
    return f"{what}: {text} (target ≤ {limit:,}: {'met' if met else 'MISSED'})"


def terminal(results):
    lines = []
    for workload in results.workloads:
        lines += ["", workload.title]
        cells = columns(results, workload)
        rows = [[""] + [heading for heading, _ in cells]]
        rows += [[p] + [cell(p) for _, cell in cells] for p in results.programs]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            first = row[0].ljust(widths[0])
            rest = "  ".join(c.rjust(w) for c, w in zip(row[1:], widths[1:]))
            lines.append(f"  {first}  {rest}")
        lines += [f"  → {_sentence(j)}" for j in results.judgements(workload)]
    if results.failures:
        lines += ["", "Failed:"] + [f"  {failure}" for failure in results.failures]
    return "\n".join(lines)


def markdown(results, facts):
    lines = [
        BEGIN,
        f"Measured on {facts['date']} by `{facts['command']}`: "
        f"{facts['rounds']} interleaved round{'s' if facts['rounds'] > 1 else ''}, medians. Linux {facts['kernel']}, {facts['processor']}, {facts['cpus']} CPUs; "
        f"{facts['pinning']}. {quietness(facts)}",
        "",
        "Programs, one worker thread each: "
        + ", ".join(f"{p} {v}" for p, v in facts["versions"].items())
        + ". "
        + " ".join(f"Not in this run: {p} ({why})." for p, why in facts["missing"].items()),
        "",
        "HAProxy runs the same file as Fairlead, with `option splice-auto`. Under bulk load that "
        "option settles in one of two states, splicing or copying, by chance: its rounds differ by "
        "a factor.",
        "",
        "Absolute times belong to that machine and that hour: on shared machines they move by "
        "tens of percent from run to run. What holds are the ratios. Each is taken within a "
        "round, between measurements seconds apart, and the median of the rounds is shown; "
        "“rounds” gives the smallest and the largest of them. CPU is the user and system time of "
        "all threads of the program, from the kernel's nanosecond clock of the process.",
        "",
    ]
    lines += _targets(results)
    lines += _overview(results)
    for workload in results.workloads:
        cells = columns(results, workload)
        lines += [f"### {workload.title}", "", workload.note, ""]
        lines.append("| | " + " | ".join(heading for heading, _ in cells) + " |")
        lines.append("|---|" + "---:|" * len(cells))
        lines += [
            f"| {p} | " + " | ".join(cell(p) for _, cell in cells) + " |" for p in results.programs
        ]
        lines.append("")
    if results.failures:
        lines += ["### Failed measurements", ""] + [f"- {f}" for f in results.failures] + [""]
    return "\n".join(lines + [END])


def _targets(results):
    if OURS not in results.programs:
        return ["Fairlead was not part of this run.", ""]
    lines = ["### Targets", "", "| workload | Fairlead, as | measured | target | |",
             "|---|---|---:|---:|---|"]
    for workload in results.workloads:
        for what, measured, limit, met in results.judgements(workload):
            text = number(measured) if limit > 10 else f"{measured:.2f}"
            lines.append(
                f"| {workload.title} | {what} | {text} | ≤ {limit:,} | "
                f"{'met' if met else '**missed**'} |"
            )
    return lines + [""]


def _overview(results):
    if REFERENCE not in results.programs:
        return []
    lines = [f"### CPU per unit, {REFERENCE} = 1.00", "",
             "| | " + " | ".join(results.programs) + " |",
             "|---|" + "---:|" * len(results.programs)]
    for workload in results.workloads:
        cells = [_ratio(results.ratio(workload, p, REFERENCE, "cpu_ms_per_unit"))
                 for p in results.programs]
        lines.append(f"| {workload.title} | " + " | ".join(cells) + " |")
    return lines + [""]


def quietness(facts):
    return (
        f"The programs waited {facts['waited_percent']} % of the time for a CPU that other work "
        f"had; other guests of the host took {facts['steal_percent']} %. Above a few percent, "
        "throughput and latency say little, and CPU ratios move."
    )


def facts(arguments, missing, versions, rounds, pinning, words):
    processor = "unknown processor"
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        processor = names[0] if names else processor
    except OSError:
        pass
    return {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["Scripts/bench", *words]),
        "rounds": rounds,
        "seconds": arguments.seconds,
        "kernel": os.uname().release,
        "processor": processor,
        "cpus": os.cpu_count(),
        "pinning": pinning,
        "versions": versions,
        "missing": missing,
    }
