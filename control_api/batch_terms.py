"""The terms of many titles or recordings, in as many statements as of one; without offers, which
only matter to those who are refused.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Select, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import rights
from control_api.facts import Window
from control_api.recordings import playing
from control_api.recordings.schema import recording
from control_api.rights import Terms
from control_api.schema import content, epg_event, package_content, rights_window
from control_api.terms.tables import blackout

Grouped = Mapping[str, Mapping[str, Sequence[Any]]]  # rows by query and by what they are of


async def titles(connection: AsyncConnection, wanted: Sequence[str]) -> dict[str, Terms]:
    """Of titles, by id."""
    if not wanted:
        return {}
    rows = await _grouped(connection, _OF_TITLES, {"targets": wanted})
    found: dict[str, Terms] = {}
    for each in wanted:
        shown = rows["title"][each]
        target = rights.as_title(shown[0]) if shown else None
        found[each] = Terms(target, *_sold(rows, each), ages=rights.as_ages(target, ()))
    return found


async def recordings(
    connection: AsyncConnection, wanted: Sequence[str], now_ms: int
) -> dict[str, Terms]:
    """Of recordings that can be played, by id: what is told of their channels from now on."""
    targets = (await connection.execute(_RECORDED, {"targets": wanted})).all() if wanted else ()
    if not targets:
        return {}
    asked = {"targets": sorted({each.channel_id for each in targets}), **rights.from_now(now_ms)}
    rows = await _grouped(connection, _OF_CHANNELS, asked)
    found: dict[str, Terms] = {}
    for each in targets:
        target = rights.as_recording(each)
        found[each.id] = Terms(
            target,
            *_sold(rows, each.channel_id),
            blackouts=[rights.as_blackout(row) for row in rows["blackouts"][each.channel_id]],
            ages=rights.as_ages(target, rows["aged"][each.channel_id]),
        )
    return found


def _sold(rows: Grouped, key: str) -> tuple[frozenset[str], list[Window]]:
    """The packages that name it, and its windows."""
    named = frozenset(row.package_id for row in rows["named"][key])
    return named, [rights.as_window(row) for row in rows["windows"][key]]


async def _grouped(
    connection: AsyncConnection, queries: Mapping[str, Select[Any]], asked: Mapping[str, Any]
) -> Grouped:
    found: dict[str, defaultdict[str, list[Any]]] = {}
    for name, query in queries.items():
        found[name] = defaultdict(list)
        for row in (await connection.execute(query, asked)).all():
            found[name][row.of].append(row)
    return found


_TARGETS = bindparam("targets", type_=String, expanding=True)
_RECORDED = playing.RECORDED.where(recording.c.id.in_(_TARGETS))


def _named(kind: rights.Kind) -> Select[Any]:
    return select(package_content.c.package_id, package_content.c.target_id.label("of")).where(
        package_content.c.target_kind == kind, package_content.c.target_id.in_(_TARGETS)
    )


def _of(query: Select[Any], subject: Column[Any]) -> Select[Any]:
    return query.add_columns(subject.label("of")).where(subject.in_(_TARGETS))


_WINDOWS = select(rights_window).order_by(rights_window.c.id)
_OF_TITLES = {
    "title": _of(rights.TITLES, content.c.id),
    "named": _named("content"),
    "windows": _of(_WINDOWS, rights_window.c.content_id),
}
_OF_CHANNELS = {
    "named": _named("channel"),
    "windows": _of(_WINDOWS, rights_window.c.channel_id),
    "blackouts": _of(rights.BLACKOUTS, blackout.c.channel_id),
    "aged": _of(rights.AGED, epg_event.c.channel_id),
}
