"""The house rules that a compiler does not check: file lengths, and which module may import which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "Sources").rglob("*.swift"))
MAXIMUM_LINES = 400
MAXIMUM_COLUMNS = 100

# Module: what it may import besides the standard library.
ALLOWED = {
    "Configuration": {"Glibc", "Yams"},
    "Kernel": {"CLinux", "Glibc"},
    "Proxy": {"Configuration", "Glibc", "Kernel", "Synchronization"},
    "Control": {"FoundationEssentials", "Glibc", "NIOCore", "NIOPosix", "Synchronization"},
    "Dashboard": {
        "Configuration", "Control", "Glibc", "HTTPTypes", "Hummingbird", "HummingbirdCore",
        "HummingbirdTLS", "Logging", "NIOCore", "NIOPosix", "NIOSSL", "Synchronization",
    },  # fmt: skip
    "VRRP": set(),
    "Doctor": {
        *("Configuration", "Failover", "Glibc", "Health", "Kernel", "Resolution", "VRRP"),
        *("NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL", "NIOTLS", "Synchronization"),
    },
    "Failover": {"Configuration", "Glibc", "Kernel", "Subprocess", "Synchronization", "VRRP"},
    "Telemetry": {"Configuration", "Glibc", "Kernel", "Proxy", "Synchronization"},
}


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short_and_narrow(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAXIMUM_LINES, "split it: a file has one role"
    wide = [number for number, line in enumerate(lines, 1) if len(line) > MAXIMUM_COLUMNS]
    assert not wide, f"lines {wide} are wider than {MAXIMUM_COLUMNS} columns"
    assert lines[0].startswith("// "), "a file opens with its role in a few lines"


@pytest.mark.parametrize("module", sorted(ALLOWED))
def test_module_imports_only_what_it_may(module: str) -> None:
    for path in SOURCES:
        if path.parts[path.parts.index("Sources") + 1] != module:
            continue
        imports = set(re.findall(r"^\s*(?:@\w+ )?import (\w+)", path.read_text(), re.M))
        assert imports <= ALLOWED[module], f"{path.name}: {imports - ALLOWED[module]}"


def test_only_the_kernel_module_sees_c() -> None:
    for path in SOURCES:
        if "import CLinux" in path.read_text():
            assert "Kernel" in path.parts, path
