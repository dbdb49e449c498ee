"""One fairlead.yaml, started on two nodes with nothing else said."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.cluster import VIRTUAL, Cluster
from harness.operators import call
from harness.ports import free_port
from harness.process import ManagedProcess
from harness.proxies import FAIRLEAD, REPOSITORY
from harness.routers import NameServer
from harness.waiting import eventually

Make = Callable[..., Cluster]

UPSTREAM = "10.0.0.150"
FILE = f"""\
nodes:
  first: 10.0.0.131
  second: 10.0.0.132
virtualAddresses:
  - {{address: {VIRTUAL[4][0]}, preemptDelay: 1s}}
frontends:
  - listen: 0.0.0.0:6443
servers:
  - {{name: upstream, address: "{UPSTREAM}:6443"}}
check: {{type: tcp}}
"""


def test_the_same_file_on_two_nodes(make_cluster: Make) -> None:
    cluster = make_cluster("fairlead", "fairlead", serves_name=False)
    first, second = cluster.nodes
    server = NameServer(cluster.network.host(f"{UPSTREAM}/26"), "upstream")
    try:
        first.start(FILE)
        second.start(FILE)
        cluster.settle(first)
        eventually(lambda: cluster.client.who(cluster.target) == "upstream", 5, "an answer")
        first.stop()
        cluster.settle(second)
        eventually(lambda: cluster.client.who(cluster.target) == "upstream", 5, "an answer")
        first.start()
        cluster.settle(first)
    finally:
        server.close()


BACK = REPOSITORY / "Examples" / "kubernetes-back"
KEEPALIVED = """\
vrrp_instance VI_1 {{
  state {state}
  interface eth0
  virtual_router_id 51
  priority {priority}
  unicast_src_ip {own}
  unicast_peer {{
    {peer}
  }}
  authentication {{
    auth_type PASS
    auth_pass 42Secure
  }}
  virtual_ipaddress {{
    10.0.0.179/26
  }}
}}
"""


def fairlead(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(FAIRLEAD), *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=20)


def test_files_of_two_nodes_become_one(tmp_path: Path) -> None:
    first, second = ("MASTER", 150, "10.0.0.131"), ("BACKUP", 100, "10.0.0.132")
    for (state, priority, own), (_, _, peer) in ((first, second), (second, first)):
        text = KEEPALIVED.format(state=state, priority=priority, own=own, peer=peer)
        (tmp_path / f"{state}.conf").write_text(text)
    nodes = ["--node", "left:MASTER.conf", "--node", "right:BACKUP.conf"]
    made = fairlead("convert", *nodes, BACK / "haproxy.cfg", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for line in ("followsProxy: false", "failOpen: false", "resetWhenDown: false"):
        assert line in made.stdout
    assert "{left: 150, right: 100}" in made.stdout
    (tmp_path / "fairlead.yaml").write_text(made.stdout)
    for node in ("left", "right"):
        checked = fairlead("check", "--node", node, "fairlead.yaml", cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr


def test_names_of_nodes_are_asked_for_once_each(tmp_path: Path) -> None:
    text = KEEPALIVED.format(state="BACKUP", priority=9, own="10.0.0.131", peer="10.0.0.132")
    (tmp_path / "k").write_text(text)
    for nodes in (["a:k", "a:k"], ["a b:k"], ["k"], ["a:missing"]):
        words = [word for node in nodes for word in ("--node", node)]
        made = fairlead("convert", *words, cwd=tmp_path)
        assert (made.returncode, made.stdout) == (1, ""), nodes
        assert nodes[-1].split(":")[-1] in made.stderr


def test_a_new_file_is_written_and_never_over_another(tmp_path: Path) -> None:
    words = ["init", "--vip", "10.0.0.179/26", "--node", "left=10.0.0.131"]
    words += ["--server", "one=10.0.0.11:6443"]
    made = fairlead(*words, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    file = tmp_path / "fairlead.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert fairlead(*words, cwd=tmp_path).returncode == 1
    assert file.read_text() == text
    assert fairlead(*words, "-", cwd=tmp_path).stdout == text


def test_a_file_is_known_by_what_it_holds_and_then_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.yaml"
    for text, said in (
        ("", "fairlead.yaml: error: the file is empty"),
        ("# later\n", "fairlead.yaml: error: the file is empty"),
        ("nodes\n  lb-1: 10.0.0.1\n", "fairlead.yaml:1:5: error: a ':' is missing"),
        ("kind: Pod\nspec: {}\n", "fairlead.yaml:1:1: error: this is no native file"),
        ('{"frontend": []}\n', "fairlead.yaml:1:2: error: frontend: unknown key; did you mean"),
    ):
        file.write_text(text)
        for node in ([], ["--node", "lb-1"]):
            checked = fairlead("check", *node, file.name, cwd=tmp_path)
            assert checked.returncode == 1, text
            lines = checked.stderr.splitlines()
            assert lines[0].startswith(said) and lines[-1] == "1 error found", checked.stderr
    file.write_text((BACK / "haproxy.cfg").read_text())
    checked = fairlead("check", file.name, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_print_tells_what_the_other_dialects_cannot(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.yaml"
    token = "0123456789abcdef"
    for http, said in (
        ("", "at 127.0.0.1:9600, if it is free; reading needs no token, nothing can be changed"),
        ("http: none\n", "no dashboard (http: none)"),
        (f"http: {{token: {token}}}\n", "nothing without the token (http)"),
    ):
        file.write_text("frontends: [{listen: 6443}]\nservers: [10.0.0.1:6443]\n" + http)
        printed = fairlead("check", "--print", file.name, cwd=tmp_path)
        last = printed.stdout.splitlines()[-1]
        assert last.startswith("# fairlead.yaml: ") and said in last, printed.stdout
        assert token not in printed.stdout


def test_init_names_the_option_that_is_missing(tmp_path: Path) -> None:
    made = fairlead("init", "--vip", "10.0.0.179/26", cwd=tmp_path)
    assert made.returncode != 0
    assert "--node NAME=ADDRESS is missing" in made.stderr
    assert "--server NAME=ADDRESS:PORT is missing" in made.stderr
    assert "fairlead.yaml:" not in made.stderr, "there is no such file"
    assert not (tmp_path / "fairlead.yaml").exists()


def test_init_takes_servers_without_a_name(tmp_path: Path) -> None:
    made = fairlead("init", "-", "--server", "127.0.0.1:7442", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "\n  - 127.0.0.1:7442\n" in made.stdout
    made = fairlead("init", "-", "--server", "127.0.0.1", cwd=tmp_path)
    assert made.returncode == 1
    assert "servers[0]: the port is missing" in made.stderr


GROUP = 4242
WITH_GROUP = 'mount --bind "$1" /etc/group && shift && exec "$@"'


def test_the_service_reads_what_init_has_written(tmp_path: Path) -> None:
    """Where the group exists; the service's user reads the file again at a reload."""
    groups = tmp_path / "group"
    groups.write_text(Path("/etc/group").read_text() + f"fairlead:x:{GROUP}:\n")
    folder = Path(tempfile.mkdtemp(prefix="fairlead-service-"))
    folder.chmod(0o755)
    port = free_port()
    try:
        file = folder / "fairlead.yaml"
        words = ["unshare", "-m", "sh", "-c", WITH_GROUP, "sh", groups, FAIRLEAD, "init", file]
        words += ["--server", "127.0.0.1:1", "--listen", f"127.0.0.1:{port}"]
        made = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=20)
        assert made.returncode == 0, made.stderr
        about = file.stat()
        assert (about.st_uid, about.st_gid) == (0, GROUP)
        assert stat.S_IMODE(about.st_mode) == 0o640
        as_service = ["setpriv", "--reuid=65534", f"--regid={GROUP}", "--clear-groups"]
        options = ["--http", "none", "--control", "none"]
        running = ManagedProcess([*as_service, str(FAIRLEAD), "run", *options, str(file)])
        try:
            assert running.stderr is not None
            running.stderr.wait_for_text("is ready", 10)
            file.write_text(file.read_text() + "  - 127.0.0.1:2\n")
            running.signal(signal.SIGHUP)
            running.stderr.wait_for_text("event=reload.done", 10)
        finally:
            running.kill()
    finally:
        shutil.rmtree(folder)


def test_editors_find_the_schema_where_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "fairlead"
    shutil.copy(FAIRLEAD, program)
    command = [str(program), "init", "-", "--server", "127.0.0.1:1"]

    def first_line() -> str:
        made = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert made.returncode == 0, made.stderr
        return made.stdout.splitlines()[0]

    assert first_line() == "frontends:"
    schema = tmp_path / "share" / "fairlead" / "fairlead.schema.json"
    schema.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "Packaging" / "fairlead.schema.json", schema)
    assert first_line() == f"# yaml-language-server: $schema={schema}"


EXAMPLE = REPOSITORY / "Examples" / "fairlead.yaml"


def test_any_machine_can_check_a_file(tmp_path: Path) -> None:
    """This one is none of the nodes, and has none of their interfaces."""
    for words in ([], ["--node", "lb-2"]):
        checked = fairlead("check", *words, EXAMPLE, cwd=tmp_path)
        said = (checked.returncode, checked.stdout, checked.stderr)
        assert said == (0, "Configuration file is valid\n", "")
    noted = fairlead("check", "--verbose", "--node", "lb-2", EXAMPLE, cwd=tmp_path)
    assert "note: virtual address '10.0.0.179': no interface" in noted.stderr
    printed = fairlead("check", "--print", EXAMPLE, cwd=tmp_path)
    assert [printed.stdout.count(f"# node lb-{n}\n") for n in (1, 2, 3)] == [1, 1, 1]
    for words in ([], ["--node", "lb-2"]):
        ran = fairlead("run", *words, EXAMPLE, cwd=tmp_path)
        assert ran.returncode == 1 and "error: " in ran.stderr, "to run it is another matter"


def test_a_file_without_words_is_an_error(tmp_path: Path) -> None:
    for text in ("", "# nothing\n"):
        (tmp_path / "fairlead.yaml").write_text(text)
        checked = fairlead("check", "fairlead.yaml", cwd=tmp_path)
        assert checked.returncode == 1
        assert "the file is empty" in checked.stderr and "'frontends'" in checked.stderr
        assert "bind" not in checked.stderr


def test_a_password_is_warned_of_with_its_place(tmp_path: Path) -> None:
    file = EXAMPLE.parent / "beside-keepalived" / "fairlead.yaml"
    checked = fairlead("check", file, cwd=tmp_path)
    assert checked.returncode == 0
    number = 1 + [line.strip() for line in file.read_text().splitlines()].index(
        "password: 42Secure"
    )
    assert f"fairlead.yaml:{number}:15: warning: virtualAddresses[0].password" in checked.stderr
    assert "after more than 3s" in checked.stderr


def test_a_name_without_an_address_does_not_stop_the_start(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    file = tmp_path / "fairlead.yaml"
    file.write_text(
        f"frontends: [{{listen: 127.0.0.1:{free_port()}}}]\n"
        f"servers: [{{name: late, address: late.test:{free_port()}}}]\ncheck: false\n"
    )
    control = tmp_path / "control.sock"
    mount = f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"'
    run = [str(FAIRLEAD), "run", "--http", "none", "--control", str(control), str(file)]
    daemon = ManagedProcess(["unshare", "-m", "sh", "-c", mount, *run])
    try:
        eventually(lambda: "process.ready" in daemon.stderr.text, 30, "it starts")
        assert "could not resolve address 'late.test'; it is in maintenance" in daemon.stderr.text
        assert '"state":"maintenance"' in call(control, "status", "--json")[1].replace(" ", "")
        with hosts.open("a") as more:
            more.write("127.0.0.1 late.test\n")
        eventually(lambda: "from (none) to 127.0.0.1" in daemon.stderr.text, 30, "it is found")
        assert '"state":"up"' in call(control, "status", "--json")[1].replace(" ", "")
    finally:
        daemon.kill()
