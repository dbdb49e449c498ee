"""The real kubectl, as a client of the endpoint."""

from __future__ import annotations

import os
from pathlib import Path

from .deployment import VIRTUAL, Deployment
from .masters import PORT
from .process import ManagedProcess, run
from .proxies import REPOSITORY

KUBECTL = Path(os.environ.get("KUBECTL", REPOSITORY / ".build-kubectl/kubectl"))


class Kubectl:
    """Verifies the API servers' certificates, and has no configuration but its arguments."""

    def __init__(self, deployment: Deployment) -> None:
        assert KUBECTL.exists(), f"{KUBECTL} is missing: run Scripts/fetch-kubectl"
        self._argv = [
            *deployment.client.prefix, str(KUBECTL), "--kubeconfig", "/dev/null",
            *("--server", f"https://{VIRTUAL}:{PORT}", "--token", "any"),
            *("--certificate-authority", str(deployment.authority / "ca.crt")),
            *("--cache-dir", str(deployment.folder / "kubectl")),
        ]  # fmt: skip

    def run(self, *words: str, within: float = 20.0) -> str:
        """Its output; it has to succeed."""
        code, out, errors = run([*self._argv, *words], within)
        assert code == 0, f"kubectl {' '.join(words)}: {out}{errors}"
        return out

    def start(self, *words: str) -> ManagedProcess:
        """Running; the caller ends it."""
        return ManagedProcess([*self._argv, *words])
