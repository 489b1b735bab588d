"""Passwords of accounts: a subject (the user's e-mail address, lower case) and an argon2id hash."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.problems import Problem
from control_api.schema import account, credential


async def by_password(connection: AsyncConnection, username: str) -> Any:
    """The credential of a user; None for nobody or a deleted account."""
    query = (
        select(credential)
        .join(account, account.c.id == credential.c.account_id)
        .where(credential.c.kind == "password", credential.c.subject == username.casefold())
        .where(account.c.status != "deleted")
    )
    return (await connection.execute(query)).first()


def refused() -> Problem:
    """One answer for an unknown user and for a wrong password."""
    return Problem("bad_credentials", headers={"WWW-Authenticate": "Bearer"})
