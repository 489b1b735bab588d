"""What editors do with entries: each change is a version, a line of audit and an event.

Rules of the file
1. `save` is the only way in: it checks what a document refers to, writes it, keeps the version.
2. An entry that another hangs on is neither deleted nor made another kind (CTL-31).
3. What may be refused is found before anything is written, entry by entry.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit
from control_api.catalogue import documents, found, identifiers, types
from control_api.catalogue.tables import collection_item, content_version, external_id
from control_api.catalogue.workflow import State, move
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import asset, content, entitlement, epg_event, offer, rights_window
from control_api.search import index
from control_api.terms.edges import rewritten
from control_api.times import utc

PARENTS: Mapping[str, tuple[str, ...]] = {"season": ("series",), "episode": ("season", "series")}


@dataclass(frozen=True, slots=True)
class Edit:
    """Who edits, and when."""

    connection: AsyncConnection
    actor: str
    now_ms: int


async def existing(
    connection: AsyncConnection, content_id: str, *, lock: bool = False
) -> types.Entry:
    """The entry, in whatever state; else 404. `lock` for who is to change it."""
    found = await documents.load(connection, [content_id], lock=lock)
    if content_id not in found:
        raise Problem("content_not_found")
    return found[content_id]


async def save(
    edit: Edit,
    wanted: Mapping[str, types.Document],
    before: Mapping[str, types.Entry],
    status: State = "draft",
) -> dict[str, types.Entry | Problem]:
    """Write documents under their ids; what each became, or why it was refused.

    `before` holds the entries that exist. New ones begin in `status`; an equal document changes
    nothing.
    """
    wanted = {key: documents.canonical(document) for key, document in wanted.items()}
    refused = await _refusals(edit.connection, wanted, before)
    made: dict[str, types.Entry | Problem] = dict(refused)
    changed: list[types.Entry] = []
    for key, document in wanted.items():
        if key in refused:
            continue
        old = before.get(key)
        if old is not None and old.document == document:
            made[key] = old
            continue
        made[key] = entry = types.Entry(
            id=key,
            status=old.status if old else status,
            version=old.version + 1 if old else 1,
            updated_at=utc(edit.now_ms),
            document=document,
        )
        changed.append(entry)
    ranks = ("series", "season", "episode")
    rank = {kind: number for number, kind in enumerate(ranks)}
    changed.sort(key=lambda e: (rank.get(e.document.kind, 0), e.id))  # as others write them too
    keys = [entry.id for entry in changed]
    async with rewritten(edit.connection, rights_window.c.content_id, keys, edit.now_ms):
        await documents.write(edit.connection, changed, before.keys())
    await _keep(edit, changed, before)
    return made


async def transit(edit: Edit, entry: types.Entry, to: State) -> types.Entry:
    """Move an entry along its workflow; 409 `bad_state` where the table has no such move."""
    move(entry.status, to)
    after = msgspec.structs.replace(
        entry, status=to, version=entry.version + 1, updated_at=utc(edit.now_ms)
    )
    await edit.connection.execute(
        update(content)
        .where(content.c.id == entry.id)
        .values(
            status=to, version=after.version, updated_ms=edit.now_ms, **documents.derived(after)
        )
    )
    await _keep(edit, [after], {entry.id: entry})
    return after


async def remove(edit: Edit, entry: types.Entry) -> None:
    """Delete an entry and what is its own; 409 `in_use` if something hangs on it (CTL-31)."""
    for table, key in (
        (content, content.c.parent_id),
        (offer, offer.c.content_id),
        (entitlement, entitlement.c.content_id),
    ):
        query = select(func.count()).select_from(table).where(key == entry.id)
        if (await edit.connection.execute(query)).scalar_one():
            raise Problem("in_use", f"a {table.name} row refers to it")
    async with rewritten(edit.connection, rights_window.c.content_id, [entry.id], edit.now_ms):
        await documents.clear(edit.connection, [entry.id])
    await index.drop(edit.connection, [entry.id])
    for table in (asset, content_version, collection_item):
        await edit.connection.execute(delete(table).where(table.c.content_id == entry.id))
    await edit.connection.execute(
        update(epg_event).where(epg_event.c.content_id == entry.id).values(content_id=None)
    )
    await edit.connection.execute(delete(content).where(content.c.id == entry.id))
    change = ("catalog.deleted", entry.id, _shown(entry), None)
    await audit.record(edit.connection, edit.actor, edit.now_ms, change)
    await _tell(edit, "deleted", entry)


async def _keep(
    edit: Edit, changed: Sequence[types.Entry], before: Mapping[str, types.Entry]
) -> None:
    """Version, audit, search and event of each changed entry."""
    versions = [
        {
            "content_id": entry.id,
            "version": entry.version,
            "status": entry.status,
            "document": msgspec.to_builtins(entry.document),
            "actor": edit.actor,
            "at_ms": edit.now_ms,
        }
        for entry in changed
    ]
    if versions:
        await edit.connection.execute(insert(content_version), versions)
    changes: list[audit.Change] = []
    for entry in changed:
        old = before.get(entry.id)
        verb = _verb(old, entry)
        changes.append((f"catalog.{verb}", entry.id, _shown(old) if old else None, _shown(entry)))
        await _tell(edit, verb, entry)
    await audit.record(edit.connection, edit.actor, edit.now_ms, *changes)
    hidden = [entry.id for entry in changed if entry.status != "published"]
    await index.drop(edit.connection, hidden)
    shown = [entry for entry in changed if entry.status == "published"]
    await _published(edit, [entry.id for entry in shown])
    await index.put(edit.connection, [found.by(entry) for entry in shown])


async def _published(edit: Edit, keys: Sequence[str]) -> None:
    """From now on titles are new that never were published."""
    for at in range(0, len(keys), documents.BATCH_ROWS):
        first = (
            content.c.id.in_(keys[at : at + documents.BATCH_ROWS]),
            content.c.published_ms == 0,
        )
        change = update(content).where(*first).values(published_ms=edit.now_ms)
        await edit.connection.execute(change)


async def _tell(edit: Edit, verb: str, entry: types.Entry) -> None:
    told = {
        "content_id": entry.id,
        "kind": entry.document.kind,
        "state": entry.status,
        "version": entry.version,
        "title": documents.title(entry.document).title,
    }
    await emit(edit.connection, f"catalog.content.{verb}", told, edit.now_ms)


def _verb(old: types.Entry | None, entry: types.Entry) -> str:
    if old is None:
        return "created"
    if old.status != "published" and entry.status == "published":
        return "published"
    if old.status == "published" and entry.status != "published":
        return "unpublished"
    return "updated"


def _shown(entry: types.Entry) -> dict[str, Any]:
    """What audit keeps of an entry: its documents are in `content_version`."""
    title = documents.title(entry.document).title
    return {"status": entry.status, "version": entry.version, "title": title}


async def _refusals(
    connection: AsyncConnection,
    wanted: Mapping[str, types.Document],
    before: Mapping[str, types.Entry],
) -> dict[str, Problem]:
    """Why documents cannot be stored: identifiers, parents, numbers taken, kinds changed."""
    kinds = {key: document.kind for key, document in wanted.items()}
    parents = {d.parent_id for d in wanted.values() if d.parent_id} - kinds.keys()
    for key, entry in (await documents.load(connection, sorted(parents))).items():
        kinds[key] = entry.document.kind
    known = await owners(connection, wanted.values())
    places = await _places(connection, wanted)
    refused: dict[str, Problem] = {}
    for key, document in wanted.items():
        problem = _refusal(key, document, before.get(key), kinds, known, places)
        if problem is not None:
            refused[key] = problem
            continue
        known.update({(e.system, e.value): key for e in document.external_ids})
        if document.parent_id is not None:
            places[_place(document)] = key
    for key, document in wanted.items():
        if document.parent_id in refused and key not in refused:
            refused[key] = Problem("unknown_reference", "its parent was refused")
    return refused


def _refusal(
    key: str,
    document: types.Document,
    old: types.Entry | None,
    kinds: Mapping[str, str],
    owners: Mapping[tuple[str, str], str],
    places: Mapping[tuple[Any, ...], str],
) -> Problem | None:
    for each in document.external_ids:
        if not identifiers.valid(each.system, each.value):
            return Problem("bad_identifier", f"{each.system} is not well formed")
        if owners.get((each.system, each.value), key) != key:
            return Problem("exists", f"another entry has this {each.system}")
    if old is not None and old.document.kind != document.kind:
        return Problem("in_use", "an entry keeps its kind")
    if document.parent_id is not None:
        if kinds.get(document.parent_id) not in PARENTS[document.kind]:
            return Problem("unknown_reference", f"no parent for a {document.kind}")
        if places.get(_place(document), key) != key:
            return Problem("exists", "another entry has this number")
    return None


def _place(document: types.Document) -> tuple[Any, ...]:
    return (document.parent_id, document.season_no, document.episode_no)


async def owners(
    connection: AsyncConnection, told: Iterable[types.Document]
) -> dict[tuple[str, str], str]:
    """Who has the external ids that documents name."""
    values = sorted({e.value for document in told for e in document.external_ids})
    found: dict[tuple[str, str], str] = {}
    for at in range(0, len(values), documents.BATCH_ROWS):
        batch = values[at : at + documents.BATCH_ROWS]
        query = select(external_id).where(external_id.c.value.in_(batch))
        for row in await connection.execute(query):
            found[row.system, row.value] = row.target_id
    return found


async def _places(
    connection: AsyncConnection, wanted: Mapping[str, types.Document]
) -> dict[tuple[Any, ...], str]:
    """Who has which season and episode number under the parents that documents name."""
    parents = sorted({d.parent_id for d in wanted.values() if d.parent_id})
    found: dict[tuple[Any, ...], str] = {}
    for at in range(0, len(parents), documents.BATCH_ROWS):
        batch = parents[at : at + documents.BATCH_ROWS]
        query = select(content).where(
            and_(
                content.c.parent_id.in_(batch),
                or_(content.c.season_no.is_not(None), content.c.episode_no.is_not(None)),
            )
        )
        for row in await connection.execute(query):
            found[row.parent_id, row.season_no, row.episode_no] = row.id
    return found
