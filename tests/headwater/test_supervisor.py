"""The process tree, with real children: ready, restart, calm end, and what a bad start says."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from twins.ports import free_port

from headwater import supervisor
from headwater.supervisor import Child, Supervisor

# A service in three lines: answers 200 on PORT, notes its pid in FILE, ends on SIGTERM.
SERVICE = """
import http.server, os, sys
open(sys.argv[2], "a").write(f"{os.getpid()}\\n")
http.server.HTTPServer.allow_reuse_address = True
address = ("127.0.0.1", int(sys.argv[1]))
http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def service(folder: Path) -> tuple[Child, Path]:
    port, pids = free_port(), folder / "pids"
    argv: Sequence[str] = (sys.executable, "-c", SERVICE, str(port), str(pids))
    return Child("service", lambda: (0.0, argv), f"http://127.0.0.1:{port}/"), pids


LIMIT_S = 60  # of a child that starts or ends on a busy machine


async def until(condition: object, limit_s: float = LIMIT_S) -> None:
    assert callable(condition)
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def test_a_dead_child_comes_back_and_sigterm_ends_the_tree(tmp_path: Path) -> None:
    child, pids = service(tmp_path)
    ready = asyncio.Event()
    running = asyncio.create_task(Supervisor([child], tmp_path / "log").run(ready.set))
    await asyncio.wait_for(ready.wait(), LIMIT_S)
    os.kill(int(lines(pids)[0]), signal.SIGKILL)
    await until(lambda: len(lines(pids)) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, LIMIT_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines(pids)[1]), 0)


async def test_a_child_that_cannot_start_ends_the_tree_with_its_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, pids = service(tmp_path)
    argv = (sys.executable, "-c", "print('first'); print('port 1 is taken'); raise SystemExit(3)")
    bad = Child("bad", lambda: (0.0, argv), f"http://127.0.0.1:{free_port()}/")
    code = await Supervisor([good, bad], tmp_path / "log").run(lambda: None)
    assert code == supervisor.EXIT_FAILURE
    assert "bad did not start: port 1 is taken" in capsys.readouterr().err
    for pid in lines(pids):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


async def test_who_is_never_ready_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "START_LIMIT_S", 1.0)
    argv = (sys.executable, "-c", "import time; time.sleep(600)")
    slow = Child("slow", lambda: (0.0, argv), f"http://127.0.0.1:{free_port()}/")
    code = await Supervisor([slow], tmp_path / "log").run(lambda: None)
    assert code == supervisor.EXIT_FAILURE
    assert "slow is not ready after 1 s: it said nothing" in capsys.readouterr().err


async def test_the_words_of_an_earlier_start_are_not_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that holds yesterday's: who says nothing now said nothing."""
    (tmp_path / "mute.log").write_text("port 1 is taken\n")
    argv = (sys.executable, "-c", "raise SystemExit(3)")
    mute = Child("mute", lambda: (0.0, argv), f"http://127.0.0.1:{free_port()}/")
    assert await Supervisor([mute], tmp_path).run(lambda: None) == supervisor.EXIT_FAILURE
    assert "mute did not start: it said nothing" in capsys.readouterr().err


async def test_last_words_follow_however_much_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "KEEP_LOG_BYTES", 1 << 16)
    argv = (sys.executable, "-c", "print('x\\n' * 100_000, 'the end\\n'); raise SystemExit(3)")
    loud = Child("loud", lambda: (0.0, argv), f"http://127.0.0.1:{free_port()}/")
    assert await Supervisor([loud], tmp_path).run(lambda: None) == supervisor.EXIT_FAILURE
    assert "loud did not start:  the end" in capsys.readouterr().err


async def test_who_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.3)
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\n"
    argv = (sys.executable, "-c", stubborn + "while True: time.sleep(1)")
    tree = Supervisor([Child("stubborn", lambda: (0.0, argv))], tmp_path / "log")
    ready = asyncio.Event()
    running = asyncio.create_task(tree.run(ready.set))
    await asyncio.wait_for(ready.wait(), LIMIT_S)
    await until(lambda: "up" in lines(tmp_path / "log/stubborn.log"))
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, LIMIT_S) == 0


async def test_a_port_that_another_process_holds_is_said_and_not_shared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child, _ = service(tmp_path)
    other = await asyncio.create_subprocess_exec(*child.launch()[1])
    try:
        await until(lambda: listens(child))
        async with asyncio.timeout(LIMIT_S):
            while "service: another process answers at" not in capsys.readouterr().err:
                code = await Supervisor([child], tmp_path / "log").run(stop_us)
                assert code == supervisor.EXIT_FAILURE
    finally:
        other.kill()
        await other.wait()


def listens(child: Child) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(child.ready_url or "").port)) == 0


def stop_us() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
