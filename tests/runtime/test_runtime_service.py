"""The life of a process, seen from outside: a real child, real signals, exit codes (HT-67)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from runtime import service

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30

PROGRAM = '''
import asyncio, signal, sys
from aiohttp import web
from runtime import logs
from runtime.service import Background, Web, run

mode = sys.argv[1]

class Slow:
    """A part below the web: says what happens to it."""
    name = "slow"
    async def start(self):
        if mode == "slow-start":
            print('{"event": "in_start"}', flush=True)
            await asyncio.Event().wait()
        if mode == "no-start":
            raise RuntimeError("no such\\nplace")
    def ready(self):
        return None
    async def drain(self):
        if mode == "stuck-drain":
            await asyncio.Event().wait()
    async def stop(self):
        print('{"event": "slow_stopped"}', flush=True)

async def work():
    if mode == "dies":
        raise ValueError("lost the disk")
    if mode == "ends":
        return
    await asyncio.Event().wait()

release = asyncio.Event()

async def held(_):
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, release.set)
    print('{"event": "held"}', flush=True)
    await release.wait()
    return web.Response(text="done")

logs.setup("t")
app = web.Application()
app.router.add_get("/held", held)
parts = [Slow(), Background("pump", work), Web("api", app, host="127.0.0.1", port=0)]
parts[-1]._log_port = True
_start = parts[-1].start
async def start():
    await _start()
    print('{"event": "port", "port": %d}' % parts[-1].port, flush=True)
parts[-1].start = start
sys.exit(run("t", parts, admin=("127.0.0.1", 0)))
'''

Start = Callable[[str], Awaitable["Child"]]


class Child:
    """The program, its lines, and a way to wait for one of them."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[dict[str, object]] = []

    async def until(self, event: str) -> dict[str, object]:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"{event} never came: {self.lines}")

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await self.process.communicate()
        self.lines += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode or 0, err.decode()

    def events(self) -> list[object]:
        return [line["event"] for line in self.lines]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    children: list[Process] = []

    async def go(mode: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", str(program), mode),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=PIPE,
            stderr=PIPE,
        )
        children.append(process)
        return Child(process)

    yield go
    for process in children:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_sigterm_lets_the_request_in_flight_finish(start: Start) -> None:
    child = await start("plain")
    port = (await child.until("port"))["port"]
    await child.until("service_started")
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as client:
        flight = asyncio.create_task(client.get(f"{url}/held"))
        await child.until("held")
        child.process.send_signal(signal.SIGTERM)
        await child.until("signal")
        with pytest.raises(ConnectionRefusedError):
            async with asyncio.timeout(DEADLINE_S):
                while True:  # until the listener is closed, which is before the request ends
                    with suppress(ConnectionResetError):  # it was queued then
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
        child.process.send_signal(signal.SIGUSR1)
        answer = await flight
        assert (answer.status, await answer.text()) == (200, "done")
        assert answer.headers["Connection"] == "close"
    assert await child.end() == (0, "")
    assert child.events()[-2:] == ["slow_stopped", "service_stopped"]


async def test_sigint_ends_an_idle_service(start: Start) -> None:
    child = await start("plain")
    await child.until("service_started")
    child.process.send_signal(signal.SIGINT)
    assert await child.end() == (0, "")


async def test_sigterm_during_start_ends_it(start: Start) -> None:
    child = await start("slow-start")
    await child.until("in_start")
    child.process.send_signal(signal.SIGTERM)
    assert await child.end() == (0, "")
    assert "service_started" not in child.events()
    assert "slow_stopped" in child.events()


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("dies", "headwater t: pump died: lost the disk\n"),
        ("ends", "headwater t: pump ended by itself\n"),
        ("no-start", "headwater t: slow could not start: no such place\n"),
    ],
)
async def test_a_dead_part_ends_the_process_and_says_why(
    start: Start, mode: str, line: str
) -> None:
    child = await start(mode)
    assert await child.end() == (3, line)
    assert "slow_stopped" in child.events()


async def test_a_second_signal_skips_the_drain(start: Start) -> None:
    child = await start("stuck-drain")
    await child.until("service_started")
    child.process.send_signal(signal.SIGTERM)
    await child.until("signal")
    child.process.send_signal(signal.SIGTERM)
    code, line = await child.end()
    assert (code, line) == (3, "headwater t: stopped by a second signal\n")
    assert child.lines[-1]["seconds"] < service.DRAIN_S  # type: ignore[operator]


@pytest.mark.slow
async def test_a_stuck_drain_is_cut_within_ten_seconds(start: Start) -> None:
    child = await start("stuck-drain")
    await child.until("service_started")
    child.process.send_signal(signal.SIGTERM)
    assert await child.end() == (0, "")
    assert {"drain_cut", "slow_stopped"} <= set(child.events())
    assert service.DRAIN_S + service.ABORT_S + service.STOP_S <= 10


def test_a_service_whose_words_nobody_reads_ends_as_asked(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    child = subprocess.Popen(
        [sys.executable, str(program), "plain"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert child.stdout is not None
        while b"service_started" not in child.stdout.readline():
            assert child.poll() is None
        child.stdout.close()
        child.terminate()
        child.wait(DEADLINE_S)
    finally:
        child.kill()
        child.wait()
