"""Viewers who believe nothing: they write down what they were told, and look again later.

Each has an account of its own and does one thing after the other, so that it knows what has to be
there: the last value that was acknowledged, or one that was sent later and never answered.
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import insert, select
from twins.nodes import Node

from control_api import seed
from control_api.schema import account, channel, entitlement, playback_session
from control_api.webhooks.signature import secret_text, signed
from runtime.sql import Database

SECRET = b"s" * 32
SETTINGS: dict[str, Any] = {
    "log__level": "warning",
    "control__limits": {
        "start_per_s": 1_000,
        "account_per_s": 1_000,
        "heartbeat_per_min": 100_000,
    },
    "control__webhooks": {
        "allow_http": True,
        "private_networks": ["127.0.0.0/8"],
        "sources": {"billing": {"secrets": [secret_text(SECRET)]}},
    },
    "control__flush_s": 0.5,
}
VIEWER = frozenset({"playback", "recording"})
OWNER = frozenset({"webhook:manage"})
NOT_NOW = 503


async def plant(url: str, viewers: int) -> None:
    """The demo's titles, and a household for each viewer."""
    home, grant = dict(seed.ROWS[0][1]), dict(seed.ROWS[-1][1])
    async with Database(url, timeout_ms=20_000) as database, database.write() as connection:
        for table, row in seed.ROWS:
            allowed = {"allow_npvr": True} if table is channel else {}
            await connection.execute(insert(table).values(row | allowed))
        for n in range(viewers):
            mine = {"id": f"acc_s{n}", "max_streams": 3}
            await connection.execute(insert(account).values(home | mine))
            own = {"id": f"ent_s{n}", "account_id": f"acc_s{n}", "source_ref": f"s{n}"}
            await connection.execute(insert(entitlement).values(grant | own))


class Said:
    """What was acknowledged of one value, and what may have come true since."""

    def __init__(self, first: Any = None) -> None:
        self.possible = [first]

    def told(self, value: Any, acknowledged: bool) -> None:
        self.possible = [value] if acknowledged else [*self.possible, value]


class Ear:
    """Where the API's webhooks come in; events by type."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}
        self.url = ""

    async def __aenter__(self) -> "Ear":
        app = web.Application()
        app.router.add_post("/in", self._hear)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/in"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        self.note(await request.json())
        return web.Response()

    def note(self, event: dict[str, Any]) -> None:
        data = event["data"]
        of = data.get("session_id") or data.get("recording_id") or ""
        self.heard.setdefault(event["type"], set()).add(of)


class Stranger:
    """All viewers, their answers counted, and what they hold the API to."""

    def __init__(self, nodes: Sequence[Node], viewers: int) -> None:
        self._nodes = nodes
        self._viewers = viewers
        self._turn = itertools.count()
        self._now_s = int(time.time()) - 5_400
        self._refused: dict[str, set[int]] = {}  # beside 503, by kind
        self._stepped = False
        self.ahead_s = 0  # of the machine's clock, that of the nodes
        self.answers: Counter[tuple[str, Any]] = Counter()
        self.odd: list[Any] = []  # answers that nobody should get
        self.reasons: list[str] = []  # of the orders of CDNs
        self.bookmarks = [Said() for _ in range(viewers)]
        self.places = [Said() for _ in range(viewers)]
        self.wishes = [Said(False) for _ in range(viewers)]
        self.profiles: list[list[str]] = [[] for _ in range(viewers)]
        self.recordings: list[set[str]] = [set() for _ in range(viewers)]
        self.started: set[str] = set()
        self.stopped: set[str] = set()
        self.bought: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Stranger":
        patience = aiohttp.ClientTimeout(total=30)
        self._client = aiohttp.ClientSession(timeout=patience)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rest()
        await self._client.close()

    def go(self) -> None:
        self._tasks = [asyncio.create_task(self._view(n)) for n in range(self._viewers)]

    async def rest(self) -> None:
        """Each viewer ends its round."""
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)

    async def ask(
        self,
        kind: str,
        good: set[int],
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str,
        **more: Any,
    ) -> tuple[bool, Any]:
        """Whether it was acknowledged, and what it said."""
        node = self._nodes[next(self._turn) % len(self._nodes)]
        headers = dict(more)
        if by:
            scopes = OWNER if by == "acc_owner" else VIEWER
            headers["Authorization"] = node.bearer(by, scopes, self._now_s)
        raw = json.dumps(body).encode() if body is not None else None
        if raw is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._client.request(
                method, node.url + path, data=raw, headers=headers
            ) as response:
                told = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.answers[kind, type(error).__name__] += 1
            await asyncio.sleep(0.05)
            return False, None
        self.answers[kind, status] += 1
        if status in good:
            return True, json.loads(told) if told else None
        if status != NOT_NOW and status not in self._refused.get(kind, ()):
            self.odd.append((kind, status, told[:300], body))
        await asyncio.sleep(0.02)
        return False, None

    async def _view(self, n: int) -> None:
        mine = asyncio.current_task()
        for turn in itertools.count():
            if mine not in self._tasks:
                return
            await self._round(n, turn)

    async def _round(self, n: int, turn: int) -> None:
        by = f"acc_s{n}"
        if len(self.profiles[n]) < 4 and turn % 5 == 0:
            done, told = await self.ask(
                "profile", {201}, "POST", "/v1/profiles", {"name": "P"}, by=by
            )
            if done:
                self.profiles[n].append(told["id"])
        if not self.profiles[n]:
            return
        of = f"profile_id={self.profiles[n][0]}"
        at_ms = 31_000 + turn
        mark = {"position_ms": at_ms, "duration_ms": 120_000, "updated_at": self._soon(0)}
        done, told = await self.ask(
            "mark", {200}, "PUT", f"/v1/bookmarks/cnt_film?{of}", mark, by=by
        )
        self.bookmarks[n].told(at_ms, done and told["position_ms"] == at_ms)
        wish = turn % 2 == 0
        done, _ = await self.ask(
            "wish", {204, 404}, "PUT" if wish else "DELETE", f"/v1/watchlist/cnt_film?{of}", by=by
        )
        self.wishes[n].told(wish, done)
        if turn < 1_000:
            span = {"channel_id": "ch_demo", "start_at": self._soon(90_000 + 60 * turn)}
            span |= {"end_at": self._soon(90_050 + 60 * turn), "pad_before_s": 0, "pad_after_s": 0}
            done, told = await self.ask("record", {200, 201}, "POST", "/v1/recordings", span, by=by)
            if done:
                self.recordings[n].add(told["id"])
        await self._watch(n, turn)
        await self._buy(n, turn)

    async def _watch(self, n: int, turn: int) -> None:
        by = f"acc_s{n}"
        start = {"device": {"id": f"dev_{n}"}, "content_id": "cnt_sealed"}
        start["profile_id"] = self.profiles[n][0]
        done, told = await self.ask("start", {201}, "POST", "/v1/playback/start", start, by=by)
        if not done:
            return
        session = told["session_id"]
        self.started.add(session)
        self.reasons.append(told["decision"]["reason"])
        path = f"/v1/sessions/{session}"
        last = 0
        for step in range(3):
            at_ms = 32_000 + 10 * turn + step
            done, _ = await self.ask(
                "beat", {200}, "POST", f"{path}/heartbeat", {"position_ms": at_ms}, by=by
            )
            last = at_ms if done else last
            await asyncio.sleep(0.02)
        if turn % 3 == 2:
            return
        done, _ = await self.ask("stop", {204}, "POST", f"{path}/stop", by=by)
        if done:
            self.stopped.add(session)
        self.places[n].told(last, done and last)

    async def _buy(self, n: int, turn: int) -> None:
        of = f"sub_{n}_{turn}"
        data = {
            "subscription_id": of,
            "account_id": f"acc_s{n}",
            "package_id": "pkg_basic",
            "state": "active",
            "starts_at": "2026-01-01T00:00:00Z",
        }
        body = {"type": "subscription.updated", "timestamp": self._soon(0), "data": data}
        raw = json.dumps(body).encode()
        headers = signed([SECRET], f"msg_{of}", int(time.time()) + self.ahead_s, raw)
        done, _ = await self.ask("buy", {200}, "POST", "/v1/hooks/billing", body, by="", **headers)
        if done:
            self.bought.add(of)

    def steps(self, ahead_s: int, *, everywhere: bool) -> None:
        """The clock of one node or of all is about to be set. Whose clock is right then signs what
        others refuse, and what was seen in a time to come is later than what follows.
        """
        self._stepped = True
        self.ahead_s = ahead_s if everywhere else 0
        self._refused["buy"] = {401}

    async def listen(self, ear: Ear) -> None:
        """Have all events told to the ear."""
        wanted = {"url": ear.url, "topics": ["*"]}
        done, _ = await self.ask("listen", {201}, "POST", "/v1/webhooks", wanted, by="acc_owner")
        assert done

    async def missed(self, url: str) -> list[str]:
        """Read everything back: what was acknowledged and is not there."""
        found: list[str] = []
        for n in range(self._viewers):
            by = f"acc_s{n}"
            of = f"profile_id={self.profiles[n][0]}"
            mark = await self._read(f"/v1/bookmarks/cnt_film?{of}", by)
            if mark["position_ms"] not in self.bookmarks[n].possible:
                found.append(f"bookmark {mark} {self.bookmarks[n].possible}")
            held = await self._read(f"/v1/watchlist?{of}", by)
            wish = any(each["content_id"] == "cnt_film" for each in held["items"])
            if wish not in self.wishes[n].possible:
                found.append(f"wish {wish} {self.wishes[n].possible}")
            held = await self._read("/v1/profiles", by)
            lost = set(self.profiles[n]) - {each["id"] for each in held["items"]}
            found += [f"profile {each}" for each in lost]
            for each in self.recordings[n]:
                if (await self._read(f"/v1/recordings/{each}", by)) is None:
                    found.append(f"recording {each}")
        async with Database(url, timeout_ms=20_000) as database, database.read() as connection:
            rows = {row.id: row for row in await connection.execute(select(playback_session))}
            refs = set((await connection.execute(select(entitlement.c.source_ref))).scalars())
        found += [f"start {each}" for each in self.started - set(rows)]
        found += [
            f"stop {each}" for each in self.stopped if each in rows and rows[each].ended_ms is None
        ]
        found += [f"purchase {each}" for each in self.bought - refs]
        for n in range(self._viewers):
            of = f"profile_id={self.profiles[n][0]}"
            place = await self._read(f"/v1/bookmarks/cnt_sealed?{of}", f"acc_s{n}")
            at = place["position_ms"] if place else 0
            if (
                not self._stepped
                and len(self.places[n].possible) == 1
                and at < (self.places[n].possible[0] or 0)
            ):
                found.append(f"place {at} {self.places[n].possible}")
        return found

    def untold(self, ear: Ear) -> list[str]:
        """What happened and the ear was never told of."""
        wanted = {
            "playback.session.started": self.started,
            "playback.session.ended": self.stopped,
            "recording.scheduled": {each for mine in self.recordings for each in mine},
        }
        return [
            f"{kind} {each}"
            for kind, ids in wanted.items()
            for each in ids - ear.heard.get(kind, set())
        ]

    async def _read(self, path: str, by: str) -> Any:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            done, told = await self.ask("read", {200, 404}, "GET", path, by=by)
            if done:
                return told if told and "code" not in told else None
        raise AssertionError(f"{path} cannot be read")

    def _soon(self, seconds: float) -> str:
        return (datetime.now(UTC) + timedelta(seconds=seconds + self.ahead_s)).isoformat()
