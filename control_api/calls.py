"""What a handler is given and what it may give back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from msgspec import Struct

from control_api.content_tokens import CatSigner
from control_api.issuer import Issuer, Passwords
from control_api.playback import Playback
from control_api.settings import Settings
from runtime.sql import Database

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    settings: Settings
    database: Database
    issuer: Issuer
    passwords: Passwords
    playback: Playback
    secret: bytes = field(repr=False)
    token_signer: CatSigner | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[Body]):
    """One request, checked: `caller` if the route has a scope, `query` and `body` of its types."""

    services: Services
    now_ms: int
    caller: Any
    path: Mapping[str, str]
    query: Any
    body: Body


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers of its own; a value of None is 204."""

    value: Struct | None
    headers: Mapping[str, str] = field(default_factory=dict)
