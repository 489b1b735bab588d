"""What is cached of a title, a channel or a path is to be fetched anew (section 11,
`cdn.purge_requested`).

Rules of the file
1. What we own is the request: it is recorded with what is to go, told by an event for every CDN
   named, and heard by our own proxies, which drop their copies.
2. Whoever purges at a CDN says what became of it; until then a CDN is `asked`, and none is ever
   taken for done. After `PATIENCE_MS` the rest counts as failed (`control_api.jobs.work`).
3. A path that ends in `/` stands for all below it; the bare `/` is refused, a whole folder such as
   `/live/` is not.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit
from control_api.calls import Call, Reply
from control_api.catalogue.editor import Edit
from control_api.jobs import desk, types
from control_api.jobs.tables import job
from control_api.outbox import emit_all
from control_api.problems import Problem
from control_api.schema import asset, channel
from control_api.settings import Settings
from control_api.times import utc
from control_api.types import MAX_CDNS, Answer, CdnName, Id, Line, Request

KIND = "purge"
PATIENCE_MS = 86_400_000
MAX_PATHS = 64  # an event's texts
own = job.c
# Segments of letters, digits and what URLs need no escape for (RFC 3986 section 3.3).
Path = Annotated[str, Meta(max_length=255, pattern=r"^(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?$")]


class PurgeRequest(Request):
    """A title's assets, a channel or a path of the origin; at all CDNs or at those named."""

    content_id: Id | None = None
    channel_id: Id | None = None
    path: Path | None = None
    cdns: Annotated[list[CdnName], Meta(min_length=1, max_length=MAX_CDNS)] | None = None
    reason: Line | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.content_id, self.channel_id, self.path)) != 1:
            raise ValueError("name one of content_id, channel_id and path")
        path = self.path or ""
        if path.endswith("\n") or not {".", ".."}.isdisjoint(path.split("/")):
            raise ValueError("the path is not a plain one")


class OutcomeRequest(Request):
    """What became of a purge at one CDN, in the words of who asked it."""

    cdn_id: CdnName
    outcome: Literal["done", "failed"]
    detail: Line | None = None


class CdnPurge(Answer):
    cdn_id: str
    state: Literal["asked", "done", "failed"]
    detail: str | None


class Purge(types.Job, kw_only=True):
    """`paths` are the origin's, to be purged under each CDN's own host."""

    paths: list[str]
    cdns: list[CdnPurge]


async def ask(call: Call[PurgeRequest]) -> Reply:
    """Ask for what is cached of a title, a channel or a path to be fetched anew."""
    asked = call.body
    cdns = _cdns(call.services.settings, asked.cdns)
    async with call.services.database.write() as connection:
        edit = Edit(connection, call.caller.account_id, call.now_ms)
        paths = await _paths(connection, asked)
        told = {"paths": paths, "reason": asked.reason}
        target = asked.content_id or asked.channel_id or asked.path
        made = await desk.put(edit, KIND, told, target=target, state="running", total=len(cdns))
        report = {cdn: {"state": "asked", "detail": None} for cdn in cdns}
        await connection.execute(update(job).where(own.id == made.id).values(report=report))
        event = {"purge_id": made.id, "paths": paths, "at": utc(call.now_ms)}
        event |= {"reason": asked.reason}
        events = [{"cdn_id": cdn, **event} for cdn in cdns]
        await emit_all(connection, "cdn.purge_requested", events, call.now_ms)
        reply = Reply(await one(connection, made.id), {"Location": f"/v1/admin/purge/{made.id}"})
        await call.settle(connection, reply, 201)
    return reply


async def page(call: Call[None]) -> types.JobList:
    """Purges that were asked for, the newest first."""
    asked = types.JobPage(limit=call.query.limit, cursor=call.query.cursor, kind="purge")
    async with call.services.database.read() as connection:
        return await desk.page(connection, call.services.secret, asked)


async def get(call: Call[None]) -> Purge:
    """One purge, CDN by CDN."""
    async with call.services.database.read() as connection:
        return await one(connection, call.path["id"])


async def settle(call: Call[OutcomeRequest]) -> Purge:
    """Say what became of a purge at one CDN; to say it again changes nothing."""
    job_id, told = call.path["id"], call.body
    async with call.services.database.write() as connection:
        row = await _row(connection, job_id, lock=True)
        if told.cdn_id not in row.report:
            raise Problem("unknown_reference", "this CDN was not asked")
        before = row.report[told.cdn_id]
        after = {"state": told.outcome, "detail": told.detail}
        if after == before:
            return await one(connection, job_id)
        if row.state != "running":
            raise Problem("bad_state", f"the purge is {row.state}")
        report = row.report | {told.cdn_id: after}
        values = {"report": report, **_counted(report, call.now_ms)}
        await connection.execute(update(job).where(own.id == job_id).values(values))
        line = ("purge.settled", job_id, {told.cdn_id: before}, {told.cdn_id: after})
        await audit.record(connection, call.caller.account_id, call.now_ms, line)
        return await one(connection, job_id)


async def one(connection: AsyncConnection, job_id: str) -> Purge:
    """404 for what is no purge."""
    row = await _row(connection, job_id)
    shown = await desk.one(connection, job_id)
    known = {name: getattr(shown, name) for name in types.Job.__struct_fields__}
    cdns = [CdnPurge(cdn, each["state"], each["detail"]) for cdn, each in row.report.items()]
    return Purge(**known, paths=row.told["paths"], cdns=sorted(cdns, key=lambda each: each.cdn_id))


async def _row(connection: AsyncConnection, job_id: str, *, lock: bool = False) -> Any:
    query = select(job).where(own.id == job_id, own.kind == KIND)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise Problem("not_found")
    return row


def _counted(report: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """The job once nobody is `asked` any more, else how far it came."""
    states = [each["state"] for each in report.values()]
    values: dict[str, Any] = {"done": states.count("done")}
    if "asked" not in states:
        good = "failed" not in states
        values |= {"state": "done" if good else "failed", "ended_ms": now_ms}
        values |= {} if good else {"error": "purge_failed"}
    return values


def _cdns(settings: Settings, named: list[str] | None) -> list[str]:
    known = [pathway.id for pathway in settings.pathways]
    unknown = set(named or ()) - set(known)
    if unknown:
        raise Problem("unknown_reference", f"no such CDN: {', '.join(sorted(unknown))}")
    return [cdn for cdn in known if named is None or cdn in named]


async def _paths(connection: AsyncConnection, asked: PurgeRequest) -> list[str]:
    """What the origin serves of it; 422 for nothing."""
    if asked.path is not None:
        return [asked.path]
    if asked.channel_id is not None:
        query = select(channel.c.slug).where(channel.c.id == asked.channel_id)
        found = [f"/live/{slug}/" for slug in (await connection.execute(query)).scalars()]
    else:
        known = select(asset.c.origin_path).where(asset.c.content_id == asked.content_id)
        paths = known.distinct().order_by(asset.c.origin_path).limit(MAX_PATHS)
        found = list((await connection.execute(paths)).scalars())
    if not found:
        raise Problem("unknown_reference", "the origin has nothing of it")
    return found
