"""What is to be recorded: a programme of the guide, or a time on a channel."""

import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.schema import channel, epg_event, epg_event_text

KEY_CHARS = 255
event = epg_event.c


class Programme(NamedTuple):
    """`channel` is its row; `key` is equal for repeats of the same programme (RFC 4078), None for
    a mere time.
    """

    channel: Any
    event_id: str | None
    key: str | None
    series_crid: str | None
    title: str
    season_no: int | None
    episode_no: int | None
    start_ms: int
    end_ms: int
    allowed: bool
    repeat: bool = False

    @property
    def length_s(self) -> int:
        return -(-(self.end_ms - self.start_ms) // 1_000)


async def one(connection: AsyncConnection, event_id: str) -> Programme | None:
    """The programme of an event on a published channel."""
    rows = (await connection.execute(_events().where(event.id == event_id))).all()
    if not rows:
        return None
    owner = await published(connection, rows[0].channel_id)
    return None if owner is None else _programme(owner, rows[0])


async def upcoming(
    connection: AsyncConnection,
    owner: Any,
    from_ms: int,
    until_ms: int,
    *,
    series_crid: str | None = None,
) -> Sequence[Programme]:
    """The programmes of a channel, or of one series on it, that end behind `from_ms` and begin
    before `until_ms`.
    """
    query = _events().where(event.channel_id == owner.id)
    if series_crid is not None:
        query = query.where(event.series_crid == series_crid)
    query = query.where(event.end_ms > from_ms, event.start_ms < until_ms)
    rows = (await connection.execute(query.order_by(event.start_ms))).all()
    return [_programme(owner, row) for row in rows]


async def published(connection: AsyncConnection, channel_id: str) -> Any:
    """The channel's row; None when nobody may see it."""
    query = select(channel).where(channel.c.id == channel_id, channel.c.status == "published")
    return (await connection.execute(query)).first()


def timed(owner: Any, start_ms: int, end_ms: int, title: str | None) -> Programme:
    """A time on a channel; without a title it is called by the channel's name."""
    name = title or owner.slug
    return Programme(
        owner, None, None, None, name, None, None, start_ms, end_ms, bool(owner.allow_npvr)
    )


def fold(text: str) -> str:
    """Equal for titles that differ in case, width or spaces only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:KEY_CHARS]


def _events() -> Select[Any]:
    text = and_(
        epg_event_text.c.event_id == epg_event.c.id, epg_event_text.c.lang == epg_event.c.lang
    )
    return select(epg_event, epg_event_text.c.title, epg_event_text.c.sub_title).outerjoin(
        epg_event_text, text
    )


def _programme(owner: Any, row: Any) -> Programme:
    allowed = owner.allow_npvr if row.allow_npvr is None else row.allow_npvr
    return Programme(
        channel=owner,
        event_id=row.id,
        key=_key(row),
        series_crid=row.series_crid,
        title=row.title or owner.slug,
        season_no=row.season_no,
        episode_no=row.episode_no,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        allowed=bool(allowed),
        repeat="repeat" in row.flags.split(),
    )


def _key(row: Any) -> str:
    if row.crid or row.ext_id:
        return str(row.crid or row.ext_id)
    episode = "" if row.episode_no is None else f"{row.season_no or 0}.{row.episode_no}"
    return fold(f"{episode} {row.title or row.id} {row.sub_title or ''}")
