"""An endpoint's server, and a relay and a dispatcher that send to it on one clock of ours."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import RawTestServer
from sqlalchemy import select

from control_api.outbox import emit
from control_api.outbox.relay import Relay
from control_api.outbox.tables import outbox
from control_api.webhooks import deliveries, endpoints, types
from control_api.webhooks.dispatcher import Dispatcher
from control_api.webhooks.sender import Sender, fetcher
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.signature import secret_bytes
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint
from control_api.webhooks.vault import Vault
from runtime.clock import ManualClock
from runtime.sql import Database
from runtime.store import MemoryStore

SETTINGS = Webhooks(allow_http=True, private_networks=["127.0.0.0/8"])
AFTER_S = (6, 11, 22, 44)  # each a little longer than the dispatcher waits (CTL-151)
VAULT = Vault(b"k" * 32)


class Site:
    """An endpoint's server: answers what it is told to, remembers what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], web.Response]] = {}
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.slow = asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((request.path, headers, await request.read()))
        if request.path == "/slow":
            await self.slow.wait()
        return self.answers.get(request.path, web.Response)()

    def says(self, status: int, path: str = "/hook", **headers: str) -> None:
        self.answers[path] = lambda: web.Response(status=status, headers=headers)

    def states(self, path: str = "/hook") -> list[str]:
        return [json.loads(body)["data"]["state"] for at, _, body in self.got if at == path]


class Desk:
    """A database with endpoints, a relay and a dispatcher on one clock of ours."""

    def __init__(self, database: Database, base: str, client: Any) -> None:
        self.database, self.base = database, base
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.relay = Relay(
            database, self.store, owner="r", spread=[deliveries.spread], clock=self.clock
        )
        sender = Sender(client, VAULT, self.clock)
        self.dispatcher = Dispatcher(
            database,
            self.store,
            sender,
            SETTINGS,
            owner="d",
            clock=self.clock,
            chance=lambda: 0.5,
        )

    async def endpoint(self, path: str = "/hook", *topics: str, **more: Any) -> tuple[str, bytes]:
        body = types.NewEndpoint(self.base + path, [*topics] or ["account.*"], **more)
        async with self.database.write() as connection:
            made, secret = await endpoints.create(
                connection, VAULT, SETTINGS, "acc_1", body, self.clock.now_ms()
            )
        return made.id, secret_bytes(secret)

    async def tell(self, *states: str) -> None:
        async with self.database.write() as connection:
            for state in states:
                data = {"account_id": f"acc_{state[0]}", "state": state}
                await emit(connection, "account.created", data, self.clock.now_ms())
        await self.relay.turn()

    async def turn(self) -> None:
        await asyncio.gather(*await self.dispatcher.turn())

    async def tries(self) -> None:
        """As often as a message is tried before it is given up."""
        for wait_s in (0, *AFTER_S):
            self.clock.advance(wait_s)
            await self.turn()

    async def state(self, endpoint_id: str) -> tuple[str, str | None]:
        query = select(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id)
        async with self.database.read() as connection:
            row = (await connection.execute(query)).one()
        return row.state, row.reason

    async def rows(self) -> list[Any]:
        query = select(webhook_delivery).order_by(webhook_delivery.c.seq)
        async with self.database.read() as connection:
            return list((await connection.execute(query)).all())

    async def told(self) -> list[str]:
        async with self.database.read() as connection:
            query = select(outbox.c.topic).where(outbox.c.published_ms.is_(None))
            return sorted((await connection.execute(query)).scalars())


@asynccontextmanager
async def desk_of(database: Database, site: Site) -> AsyncIterator[Desk]:
    """A desk whose endpoints are paths of `site`; `/slow` lets its callers go at the end."""
    server = RawTestServer(site)
    await server.start_server()
    async with fetcher(SETTINGS) as client:
        yield Desk(database, str(server.make_url("")).rstrip("/"), client)
    site.slow.set()
    await server.close()
