"""A small process tree: start children, wait until all are ready, keep them alive, end them calmly.

Rules
1. A child that dies before it was ever ready is a mistake in the set-up: the tree ends (exit 3) and
   shows the child's last words. One that dies later is started again, after 0.5 s, 1 s, .. 8 s.
2. SIGTERM or SIGINT ends the children in reverse order of start; who is not gone after `GRACE_S`
   is killed. Children live in sessions of their own, so that Ctrl-C reaches only the supervisor,
   and the kernel ends them should the supervisor itself be killed.
3. What children print goes to one file each, never to the terminal; without a folder for such files
   it goes where the supervisor's own words go.
4. A child that is `alone` is ready before the others start: they find what it makes.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

GRACE_S = 10.0
START_LIMIT_S = 60.0
BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)
STEADY_S = 30.0  # a child that ran so long starts its backoff anew
KEEP_LOG_BYTES = 8 << 20
LAST_BYTES = 4 << 10  # of a log: the last words are among them
EXIT_FAILURE = 3

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Child:
    """One process. `launch` is asked at every start: seconds to wait first, and the command."""

    name: str
    launch: Callable[[], tuple[float, Sequence[str]]]
    ready_url: str | None = None  # answers 200 when ready; None: starts when the others are ready
    ready_socket: Path | None = None  # the Unix socket behind `ready_url`
    alone: bool = False


class ChildFailed(Exception):
    """A child ended before it was ready; the text carries its last words."""


class Supervisor:
    def __init__(self, children: Sequence[Child], log_dir: Path | None) -> None:
        self._children = children
        self._log_dir = log_dir
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._begun: dict[str, tuple[Path, int]] = {}  # log, and where in it
        self._stopping = asyncio.Event()

    async def run(self, on_ready: Callable[[], None]) -> int:
        """Start everything, call `on_ready` once, return the exit code when told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        if self._log_dir is not None:
            self._log_dir.mkdir(parents=True, exist_ok=True)
        tasks: list[asyncio.Task[None]] = []
        stop = asyncio.create_task(self._stopping.wait())
        started = asyncio.create_task(self._first_starts())
        await asyncio.wait((started, stop), return_when=asyncio.FIRST_COMPLETED)
        failure = None
        if started.done() and not started.cancelled():
            failure = started.exception()
        if failure is None and not self._stopping.is_set():
            on_ready()
            tasks = [asyncio.create_task(self._keep(child)) for child in self._children]
            await stop
        self._stopping.set()
        for task in (started, *tasks):
            task.cancel()
        await self._end()
        await asyncio.gather(started, *tasks, return_exceptions=True)
        if failure is None:
            return 0
        print(f"headwater: {failure}", file=sys.stderr, flush=True)
        return EXIT_FAILURE

    async def _first_starts(self) -> None:
        waited_for = [child for child in self._children if child.ready_url is not None]
        for child in waited_for:
            if child.alone:
                await self._first_start(child)
        try:
            async with asyncio.TaskGroup() as group:
                for child in waited_for:
                    if not child.alone:
                        group.create_task(self._first_start(child))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _first_start(self, child: Child) -> None:
        assert child.ready_url is not None
        via = aiohttp.UnixConnector(str(child.ready_socket)) if child.ready_socket else None
        try:
            async with (
                asyncio.timeout(START_LIMIT_S),
                aiohttp.ClientSession(connector=via) as session,
            ):
                if await _is_ready(session, child.ready_url):
                    raise ChildFailed(f"{child.name}: another process answers at {child.ready_url}")
                process = await self._start(child)
                while not await _is_ready(session, child.ready_url):
                    if process.returncode is not None:
                        raise ChildFailed(f"{child.name} did not start: {self._last_words(child)}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            said = self._last_words(child)
            raise ChildFailed(
                f"{child.name} is not ready after {START_LIMIT_S:.0f} s: {said}"
            ) from None

    async def _keep(self, child: Child) -> None:
        """Start the child again whenever it ends."""
        loop = asyncio.get_running_loop()
        process = self._running.get(child.name) or await self._start(child)
        attempt = 0
        while True:
            begun = loop.time()
            code = await process.wait()
            attempt = 0 if loop.time() - begun > STEADY_S else attempt + 1
            print(f"headwater: {child.name} ended ({code}), again", file=sys.stderr, flush=True)
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            process = await self._start(child)

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        delay_s, argv = child.launch()
        await asyncio.sleep(delay_s)
        with contextlib.ExitStack() as files:
            path = self._log_file(child)
            log = None
            if path is not None:
                log = files.enter_context(path.open("ab"))
                self._begun[child.name] = path, log.tell()
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running[child.name] = process
        return process

    async def _end(self) -> None:
        for process in reversed(self._running.values()):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        waits = [asyncio.create_task(p.wait()) for p in self._running.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=GRACE_S)
            for process in self._running.values():
                if late and process.returncode is None:
                    process.kill()
            await asyncio.gather(*waits)

    def _log_file(self, child: Child) -> Path | None:
        if self._log_dir is None:
            return None
        path = self._log_dir / f"{child.name}.log"
        if path.exists() and path.stat().st_size > KEEP_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _last_words(self, child: Child) -> str:
        if self._log_dir is None:
            return "see above"
        if child.name not in self._begun:
            return "it said nothing"
        path, begun = self._begun[child.name]
        with path.open("rb") as log:
            log.seek(max(begun, log.seek(0, os.SEEK_END) - LAST_BYTES))
            said = log.read(LAST_BYTES).decode(errors="replace")
        lines = [line for line in said.splitlines() if line.strip()]
        return lines[-1][:500] if lines else "it said nothing"


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
