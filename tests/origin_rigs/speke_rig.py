"""The key server of tests/twins, started."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twins.ports import free_port
from twins.process import running

SERVER = Path(__file__).parents[1] / "twins" / "speke_server.py"


@contextmanager
def speke_server(folder: Path) -> Iterator[str]:
    """Its address; it ends with the context. `folder` takes its log."""
    port = free_port()

    def ready() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with running([sys.executable, str(SERVER), str(port)], ready, folder / "log"):
        yield f"http://127.0.0.1:{port}"
