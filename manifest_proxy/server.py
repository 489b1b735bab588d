"""The proxy's listener: the delivery protocol over one `Service`, and its client for the origin."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import cat
from native.http import Desk, Handler, Limits, Server, serve
from runtime import logs
from runtime.clock import SYSTEM, Clock
from runtime.fetch import Fetcher
from runtime.service import DRAIN_S, Background, Part
from runtime.store import Store

from .asked import Asking
from .credentials import Credentials
from .errors import RulesError
from .faults import Faults
from .fetching import GuardedFetcher
from .ledger import Ledger
from .policy import Pathway
from .purges import Purges
from .reports import Reports
from .rulebook import Ruleset
from .rules import read_rules
from .segments import Segments
from .service import Service
from .settings import OriginAccess, Settings
from .upstream import Upstream

RELOAD_S = 0.5
SENDFILE_FROM_BYTES = 4096  # copies that viewers share are small and hot: pages need no copying

log = logs.get("manifest_proxy")


class RuleFile(Background):
    """Watches the rule file; a file with a fault leaves the rules as they were."""

    outlives = (Exception,)

    def __init__(self, path: Path, asking: Asking) -> None:
        super().__init__("proxy-rules", self._watch)
        self._path = path
        self._asking = asking
        self._seen: tuple[int, int] | None = None

    async def start(self) -> None:
        """RulesError when the first reading fails."""
        self._asking.rulesets = self._read()
        await super().start()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_S)
            try:
                if self._stamp() != self._seen:
                    self._asking.rulesets = self._read()
                    log.info("rules_read", file=self._path.name)
            except (RulesError, OSError) as error:
                log.warning("rules_kept", file=self._path.name, detail=str(error))

    def _stamp(self) -> tuple[int, int]:
        now = self._path.stat()
        return now.st_mtime_ns, now.st_size

    def _read(self) -> tuple[Ruleset, ...]:
        self._seen = self._stamp()
        data = self._path.read_bytes()
        return read_rules(data, toml=self._path.suffix == ".toml", tokenised=True).rulesets


class Listener:
    """The viewer-facing port as a part of the process."""

    def __init__(
        self, handler: Handler, desk: Desk | None, host: str, port: int, *, reuse_port: bool
    ) -> None:
        self.name = "proxy"
        self.port = port
        self._handler, self._desk = handler, desk
        self._host = host
        self._reuse_port = reuse_port
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await serve(
            self._handler,
            host=self._host,
            port=self.port,
            desk=self._desk,
            reuse_port=self._reuse_port,
            limits=Limits(sendfile_from_bytes=SENDFILE_FROM_BYTES),
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
    store: Store | None = None,
) -> list[Part]:
    """What `headwater proxy` runs. `keys` may be None only when no token is asked for; nodes share
    in `store` what they know of silent sources.
    """
    if settings.require_token and keys is None:
        raise ValueError("the proxy needs the token keys, or require_token = false")
    backup_url = settings.backup_origin_url or ""
    fetcher = GuardedFetcher(
        [url for url in (settings.origin_url, backup_url) if url],
        private=settings.private_networks,
        name="origin-client",
        timeout_s=settings.fetch_timeout_s,
        connect_timeout_s=settings.fetch_timeout_s,
        max_bytes=settings.max_manifest_bytes,
        proof=_proof(settings.origin_access, clock),
    )
    upstream = Upstream(
        fetcher,
        settings.origin_url,
        clock,
        stale_if_error_s=settings.stale_if_error_s,
        blocking_timeout_s=settings.blocking_timeout_s,
        stale_while_revalidate_s=settings.stale_while_revalidate_s,
        backup_url=backup_url,
        hedge_s=settings.hedge_s,
        capacity=settings.cached_manifests,
        capacity_bytes=settings.cached_bytes,
    )
    asking = Asking(
        {p.id: Pathway(p.id, p.base_url) for p in settings.pathways},
        secret=settings.session_secret.get_secret_value().encode(),
    )
    reports, reporter = _reports(settings, clock)
    ledger = Ledger(clock, store)
    service = Service(
        upstream,
        asking,
        origin_url=settings.origin_url,
        public_url=settings.public_url,
        steering_url=settings.steering_url,
        keys=keys if settings.require_token else None,
        options=cat.Options(issuers=issuers, require=("exp",)),
        clock=clock,
        country_header=settings.country_header,
        proxies=settings.trusted_proxies,
        ledger=ledger,
        reports=reports,
        shares=settings.shared_copies,
        segments=Segments(asking, Faults(fetcher, settings.origin_url)),
    )
    desk = service.viewers if clock is SYSTEM else None  # it reads the machine's clocks
    listener = Listener(service, desk, settings.host, settings.port, reuse_port=reuse_port)
    first: list[Part] = [*([store] if store else []), fetcher, *reporter]
    if store is not None:
        first.append(Purges(store, upstream, ledger, asking.changed))
    if settings.rules_file is None:
        return [*first, listener]
    return [*first, RuleFile(settings.rules_file, asking), listener]


def _reports(settings: Settings, clock: Clock) -> tuple[Reports | None, list[Part]]:
    """Where players' reports go, if anywhere, and the parts that take them there."""
    if settings.cmcd_url is None:
        return None, []
    client = Fetcher([settings.cmcd_url], name="reports-client", timeout_s=settings.fetch_timeout_s)
    reports = Reports(settings.cmcd_url, client, clock)
    return reports, [client, reports]


def _proof(access: OriginAccess, clock: Clock) -> Callable[[str], Mapping[str, str]] | None:
    """Headers for a request to the origin; None when it asks for none."""
    told = Credentials(
        access.header,
        access.secret.get_secret_value(),
        access.bearer.get_secret_value(),
        access.g2o_nonce,
        access.g2o_key.get_secret_value().encode(),
    )
    if not told.any:
        return None
    return lambda target: told.headers(
        target, clock.now_ms() // 1000, lambda: secrets.token_hex(16)
    )
