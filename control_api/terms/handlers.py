"""Operations on books, one factory each, and on grants."""

from collections.abc import Awaitable, Callable
from typing import Any

from control_api.calls import Call, Reply
from control_api.catalogue.editing import editing
from control_api.entries import patched, tag, unchanged
from control_api.terms import grants, types
from control_api.terms.books import Book

Operation = Callable[[Call[Any]], Awaitable[Any]]


async def _tell(call: Call[Any], book: Book[Any], old: Any, made: Any) -> None:
    for subject in book.concerns(old, made):
        await call.services.playback.cases.changed(subject)


def _tagged(entry: Any, **headers: str) -> Reply:
    return Reply(entry, {"ETag": tag(entry.version), **headers})


def listed(book: Book[Any]) -> Operation:
    async def page(call: Call[None]) -> Any:
        async with call.services.database.read() as connection:
            return await book.page(connection, call.services.secret, call.query)

    page.__doc__ = f"All {book.noun}s, the newest first."
    return page


def created(book: Book[Any], path: str) -> Operation:
    async def create(call: Call[Any]) -> Reply:
        async with editing(call) as edit:
            made = await book.create(edit, call.body)
            reply = _tagged(made, Location=f"{path}/{made.id}")
            await call.settle(edit.connection, reply, 201)
        await _tell(call, book, None, made)
        return reply

    create.__doc__ = f"A new {book.noun}."
    return create


def found(book: Book[Any]) -> Operation:
    async def get(call: Call[None]) -> Reply:
        async with call.services.database.read() as connection:
            return _tagged(await book.existing(connection, call.path["id"], lock=False))

    get.__doc__ = f"One {book.noun}."
    return get


def changed(book: Book[Any]) -> Operation:
    async def change(call: Call[bytes]) -> Reply:
        async with editing(call) as edit:
            old = await book.existing(edit.connection, call.path["id"], lock=True)
            unchanged(call, old.version)
            made = await book.change(edit, old, patched(old.document, call.body))
        await _tell(call, book, old, made)
        return _tagged(made)

    change.__doc__ = f"Change a {book.noun} by merge patch."
    return change


def moved(book: Book[Any]) -> Operation:
    async def move(call: Call[types.SalesMove]) -> Reply:
        async with editing(call) as edit:
            old = await book.existing(edit.connection, call.path["id"], lock=True)
            if old.status == call.body.to:
                return _tagged(old)
            made = await book.set(edit, old, {"status": call.body.to})
        await _tell(call, book, old, made)
        return _tagged(made)

    move.__doc__ = f"Archive a {book.noun}, or sell it again."
    return move


def removed(book: Book[Any]) -> Operation:
    async def remove(call: Call[None]) -> None:
        async with editing(call) as edit:
            old = await book.existing(edit.connection, call.path["id"], lock=True)
            await book.remove(edit, old)
        await _tell(call, book, old, None)

    remove.__doc__ = f"Remove a {book.noun}."
    return remove


# -- grants ----------------------------------------------------------------------------


async def own_grants(call: Call[None]) -> types.GrantList:
    """What the account has subscribed to or bought."""
    return await grants.page(call, call.caller.account_id)


async def all_grants(call: Call[None]) -> types.GrantList:
    """Subscriptions and purchases of all accounts or of one, the newest first."""
    return await grants.page(call, call.query.account_id)


async def give(call: Call[types.GrantRequest]) -> Reply:
    """Give an account a package or a title."""
    async with editing(call) as edit:
        made = await grants.give(edit, call.body)
        reply = Reply(made, {"Location": f"/v1/entitlements/{made.id}"})
        await call.settle(edit.connection, reply, 201)
    await call.services.playback.cases.changed(made.account_id)
    return reply


async def take(call: Call[None]) -> None:
    """Take a grant away; running sessions hear of it with their next heartbeat."""
    async with editing(call) as edit:
        taken = await grants.take(edit, call.path["id"])
    await call.services.playback.cases.changed(taken.account_id)
