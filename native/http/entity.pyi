"""Answers whose heads are built once and served many times (C face: entity.pxd)."""

import re
from collections.abc import Sequence

from typing_extensions import disjoint_base

__pyx_capi__: dict[str, object]  # what other kernels call

IMAGE_HITS: int
IMAGE_BYTES: int
ETAG_TEXT: re.Pattern[str]

@disjoint_base
class Answer:
    """Base of what has a head of its own."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes:
        """The whole, joined when it is in pieces; the way out never joins."""
    @property
    def size_bytes(self) -> int:
        """Of the body."""

@disjoint_base
class Entity(Answer):
    """One immutable object version: octets, validators and all its heads."""

    def __init__(
        self,
        body: bytes | Sequence[bytes],
        *,
        content_type: str,
        cache_control: str,
        last_modified: int = 0,
        etag: str | None = None,
        gzip: bytes | Sequence[bytes] | None = None,
        ranges: bool = True,
        headers: Sequence[tuple[str, str]] = (),
        status: int = 200,
    ) -> None:
        """`body` and `gzip`: whole, or in pieces that leave by writev and are never joined; a body
        in pieces needs an `etag`. `last_modified`: epoch seconds, 0 for none. `etag`: opaque text
        without quotes, default a hash of the body. `gzip`: the coded twin, with its own tag and
        Vary; ranges are then ignored (HT-98). HeadError for a header that may not go on the wire.
        """
    @property
    def etag(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def cache_control(self) -> str: ...
    @property
    def last_modified(self) -> int: ...
    @property
    def gzip(self) -> bytes | None: ...

@disjoint_base
class Refusal(Answer):
    """A clear no with a stable code: body {"error": code}, explicit lifetime (HT-73)."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        cache_control: str = "max-age=1",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None: ...
    @property
    def code(self) -> str: ...

def preflight() -> Answer:
    """What every OPTIONS gets (HT-75): 204, no look-up, nothing of the request."""
