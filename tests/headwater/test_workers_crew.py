"""Workers of a service behind one port: shared, collected, restarted, ended together."""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twins.ports import free_port, free_ports

from headwater.workers import merged

ROOT = Path(__file__).resolve().parents[2]


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def until(condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


class Crew:
    """`headwater SERVICE --workers N` as a user starts it."""

    def __init__(self, service: str, count: int, data: Path, environ: dict[str, str]) -> None:
        self.log = data / "crew.log"  # a pipe that nobody empties would hold it up
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "headwater.cli", service),
                    *("--workers", str(count), "--data", str(data)),
                ],
                cwd=data,
                env={"PYTHONPATH": f"{ROOT}:{ROOT}/token", "PATH": os.environ["PATH"], **environ},
                stdout=out,
                stderr=out,
            )

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Crew]]:
    started: list[Crew] = []

    def run(service: str, count: int, **environ: str) -> Crew:
        started.append(Crew(service, count, tmp_path, environ))
        return started[-1]

    yield run
    for crew in started:
        if crew.process.poll() is None:
            crew.process.kill()
        crew.process.wait()


def ready(port: int) -> bool:
    return get(port, "/readyz")[0] == 200


def service_environment(service: str) -> tuple[int, int, dict[str, str]]:
    """Port and admin port of a service on free ports; router and control keep port + 100."""
    if service in ("router", "control"):
        port = free_port(twin_at=100)
        return port, port + 100, {f"HEADWATER_{service.upper()}__PORT": str(port)}
    port, admin = free_ports(2)
    said = {"HEADWATER_PROXY__PORT": str(port), "HEADWATER_PROXY__ADMIN_PORT": str(admin)}
    return port, admin, said


@pytest.mark.parametrize("service", ["proxy", "router", "control"])
def test_workers_share_a_port_are_collected_and_end_together(
    service: str, start: Callable[..., Crew]
) -> None:
    port, admin, environ = service_environment(service)
    crew = start(service, 2, **environ)
    both = {"ready": True, "workers": {"0": True, "1": True}}
    until(lambda: json.loads(get(admin, "/readyz")[1] or "null") == both, "both workers")
    assert get(port, "/nothing")[0] in (401, 403, 404)
    for worker in "01":
        line = f'process_start_time_seconds{{worker="{worker}"}}'
        until(lambda line=line: line in get(admin, "/metrics")[1], line)
    pids = crew.children()
    assert len(pids) == 2
    assert crew.stop() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_worker_comes_back_while_the_other_answers(start: Callable[..., Crew]) -> None:
    port, admin, environ = service_environment("router")
    crew = start("router", 2, **environ)
    until(lambda: ready(admin), "both workers")
    before = crew.children()

    def lost() -> bool:
        """Whoever is beside the other is killed: a successor may be there before we look."""
        for pid in set(crew.children()) - {before[1]}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not ready(admin)

    until(lost, "the loss to show")
    until(lambda: get(port, "/healthz")[0] == 200, "the other worker")
    until(lambda: ready(admin), "the lost worker's successor")
    assert before[1] in crew.children()
    assert before[0] not in crew.children()
    assert crew.stop() == 0


def test_a_port_that_cannot_be_shared_is_said(start: Callable[..., Crew]) -> None:
    crew = start("router", 2, HEADWATER_ROUTER__PORT="0")
    assert crew.process.wait(timeout=60) == 2
    assert "router.port: several workers need a fixed port" in crew.log.read_text()


def test_merged_metrics_keep_every_family_once() -> None:
    one = '# HELP a_total x\n# TYPE a_total counter\na_total{k="v"} 1.0\n'
    two = (
        '# HELP a_total x\n# TYPE a_total counter\na_total{k="v"} 2.0\n'
        "# HELP b y\n# TYPE b histogram\n"
        'b_bucket{le="1.0"} 1.0\nb_bucket{le="+Inf"} 2.0\nb_count 2.0\nb_sum 3.5\n'
    )
    text = merged({"0": one, "1": two}).decode()
    assert text.count("# TYPE a_total counter") == 1
    assert 'a_total{k="v",worker="0"} 1.0' in text
    assert 'a_total{k="v",worker="1"} 2.0' in text
    assert 'b_bucket{le="+Inf",worker="1"} 2.0' in text
    assert 'b_sum{worker="1"} 3.5' in text


async def test_a_child_that_is_alone_is_ready_before_the_others_start(tmp_path: Path) -> None:
    from headwater.supervisor import Child, Supervisor

    order = tmp_path / "order"
    source = (
        "import http.server, sys, time\n"
        "open(sys.argv[2], 'a').write(sys.argv[3] + ' started\\n')\n"
        "time.sleep(0.3)\n"
        "server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])),"
        " http.server.SimpleHTTPRequestHandler)\n"
        "open(sys.argv[2], 'a').write(sys.argv[3] + ' ready\\n')\n"
        "server.serve_forever()\n"
    )
    children = []
    for name, port in zip(("second", "first"), free_ports(2), strict=True):
        argv = (sys.executable, "-c", source, str(port), str(order), name)
        launch = lambda argv=argv: (0.0, argv)  # noqa: E731
        children.append(Child(name, launch, f"http://127.0.0.1:{port}/", alone=name == "first"))
    done = asyncio.Event()
    tree = asyncio.create_task(Supervisor(children, tmp_path / "log").run(done.set))
    await asyncio.wait_for(done.wait(), 60)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(tree, 60) == 0
    said = order.read_text().splitlines()
    assert said.index("first ready") < said.index("second started")
