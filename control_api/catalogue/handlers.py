"""Operations of the catalogue: who looks or edits, then over to the noun's file."""

from typing import Any

import msgspec

from control_api import audience, audit, ids
from control_api.calls import Call, Reply
from control_api.catalogue import (
    assets,
    channels,
    curated,
    curated_types,
    editor,
    front,
    genres,
    imports,
    lists,
    rails,
    shown,
    types,
)
from control_api.catalogue.editing import editing
from control_api.catalogue.visible import Viewer
from control_api.entries import as_seen, patched, tag, unchanged
from control_api.jobs import desk as jobs
from control_api.problems import Problem

IMPORT_TIMEOUT_MS = 30_000  # CTL-188
IMPORT_RETRIES = 3


async def viewer(call: Call[Any]) -> Viewer:
    """The place and the age an answer is for: what the query says, else the setting's country."""
    query: types.Place = call.query
    return Viewer(
        territory=query.territory or call.services.settings.default_country,
        platform=query.platform,
        langs=shown.spoken(query.lang, call.headers),
        now_ms=call.now_ms,
        max_age=await audience.max_age(call),
    )


async def list_titles(call: Call[None]) -> types.TitleList:
    """Titles, the newest first, or by popularity or name."""
    place = await viewer(call)
    async with call.services.database.read() as connection:
        return await shown.page(connection, call.services.secret, call.query, place)


async def get_title(call: Call[None]) -> types.Title:
    """One title."""
    place, fields = await viewer(call), call.query.shown("detail")
    async with call.services.database.read() as connection:
        return await shown.one(connection, call.path["id"], fields, place)


async def list_children(call: Call[None]) -> types.TitleList:
    """Seasons of a series, episodes of a season."""
    secret, parent, place = call.services.secret, call.path["id"], await viewer(call)
    async with call.services.database.read() as connection:
        return await shown.children(connection, secret, parent, call.query, place)


async def list_related(call: Call[None]) -> types.Rail:
    """Titles like this one."""
    place, fields = await viewer(call), call.query.shown("list")
    if not call.services.flags.on("rails"):
        return types.Rail("related", "editorial", [])
    async with call.services.database.read() as connection:
        return await rails.related(connection, call.path["id"], fields, place)


async def list_genres(call: Call[None]) -> Reply:
    """Genres and how many titles they have."""
    found, stale = await genres.counted(call.services.database, await viewer(call), call.budget_ms)
    return Reply(found, _source(stale))


async def list_rails(call: Call[None]) -> Reply:
    """Rows of titles for a front page."""
    place, fields = await viewer(call), call.query.shown("list")
    if not call.services.flags.on("rails"):
        return Reply(types.RailList([]))
    found, stale = await front.page(call.services.database, fields, place, call.budget_ms)
    return Reply(types.RailList([rail for rail in found if rail.items]), _source(stale))


async def get_rail(call: Call[None]) -> Reply:
    """One row of titles."""
    key, place, fields = call.path["id"], await viewer(call), call.query.shown("list")
    if not call.services.flags.on("rails"):
        return Reply(types.Rail(key, "editorial", []))
    found, stale = await front.named(call.services.database, key, fields, place, call.budget_ms)
    return Reply(found, _source(stale))


def _source(stale: bool) -> dict[str, str]:
    return {"X-Source": "stale"} if stale else {}


async def list_collections(call: Call[None]) -> curated_types.CollectionList:
    """Collections of titles, the newest first."""
    place = await viewer(call)
    async with call.services.database.read() as connection:
        return await curated.page(connection, call.services.secret, call.query, place)


async def get_collection(call: Call[None]) -> curated_types.Collection:
    """A collection with its titles, in its editor's order."""
    place, fields = await viewer(call), call.query.shown("list")
    async with call.services.database.read() as connection:
        return await curated.one(connection, call.path["id"], fields, place)


async def list_channels(call: Call[None]) -> types.ChannelList:
    """Channels by number."""
    age = await audience.max_age(call)
    async with call.services.database.read() as connection:
        return await channels.shown(connection, call.services.secret, call.query, age)


# -- editors ---------------------------------------------------------------------------


def tagged(value: types.Entry | types.ChannelEntry) -> Reply:
    """An entry under the tag that If-Match names."""
    return Reply(value, {"ETag": tag(value.version)})


async def create(call: Call[types.Document]) -> Reply:
    """A new title, as a draft."""
    key = ids.new("content")
    async with editing(call) as edit:
        made = (await editor.save(edit, {key: call.body}, {}))[key]
        if isinstance(made, Problem):
            raise made
    reply = tagged(made)
    return Reply(made, {**reply.headers, "Location": f"/v1/admin/contents/{key}"})


async def get_entry(call: Call[None]) -> Reply:
    """A title as editors see it."""
    async with call.services.database.read() as connection:
        return tagged(await editor.existing(connection, call.path["id"]))


async def patch(call: Call[bytes]) -> Reply:
    """Change a title by merge patch."""
    key = call.path["id"]
    async with editing(call) as edit:
        old = await editor.existing(edit.connection, key, lock=True)
        unchanged(call, old.version)
        wanted = patched(old.document, call.body)
        made = (await editor.save(edit, {key: wanted}, {key: old}))[key]
        if isinstance(made, Problem):
            raise made
    return tagged(made)


async def remove(call: Call[None]) -> None:
    """Delete a title that nothing depends on."""
    async with editing(call) as edit:
        old = await editor.existing(edit.connection, call.path["id"], lock=True)
        await editor.remove(edit, old)


async def move(call: Call[types.Move]) -> Reply:
    """Move a title along draft, review, approved, published, archived."""
    async with editing(call) as edit:
        old = await editor.existing(edit.connection, call.path["id"], lock=True)
        as_seen(call, old.version)
        return tagged(await editor.transit(edit, old, call.body.to))


async def publish(call: Call[None]) -> Reply:
    """Publish an approved title: the last of its moves under a name of its own."""
    async with editing(call) as edit:
        old = await editor.existing(edit.connection, call.path["id"], lock=True)
        as_seen(call, old.version)
        return tagged(await editor.transit(edit, old, "published"))


async def get_windows(call: Call[None]) -> Reply:
    """The windows of a title's document."""
    async with call.services.database.read() as connection:
        return _windows(await editor.existing(connection, call.path["id"]))


async def put_windows(call: Call[types.Windows]) -> Reply:
    """Change the windows of a title's document, and nothing else of it."""
    key = call.path["id"]
    async with editing(call) as edit:
        old = await editor.existing(edit.connection, key, lock=True)
        unchanged(call, old.version)
        wanted = msgspec.structs.replace(old.document, windows=call.body.windows)
        made = (await editor.save(edit, {key: wanted}, {key: old}))[key]
        if isinstance(made, Problem):
            raise made
    return _windows(made)


def _windows(entry: types.Entry) -> Reply:
    return Reply(types.Windows(entry.document.windows), {"ETag": tag(entry.version)})


async def import_rows(call: Call[bytes]) -> types.ImportReport:
    """Create or replace many titles. What another file brings at the same time is there when this
    one is tried again.
    """
    for _ in range(IMPORT_RETRIES):
        try:
            return await _imported(call)
        except Problem as problem:
            if problem.code != "exists":
                raise
    return await _imported(call)


async def _imported(call: Call[bytes]) -> types.ImportReport:
    media = call.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    async with editing(call, IMPORT_TIMEOUT_MS) as edit:
        report = await imports.run(edit, call.body, media)
        await jobs.note(edit, "catalog_import", *imports.outcome(report))
    return report


async def list_entries(call: Call[None]) -> types.EntryList:
    """Titles in any state, the last changed first."""
    async with call.services.database.read() as connection:
        return await lists.entries(connection, call.services.secret, call.query)


async def list_versions(call: Call[None]) -> types.VersionList:
    """Versions of a title, the newest first."""
    secret, key = call.services.secret, call.path["id"]
    async with call.services.database.read() as connection:
        return await lists.versions(connection, secret, key, call.query)


async def list_audit(call: Call[None]) -> types.AuditList:
    """What was changed by whom, the newest first."""
    async with call.services.database.read() as connection:
        return await audit.page(connection, call.services.secret, call.query)


async def list_assets(call: Call[None]) -> types.AssetList:
    """What the origin holds of a title."""
    async with call.services.database.read() as connection:
        return await assets.listed(connection, call.path["id"])


async def put_asset(call: Call[types.AssetRequest]) -> types.Asset:
    """Link a title to what the origin holds."""
    async with editing(call) as edit:
        return await assets.put(edit, call.path["id"], call.path["asset"], call.body)


async def drop_asset(call: Call[None]) -> None:
    """Unlink a title from what the origin holds."""
    async with editing(call) as edit:
        await assets.drop(edit, call.path["id"], call.path["asset"])


async def list_channel_entries(call: Call[None]) -> types.ChannelEntryList:
    """Channels in any state, by number."""
    async with call.services.database.read() as connection:
        return await channels.entries(connection, call.services.secret, call.query)


async def create_channel(call: Call[types.ChannelRequest]) -> Reply:
    """A new channel, as a draft."""
    async with editing(call) as edit:
        made = await channels.create(edit, call.body)
    return Reply(made, {"ETag": tag(made.version), "Location": f"/v1/admin/channels/{made.id}"})


async def get_channel_entry(call: Call[None]) -> Reply:
    """A channel as editors see it."""
    async with call.services.database.read() as connection:
        return tagged(await channels.existing(connection, call.path["id"]))


async def patch_channel(call: Call[bytes]) -> Reply:
    """Change a channel by merge patch."""
    async with editing(call) as edit:
        old = await channels.existing(edit.connection, call.path["id"], lock=True)
        unchanged(call, old.version)
        return tagged(await channels.change(edit, old, patched(old.document, call.body)))


async def move_channel(call: Call[types.Move]) -> Reply:
    """Move a channel along draft, review, approved, published, archived."""
    async with editing(call) as edit:
        old = await channels.existing(edit.connection, call.path["id"], lock=True)
        as_seen(call, old.version)
        return tagged(await channels.transit(edit, old, call.body.to))
