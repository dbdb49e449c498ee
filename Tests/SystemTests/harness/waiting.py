"""Waiting for events with a bound: the only place where a test may look more than once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_SECONDS = 0.01


def eventually(look: Callable[[], Value], within: float, what: str) -> Value:
    """Return the first true value of `look`; fail with `what` when none comes in time."""
    deadline = time.monotonic() + within
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} s: {what} (last seen: {value!r})")
        time.sleep(POLL_SECONDS)
