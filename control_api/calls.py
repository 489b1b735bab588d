"""What a handler is given and what it may give back."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.content_tokens import CatSigner
from control_api.flags import Flags
from control_api.idempotency import Claim
from control_api.issuer import Issuer, Passwords
from control_api.playback import Playback
from control_api.settings import Settings
from runtime.plain import Answer
from runtime.sql import Database
from runtime.store import Store

Body = TypeVar("Body")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    settings: Settings
    database: Database
    issuer: Issuer
    passwords: Passwords
    playback: Playback
    secret: bytes = field(repr=False)
    store: Store
    token_signer: CatSigner | None = None
    flags: Flags = field(default_factory=Flags)


class Call(NamedTuple, Generic[Body]):
    """One request, checked: `caller` if the route has a scope, `query` and `body` of its types.

    `headers` are the request's own, whatever their case; `address` is the client's (CTL-10);
    `claim` is the idempotency key that it came with, `budget_ms` how long the caller waits.
    """

    services: Services
    now_ms: int
    caller: Any
    path: Mapping[str, str]
    query: Any
    body: Body
    headers: Mapping[str, str]
    address: str
    claim: Claim | None = None
    budget_ms: float = inf

    async def settle(self, connection: AsyncConnection, reply: "Reply", status: int) -> None:
        """Keep the answer with its effect, in the open transaction (CTL-156)."""
        if self.claim is not None:
            body = msgspec.json.encode(reply.value)
            answer = Answer(reply.status or status, JSON, reply.headers, body)
            await self.claim.settle(connection, answer)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers of its own; a value of None is 204, `status` None is the route's."""

    value: "Struct | Rendered | None"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """JSON made once for many callers; `tag` tells it from any other bytes (CTL-7)."""

    raw: bytes
    gzipped: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes piece by piece, for as long as the client listens."""

    pieces: AsyncGenerator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
