"""What the shells complete: subcommands and options by themselves, servers with the help of the
running daemon."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.process import run
from harness.proxies import FAIRLEAD, Fairlead, Proxy

Start = Callable[..., Proxy]

pytestmark = pytest.mark.fairlead_only

TEXT = """\
defaults
    mode tcp
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend edge
    bind 127.0.0.1:{port}
    default_backend masters
backend masters
    server one 127.0.0.1:1
    server two 127.0.0.1:1
backend spare
    server one 127.0.0.1:1
"""


@pytest.fixture
def proxy(start: Start) -> Fairlead:
    proxy = start(TEXT.format(port=free_port()))
    assert isinstance(proxy, Fairlead)
    return proxy


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "fairlead.bash"
    path.write_text(generated("bash"))
    return path


def generated(shell: str) -> str:
    code, out, errors = run([str(FAIRLEAD), "--generate-completion-script", shell])
    assert code == 0, errors
    return out


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last word; the program is found where the shell finds it."""
    line = shlex.join(["fairlead", *words])
    commands = f"""\
PATH={shlex.quote(str(FAIRLEAD.parent))}:$PATH
source {shlex.quote(str(script))}
COMP_WORDS=(fairlead {shlex.join(words)})
COMP_CWORD={len(words)}
COMP_LINE={shlex.quote(line)}
COMP_POINT=${{#COMP_LINE}}
COMP_TYPE=9
function=$(complete -p fairlead | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" fairlead "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    code, out, errors = run(["bash", "--norc", "-c", commands])
    assert errors == "", (code, errors)
    return {each.strip() for each in out.splitlines() if each.strip()}


def test_commands_and_options(script: Path) -> None:
    assert {"status", "drain", "undrain", "reload"} <= completed(script, "")
    assert completed(script, "und") == {"undrain"}
    assert "--watch" in completed(script, "status", "--")


def test_servers_of_the_running_daemon(script: Path, proxy: Fairlead) -> None:
    control = ("--control", str(proxy.control))
    everyone = {"masters/one", "masters/two", "spare/one"}
    assert completed(script, "drain", *control, "") == everyone
    assert completed(script, "drain", *control, "masters/") == {"masters/one", "masters/two"}
    assert completed(script, "undrain", *control, "") == set()
    code, _, errors = run([str(FAIRLEAD), "drain", "masters/two", *control])
    assert code == 0, errors
    assert completed(script, "undrain", *control, "") == {"masters/two"}
    assert completed(script, "sessions", *control, "--server", "") == everyone
    assert completed(script, "drain", *control, "") == everyone - {"masters/two"}


def test_nodes_of_the_file_and_of_the_running_daemon(
    script: Path, start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "fairlead.yaml"
    file.write_text(
        "nodes: {left: 127.0.0.1, right: 127.0.0.2}\n"
        f"frontends: [{{listen: 127.0.0.1:{free_port()}}}]\n"
        "servers: [127.0.0.1:1]\nhttp: none\n"
    )
    for command in ("run", "check", "verify"):
        assert completed(script, command, str(file), "--node", "") == {"left", "right"}
        assert completed(script, command, "--node", "") == set(), "no file, no nodes"
    assert completed(script, "check", "/nonexistent", "--node", "") == set()
    proxy = start(file.read_text())
    assert isinstance(proxy, Fairlead)
    control = ("--control", str(proxy.control))
    assert completed(script, "failover", *control, "--to", "") == {"left", "right"}


def test_no_daemon_and_one_that_hangs_are_silence(script: Path, proxy: Fairlead) -> None:
    assert completed(script, "drain", "--control", "/nonexistent/socket", "") == set()
    proxy.process.signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        assert completed(script, "drain", "--control", str(proxy.control), "") == set()
        assert time.monotonic() - begin < 10, "a prompt does not stand still"
    finally:
        proxy.process.signal(signal.SIGCONT)


@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef fairlead"), ("fish", "complete ")])
def test_other_shells_have_one(shell: str, word: str) -> None:
    text = generated(shell)
    assert word in text and "---completion" in text
