"""A service as somebody else's machine runs it: a process, a port, nothing shared but
what its settings name."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from twins.crew import ROOT
from twins.killable import Killable
from twins.ports import free_port

from control_api import keys
from control_api.issuer import Issuer
from control_api.settings import Settings

START_S = 90.0


class Node(Killable):
    """One process of `headwater SERVICE`. `settings` are by section and key, `__` between them."""

    def __init__(
        self, home: Path, name: str = "node", service: str = "control", **settings: Any
    ) -> None:
        self.home = home
        self._service = service
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / f"{name}.log"
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT}/token",
            f"HEADWATER_{service.upper()}__PORT": str(self.port),
            "HEADWATER_DATA__DIR": str(home / "data"),
            **{
                f"HEADWATER_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
                for key, value in settings.items()
            },
        }
        self._issuer: Issuer | None = None

    def start(self) -> None:
        """Returns at once."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headwater.cli", self._service],
                cwd=self.home,
                env=self.environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it is ready."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except urllib.error.HTTPError as refusal:
                refusal.close()
            except OSError:
                pass
            ended = self._process is None or self._process.poll() is not None
            assert not ended and time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def bearer(self, account: str, scopes: frozenset[str], now_s: int) -> str:
        """An access token of its own issuer."""
        if self._issuer is None:
            said = Settings()
            made = keys.load_or_create(
                self.home / "data/control/issuer-keys.json", keys.issuer_keys
            )
            self._issuer = Issuer(
                made, name=said.public_url, audience=said.audience, life_s=14_400, leeway_s=30
            )
        return f"Bearer {self._issuer.issue(account, scopes, now_s)}"
