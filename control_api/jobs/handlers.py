"""One function an operation on jobs."""

from control_api.calls import Call
from control_api.catalogue.editor import Edit
from control_api.jobs import desk, types


async def page(call: Call[None]) -> types.JobList:
    """Imports and other works that outlast a request, the newest first."""
    async with call.services.database.read() as connection:
        return await desk.page(connection, call.services.secret, call.query)


async def get(call: Call[None]) -> types.JobDetail:
    """One job with what came of it."""
    async with call.services.database.read() as connection:
        return await desk.one(connection, call.path["id"])


async def cancel(call: Call[None]) -> types.JobDetail:
    """End a job that is not over."""
    async with call.services.database.write() as connection:
        edit = Edit(connection, call.caller.account_id, call.now_ms)
        return await desk.cancel(edit, call.path["id"])
