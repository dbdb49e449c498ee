"""The tcplog line: parsed into named fields, and compared between two proxies.

Format: %ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LINE = re.compile(
    r"(?P<ci>[0-9a-fA-F.:]+):(?P<cp>\d+) "
    r"\[(?P<t>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] "
    r"(?P<ft>\S+) (?P<b>[^/ ]+)/(?P<s>\S+) "
    r"(?P<Tw>-?\d+)/(?P<Tc>-?\d+)/(?P<Tt>\+?-?\d+) (?P<B>\+?\d+) (?P<ts>[-A-Za-z]{2}) "
    r"(?P<ac>\d+)/(?P<fc>\d+)/(?P<bc>\d+)/(?P<sc>\d+)/(?P<rc>\+?\d+) (?P<sq>\d+)/(?P<bq>\d+)"
)
TIMERS = frozenset({"Tw", "Tc", "Tt"})
PER_RUN = frozenset({"cp", "t"})  # differ between any two runs

# A timer agrees within a quarter second (scheduling on a busy two-core machine, measured below
# 100 ms) or 15 %, whichever is more. -1 means "never got there" and must agree exactly.
TOLERANCE_MS = 250
TOLERANCE_SHARE = 0.15


def parse(line: str) -> dict[str, str]:
    match = LINE.fullmatch(line)
    if match is None:
        raise AssertionError(f"not a tcplog line: {line!r}")
    return match.groupdict()


def is_tcplog(line: str) -> bool:
    return LINE.fullmatch(line) is not None


def timers_agree(one: str, other: str) -> bool:
    if one[:1] == "+" or other[:1] == "+":
        return one[:1] == other[:1] and timers_agree(one[1:], other[1:])
    if "-1" in (one, other):
        return one == other
    reference, actual = int(one), int(other)
    return abs(reference - actual) <= max(TOLERANCE_MS, TOLERANCE_SHARE * reference)


def differences(
    reference: Mapping[str, str],
    actual: Mapping[str, str],
    *,
    timers: frozenset[str] = TIMERS,
    per_run: frozenset[str] = PER_RUN,
) -> dict[str, tuple[str, str]]:
    """Fields on which two records disagree, as (reference, actual)."""
    found = {}
    for field in [*reference, *(name for name in actual if name not in reference)]:
        one, other = reference.get(field, "(absent)"), actual.get(field, "(absent)")
        if field in per_run and field in reference and field in actual:
            continue
        agrees = timers_agree(one, other) if field in timers else one == other
        if not agrees:
            found[field] = (one, other)
    return found
