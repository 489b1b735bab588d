"""The whole demo, started as a user would, on free ports and a folder of its own. It encodes all
the while, and so ends with the module that asked for it: others have the machine to themselves.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from twins.chromium import chromium
from twins.crew import exchange, until
from twins.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Demo:
    """A running demo; `data` is its folder, the ports are free ones."""

    url: str
    delivery: str
    ingest: str
    proxy: str
    router: str
    edge_admin: dict[str, str]
    data: Path
    process: subprocess.Popen[str]

    def wait_for_live(self) -> None:
        """Until the live playlist lists enough for a player to start (three target durations)."""
        port, path = int(self.delivery.rpartition(":")[2]), "/live/demo/v234/media.m3u8"
        until(lambda: exchange(port, "GET", path).text.count("#EXTINF") >= 5, "live segments", 120)


def environment(ports: list[int]) -> dict[str, str]:
    """Ports and nothing else: services find one another."""
    control, delivery, ingest, origin_admin, proxy, proxy_admin, router, a, a_admin, b, b_admin = (
        ports
    )
    edges = (
        f'[{{"name":"CDN-A","port":{a},"admin_port":{a_admin}}},'
        f'{{"name":"CDN-B","port":{b},"admin_port":{b_admin},"platform":"akamai"}}]'
    )
    said: dict[str, Any] = {
        "CONTROL__PORT": control,
        "ORIGIN__DELIVERY_PORT": delivery,
        "ORIGIN__INGEST_PORT": ingest,
        "ORIGIN__ADMIN_PORT": origin_admin,
        "PROXY__PORT": proxy,
        "PROXY__ADMIN_PORT": proxy_admin,
        "ROUTER__PORT": router,
        "DEMO__EDGES": edges,
    }
    return os.environ | {f"HEADWATER_{key}": str(value) for key, value in said.items()}


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first demo leaves its film for the others."""
    return tmp_path_factory.mktemp("film")


@pytest.fixture(scope="module")
def demo(film_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data = tmp_path_factory.mktemp("demo")
    (data / "demo").symlink_to(film_folder)
    ports = free_ports(11)
    process = subprocess.Popen(
        [sys.executable, "-m", "headwater.cli", "up", "--demo", "--data", str(data)],
        cwd=ROOT, env=environment(ports), text=True, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # ends when the demo is ready, or when it gave up
        assert line.startswith("ready http://"), line
        yield Demo(
            url=line.split()[1],
            delivery=f"http://127.0.0.1:{ports[1]}",
            ingest=f"http://127.0.0.1:{ports[2]}",
            proxy=f"http://localhost:{ports[4]}",
            router=f"http://localhost:{ports[6]}",
            edge_admin={
                "CDN-A": f"http://127.0.0.1:{ports[8]}",
                "CDN-B": f"http://127.0.0.1:{ports[10]}",
            },
            data=data,
            process=process,
        )
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=100)
        if process.stdout is not None:
            process.stdout.close()
    assert code == 0, "Ctrl-C ends the demo cleanly"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened
