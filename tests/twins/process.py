"""Starting a real server for the tests (CMP-8): a folder of its own, ready by a real command,
stopped by its pid, nothing left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 60.0


def missing(reason: str) -> None:
    """CMP-5: without its server a test fails in `make test` and skips in a bare pytest."""
    if os.environ.get("HEADWATER_TWINS") == "required":
        pytest.fail(f"twin required: {reason}", pytrace=False)
    pytest.skip(reason)


def needs(binary: str) -> str:
    """The path of a program, or no test."""
    found = shutil.which(binary) or shutil.which(binary, path=str(Path(sys.executable).parent))
    if found is None:
        missing(f"{binary} is not installed")
    return str(found)


MEMORY = Path("/dev/shm")
ROOMY_BYTES = 8 << 30


@contextmanager
def folder(*, in_memory: bool = False) -> Iterator[Path]:
    """A short path of its own (a Unix socket's is limited to 107 bytes, CMP-12). In memory, where
    there is enough, is for thousands of files that nobody needs after a crash.
    """
    roomy = in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOMY_BYTES
    path = Path(tempfile.mkdtemp(prefix="hw-", dir=MEMORY if roomy else None))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str], ready: Callable[[], bool], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The server, from the moment `ready` says so until the block ends."""
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-800:]
                missing(f"{Path(command[0]).name} did not start: {tail}")
            time.sleep(0.02)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)  # its own session: helpers go with it
            server.wait()


def answers(command: Sequence[str], expected: bytes) -> bool:
    """Did the command print what a ready server makes it print, in some time?"""
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return expected in done.stdout
