"""Servers that can be killed outright, frozen and started again on the data they had."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from twins.killable import Killable
from twins.plugin import POSTGRESQL_BIN
from twins.process import START_S, answers, folder, needs


class Engine(Killable):
    """A server and the processes that it made. `ready` is a command, `word` what it then prints."""

    def __init__(self, command: Sequence[str], url: str, ready: Sequence[str], word: bytes) -> None:
        self.url = url
        self._command = command
        self._ready = ready
        self._word = word

    def start(self) -> None:
        """Returns at once."""
        self._process = subprocess.Popen(
            self._command,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_S
        while not answers(self._ready, self._word):
            assert time.monotonic() < deadline, f"{self._command[0]} does not start"
            time.sleep(0.02)

    def _tell(self, number: signal.Signals) -> None:
        """All its processes; the first one makes no more meanwhile."""
        assert self._process is not None
        first = self._process.pid
        os.kill(first, signal.SIGSTOP)
        children = Path(f"/proc/{first}/task/{first}/children").read_text()
        for each in [*map(int, children.split()), first]:
            with suppress(ProcessLookupError):
                os.kill(each, number)


@contextmanager
def _run(engine: Engine) -> Iterator[Engine]:
    engine.start()
    try:
        yield engine
    finally:
        engine.kill()


@contextmanager
def postgresql() -> Iterator[Engine]:
    """One with commits as durable as they come."""
    with folder() as home:
        data = home / "pg"
        as_user: list[str] = []
        if os.geteuid() == 0:  # initdb refuses root
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
            subprocess.run(["install", "-d", "-o", "postgres", str(data)], check=True)
        shape = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [*as_user, str(POSTGRESQL_BIN / "initdb"), "-D", str(data), *shape],
            check=True,
            capture_output=True,
            cwd="/",
        )
        flags = ["-D", str(data), "-k", str(data), "-c", "listen_addresses="]
        ask = ["psql", "-h", str(data), "-U", "postgres", "-Atc", "SELECT 'up'"]
        command = [*as_user, str(POSTGRESQL_BIN / "postgres"), *flags]
        url = f"postgresql://postgres@/postgres?host={data}"
        with _run(Engine(command, url, ask, b"up")) as made:
            yield made


@contextmanager
def redis(*, durable: bool = False) -> Iterator[Engine]:
    """One that forgets everything when it is killed, or with `durable` writes all to its file."""
    with folder() as home:
        socket = home / "r.sock"
        disk = ["--save", "", "--appendonly", "yes" if durable else "no", "--dir", str(home)]
        command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), *disk]
        ping = [needs("redis-cli"), "-s", str(socket), "ping"]
        with _run(Engine(command, f"unix://{socket}", ping, b"PONG")) as made:
            yield made
