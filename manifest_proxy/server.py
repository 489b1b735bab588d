"""The proxy's listener: the delivery protocol over one `Service`, and its client for the origin."""

import cat
from native.http import Handler, Server, serve
from runtime.clock import SYSTEM, Clock
from runtime.fetch import Fetcher
from runtime.service import DRAIN_S, Part

from .policy import Pathway
from .service import Service
from .settings import Settings
from .upstream import Upstream


class Listener:
    """The viewer-facing port as a part of the process."""

    def __init__(self, handler: Handler, host: str, port: int, *, reuse_port: bool) -> None:
        self.name = "proxy"
        self.port = port
        self._handler = handler
        self._host = host
        self._reuse_port = reuse_port
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await serve(
            self._handler, host=self._host, port=self.port, reuse_port=self._reuse_port
        )
        self.port = self._server.port

    def ready(self) -> str | None:
        return None if self._server is not None else "not listening"

    async def drain(self) -> None:
        if self._server is not None:
            await self._server.drain(DRAIN_S - 0.5)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.close()


def parts(
    settings: Settings,
    keys: cat.KeySet | None,
    *,
    issuers: tuple[str, ...] = (),
    clock: Clock = SYSTEM,
    reuse_port: bool = False,
) -> list[Part]:
    """What `headwater proxy` runs. `keys` may be None only when no token is asked for."""
    if settings.require_token and keys is None:
        raise ValueError("the proxy needs the token keys, or require_token = false")
    fetcher = Fetcher(
        [settings.origin_url],
        name="origin-client",
        timeout_s=settings.fetch_timeout_s,
        connect_timeout_s=settings.fetch_timeout_s,
        max_bytes=settings.max_manifest_bytes,
    )
    upstream = Upstream(
        fetcher,
        settings.origin_url,
        clock,
        stale_if_error_s=settings.stale_if_error_s,
        blocking_timeout_s=settings.blocking_timeout_s,
        capacity=settings.cached_manifests,
        capacity_bytes=settings.cached_bytes,
    )
    service = Service(
        upstream,
        {p.id: Pathway(p.id, p.base_url) for p in settings.pathways},
        origin_url=settings.origin_url,
        public_url=settings.public_url,
        steering_url=settings.steering_url,
        keys=keys if settings.require_token else None,
        options=cat.Options(issuers=issuers, require=("exp",)),
        clock=clock,
    )
    listener = Listener(service, settings.host, settings.port, reuse_port=reuse_port)
    return [fetcher, listener]
