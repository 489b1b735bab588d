"""One function an operation on accounts."""

from control_api.accounts import desk, types
from control_api.calls import Call, Reply
from control_api.catalogue.editor import Edit
from control_api.entries import patched, tag, unchanged

PATH = "/v1/admin/accounts"


async def page(call: Call[None]) -> types.AccountList:
    """Accounts, all or those that a word finds, the newest first."""
    async with call.services.database.read() as connection:
        return await desk.page(connection, call.services.secret, call.query)


async def create(call: Call[types.NewAccount]) -> Reply:
    """A new account with its way to sign in."""
    desk.way_in(call.body)
    password, services = call.body.password, call.services
    hashed = await services.passwords.hashed(password) if password is not None else None
    async with services.database.write() as connection:
        edit = Edit(connection, call.caller.account_id, call.now_ms)
        made = await desk.create(edit, call.body, hashed)
        reply = _tagged(made, Location=f"{PATH}/{made.id}")
        await call.settle(connection, reply, 201)
    await services.playback.cases.changed(made.id)
    return reply


async def get(call: Call[None]) -> Reply:
    """One account."""
    async with call.services.database.read() as connection:
        return _tagged(await desk.existing(connection, call.path["id"]))


async def change(call: Call[bytes]) -> Reply:
    """Change an account by merge patch; one that is no longer active plays nothing from now on."""
    key, playback = call.path["id"], call.services.playback
    async with call.services.database.write() as connection:
        old = await desk.existing(connection, key, lock=True)
        unchanged(call, old.version)
        edit = Edit(connection, call.caller.account_id, call.now_ms)
        made = await desk.change(edit, old, patched(old.document, call.body))
    await playback.cases.changed(key)
    status = made.document.status
    if status != "active":
        for each in await playback.streams.live(key, call.now_ms):
            await playback.streams.end(key, each.session_id, f"account_{status}", call.now_ms)
    return _tagged(made)


def _tagged(entry: types.Account, **headers: str) -> Reply:
    return Reply(entry, {"ETag": tag(entry.version), **headers})
