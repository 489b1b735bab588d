"""Small files of an hour into larger ones, while others read.

Rules
1. A merged file is written beside its sources, under a name of its own, and is none of the hour's
   until the hour's `_live.json` names it. That object is replaced whole and on condition: the swap.
2. `_live.json` names what was merged and what that replaces. A reader takes what it calls merged,
   and of all other files those that it does not call replaced (`reading`): whenever it looks, it
   sees each row once.
3. What is replaced goes when the swap is `KEPT_S` old, so that who began to read before can end. A
   merged file that no swap came to name goes likewise.
4. Two nodes may do this at once: the second swap fails, and its files wait for rule 3.
5. Hours are left alone until they are over for `SETTLED_S`, and merged files for good: until the
   hour is older than one keeps them, and goes.
"""

import asyncio
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from msgspec import Struct

from runtime.objects import ObjectError, ObjectInfo, ObjectStore

LIVE: Final = "_live.json"
MERGED: Final = "merged-"
DAY_MS = 86_400_000
SETTLED_S = 300
KEPT_S = 900
TARGET_BYTES = 64 << 20
GROUP_ROWS = 200_000
MAX_FILES = 1_000  # in one merged file
HOUR = re.compile(r"date=(\d{4}-\d\d-\d\d)/hour=(\d\d)$")


class Live(Struct):
    """What `_live.json` says, by names within the hour."""

    merged: list[str] = []
    replaced: list[str] = []


def live(text: bytes) -> Live:
    """ValueError for what is no such object."""
    try:
        return msgspec.json.decode(text, type=Live)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{LIVE}: {error}") from None


async def compact(
    store: ObjectStore,
    prefix: str,
    now_ms: int,
    kept_days: int = 0,
    resting: dict[str, int] | None = None,
) -> int:
    """One round over all hours below a prefix; how many files were put into others. Hours that are
    over for longer than `kept_days` go; 0 keeps all. `resting` is for the caller to hold: hours in
    which nothing was left to do are looked into again when their listing changes. ValueError, after
    the others, for an hour in which something is not what it was.
    """
    hours: dict[str, list[ObjectInfo]] = {}
    after = ""
    while page := await store.find(f"{prefix}/", after=after):
        after = page[-1].name
        for info in page:
            hours.setdefault(info.name.rpartition("/")[0], []).append(info)
    resting = {} if resting is None else resting
    for hour in resting.keys() - hours.keys():
        del resting[hour]
    count, broken = 0, None
    for hour, infos in hours.items():
        listing = hash(tuple(infos))
        if kept_days and _over_ms(hour) + kept_days * DAY_MS <= now_ms:
            for info in infos:
                await store.delete(info.name)
        elif _over_ms(hour) + SETTLED_S * 1000 <= now_ms and resting.get(hour) != listing:
            try:
                put, rests = await _hour(store, hour, infos, now_ms)
                count += put
                if rests:
                    resting[hour] = listing
            except ObjectError as error:
                if error.code not in {"changed", "exists", "not_found"}:
                    raise  # another node was as quick
            except (ValueError, TypeError, OSError, pa.ArrowException) as error:
                broken = ValueError(f"{hour}: {error}")
    if broken is not None:
        raise broken
    return count


def _over_ms(hour: str) -> int:
    """When the hour of a folder ends; never, for another folder."""
    found = HOUR.search(hour)
    if found is None:
        return 1 << 62
    began = datetime.fromisoformat(f"{found[1]}T{found[2]}:00").replace(tzinfo=UTC)
    return (int(began.timestamp()) + 3600) * 1000


async def _hour(
    store: ObjectStore, hour: str, infos: Sequence[ObjectInfo], now_ms: int
) -> tuple[int, bool]:
    """How many files it put into others, and whether there is nothing left that time makes due."""
    named = {info.name.rpartition("/")[2]: info for info in infos}
    old, etag = Live(), None
    if LIVE in named:
        held = await store.get(f"{hour}/{LIVE}")
        old, etag = live(held.body), held.info.etag
        if now_ms - held.info.modified_ms >= KEPT_S * 1000:
            for name in [name for name in old.replaced if name in named]:
                await store.delete(f"{hour}/{name}")
    unnamed = [name for name in named if name.startswith(MERGED) and name not in old.merged]
    for name in unnamed:
        if now_ms - named[name].modified_ms >= KEPT_S * 1000:
            await store.delete(f"{hour}/{name}")
    gone = {LIVE, *old.replaced, *old.merged}
    small = [
        info
        for name, info in sorted(named.items())
        if name not in gone and not name.startswith(MERGED) and info.size < TARGET_BYTES // 2
    ]
    new = Live([*old.merged], [*old.replaced])
    for group in _groups(small):
        names = [info.name.rpartition("/")[2] for info in group]
        merged = f"{MERGED}{blake2b(repr(names).encode(), digest_size=12).hexdigest()}.parquet"
        bodies = [(await store.get(info.name)).body for info in group]
        await store.put(f"{hour}/{merged}", await asyncio.to_thread(merge, bodies))
        new.merged.append(merged)
        new.replaced += names
    if len(new.merged) == len(old.merged):
        return 0, not unnamed and named.keys().isdisjoint(old.replaced)
    body = msgspec.json.encode(new)
    name = f"{hour}/{LIVE}"
    await store.put(name, body, if_absent=etag is None, if_match=etag)
    return len(new.replaced) - len(old.replaced), False


def _groups(small: Sequence[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """Neighbours of together one target size, two and more."""
    group: list[ObjectInfo] = []
    size = 0
    for info in small:
        if group and (size + info.size > TARGET_BYTES or len(group) >= MAX_FILES):
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(info)
        size += info.size
    if len(group) > 1:
        yield group


def merge(bodies: Sequence[bytes]) -> bytes:
    """The rows of Parquet files in one, in the order given; columns that one lacks are null. There
    is a row group in memory at a time.
    """
    schema = pa.unify_schemas([pq.read_schema(io.BytesIO(body)) for body in bodies])
    merged = io.BytesIO()
    with pq.ParquetWriter(merged, schema, compression="zstd") as writer:
        group = [schema.empty_table()]
        for body in bodies:
            group.append(pq.read_table(io.BytesIO(body)))
            if sum(each.num_rows for each in group) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(group, promote_options="default"))
                group = [schema.empty_table()]
        if len(group) > 1:
            writer.write_table(pa.concat_tables(group, promote_options="default"))
    return merged.getvalue()
