"""A proxy of its own before an origin that a test plays."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from manifest_proxy import server as proxy
from manifest_proxy.fetching import GuardedFetcher
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Request, serve
from runtime.clock import SystemClock


class Patient(GuardedFetcher):
    """Waits for an origin, however slow the machine."""

    def __init__(self, *bases: Any, **options: Any) -> None:
        super().__init__(*bases, **options | {"timeout_s": 60.0, "connect_timeout_s": 60.0})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "GuardedFetcher", Patient)


@pytest.fixture
async def near(tmp_path: Path) -> AsyncIterator[Any]:
    """Starts a proxy with these rules; its address and a client. Without keys it asks no tokens."""
    async with AsyncExitStack() as stack:

        async def start(
            origin: Callable[[Request], Answer],
            rules: str,
            keys: Any = None,
            *,
            clock: Any = None,
            **more: Any,
        ) -> tuple[str, aiohttp.ClientSession]:
            (tmp_path / "r.toml").write_text(rules)
            server = await serve(origin, host="127.0.0.1", port=0)
            stack.push_async_callback(server.close)
            settings = Settings.model_validate(
                {
                    "port": 0,
                    "origin_url": f"http://127.0.0.1:{server.port}",
                    "steering_url": "",
                    "require_token": keys is not None,
                    "rules_file": tmp_path / "r.toml",
                    **more,
                }
            )
            issuers = ("h",) if keys is not None else ()
            running = parts(settings, keys, issuers=issuers, clock=clock or SystemClock())
            for part in running:
                await part.start()
                stack.push_async_callback(part.stop)
            listener = running[-1]
            assert isinstance(listener, Listener)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            return f"http://127.0.0.1:{listener.port}", client

        yield start
