"""A programme as something to play from a channel's past: start-over while it runs, catch-up after.

The guide says what may be done (guide/rights.py), the rules here until when (CTL-78, CTL-131). A
session is of the programme; the rights to its channel are judged beside it, as CheckAccess does.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import spans
from control_api.entitlement import Denied
from control_api.guide import rights
from control_api.ratings import title_age
from control_api.schema import channel, content, epg_event, epg_event_text
from control_api.times import utc

Mode = Literal["startover", "catchup"]
MODES = frozenset({"startover", "catchup"})
RULE = "CTL-78"
DAY_MS = 86_400_000
LONGEST_MS = DAY_MS
OLDEST_MS = 14 * DAY_MS


@dataclass(frozen=True, slots=True)
class Slot:
    """A programme of a channel. `startover_until_ms` and `catchup_until_ms` are None where that is
    not allowed.
    """

    channel_id: str
    title: str
    start_ms: int
    end_ms: int
    dvr_ms: int
    startover_until_ms: int | None
    catchup_until_ms: int | None
    age: int = 0

    @property
    def span(self) -> spans.Span:
        return spans.span(self.start_ms, self.end_ms)

    def mode(self, now_ms: int) -> Mode:
        """What playing it now would be."""
        return "startover" if now_ms < self.end_ms else "catchup"

    def begin(self, now_ms: int) -> Denied | int:
        """May a session begin now; until when it may last, in epoch milliseconds."""
        oldest_ms = OLDEST_MS if now_ms >= self.end_ms else min(self.dvr_ms, OLDEST_MS)
        long = self.end_ms - self.start_ms > LONGEST_MS
        outside = not self.start_ms <= now_ms <= self.start_ms + oldest_ms
        verdict = self.go_on(self.mode(now_ms), now_ms)
        if isinstance(verdict, Denied) or not (long or outside):
            return verdict
        return self._outside(self.startover_until_ms or self.catchup_until_ms)

    def go_on(self, mode: str, now_ms: int) -> Denied | int:
        """May one that began in this mode go on; until when."""
        until_ms = self.catchup_until_ms
        if mode == "startover" and self.startover_until_ms is not None:
            until_ms = max(self.startover_until_ms, until_ms or 0)
        elif mode == "startover":
            until_ms = None
        if until_ms is None:
            return Denied(f"{mode}_not_allowed", RULE)
        return until_ms if now_ms < until_ms else self._outside(until_ms)

    def _outside(self, until_ms: int | None) -> Denied:
        members = {
            "available_from": utc(self.start_ms),
            "available_until": utc(until_ms) if until_ms is not None else None,
        }
        return Denied("outside_catchup_window", RULE, members)


async def find(connection: AsyncConnection, event_id: str) -> Slot | None:
    """The programme; None when the guide does not have it."""
    words = and_(
        epg_event_text.c.event_id == epg_event.c.id, epg_event_text.c.lang == epg_event.c.lang
    )
    query = (
        select(epg_event, epg_event_text.c.title, content.c.min_age, content.c.rating)
        .outerjoin(epg_event_text, words)
        .outerjoin(content, content.c.id == epg_event.c.content_id)
        .where(epg_event.c.id == event_id)
    )
    event = await _first(connection, query)
    if event is None:
        return None
    owner = await _first(connection, select(channel).where(channel.c.id == event.channel_id))
    granted = rights.of(event, owner)
    dvr_ms = 1_000 * owner.dvr_window_s
    kept_ms = owner.catchup_h * rights.HOUR_MS
    return Slot(
        channel_id=event.channel_id,
        title=event.title or owner.slug,
        start_ms=event.start_ms,
        end_ms=event.end_ms,
        dvr_ms=dvr_ms,
        startover_until_ms=event.end_ms + dvr_ms if granted.startover else None,
        catchup_until_ms=event.end_ms + kept_ms if granted.catchup else None,
        age=title_age(event.min_age, event.rating),
    )


async def _first(connection: AsyncConnection, query: Any) -> Any:
    return (await connection.execute(query)).first()
