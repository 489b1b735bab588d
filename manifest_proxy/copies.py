"""The copies of one compiled manifest: one answer for all viewers when none of them differs.

Source: manifest-proxy MP-41, MP-52.
"""

from collections import Counter
from functools import cached_property
from hashlib import blake2b

from isal import isal_zlib

from native.holes import Template
from native.http import Entity
from native.http.mold import Mold
from native.personal import Stream

from .zipped import zipped

PERSONAL = "private, no-store"
GZIP_FROM_BYTES = 1024
ZIPPED_FROM = 16  # copies: making what they share costs as much
MAX_ZIPPED = 8
CODED = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))


class Copies:
    def __init__(
        self,
        template: Template,
        content_type: str,
        folders: tuple[str, str] = ("", ""),
        *,
        shares: bool = False,
    ) -> None:
        """`folders` are what bits of a viewer's pattern choose between; with `shares` a CDN may
        hold the one for all, where there is one, for as long as its version is fresh.
        """
        self.template = template
        self._folders = folders[0].encode(), folders[1].encode()
        self._shares = shares
        self._shared: dict[str, Entity] = {}  # the last, by what caches are told
        self._coded: Counter[int] = Counter()  # copies by the size of their tokens
        self._zipped: dict[int, Stream | None] = {}
        self._content_type = content_type
        self._mold = Mold(content_type, cache_control=PERSONAL, ranges=False)
        self._coding = Mold(content_type, cache_control=PERSONAL, ranges=False, headers=CODED)
        marked = template.render(b"\0t", b"\0s")  # no text holds a NUL, so holes show
        self._digest = blake2b(marked, digest_size=16).digest()

    @cached_property
    def named(self) -> bool:
        """Whether a copy says which session it is of."""
        return self.template.render(b"", b"\0s") != self.template.render(b"", b"")

    def copy(
        self,
        token: bytes,
        sid: bytes,
        *,
        coded: bool,
        pattern: bytes = b"",
        left_s: float = 0.0,
    ) -> Entity:
        """A viewer's answer; `coded` when gzip is welcome. One for all is made once, with both, and
        told anew when other seconds are left of its version's lifetime (`left_s`).
        """
        if self.template.holes:
            return self._entity(token, sid if self.named else b"", pattern, coded=coded)
        control = f"public, max-age={int(left_s)}" if self._shares and left_s >= 1 else PERSONAL
        if control not in self._shared:
            self._shared = {control: self._whole(control)}
        return self._shared[control]

    @cached_property
    def _bodies(self) -> tuple[bytes, bytes | None]:
        """The one for all, as it is and coded."""
        body = self.template.render()
        return body, _coded(body) if len(body) >= GZIP_FROM_BYTES else None

    def _whole(self, control: str) -> Entity:
        body, coded = self._bodies
        return Entity(
            body,
            etag=self._tag(b"", b"", b""),
            content_type=self._content_type,
            cache_control=control,
            gzip=coded,
            ranges=False,
        )

    def _entity(self, token: bytes, sid: bytes, pattern: bytes, *, coded: bool) -> Entity:
        tag = self._tag(token, sid, pattern)
        stream = self._stream(len(token)) if coded and not sid and not pattern else None
        if stream is not None:
            return self._coding.cast(stream.of(token), tag + "-gz")
        if pattern:
            body = self.template.chosen(pattern, *self._folders, token, sid)
        else:
            body = self.template.render(token, sid)
        if not coded or len(body) < GZIP_FROM_BYTES:
            return self._mold.cast(body, tag)
        return self._coding.cast(_coded(body), tag + "-gz")

    def _tag(self, token: bytes, sid: bytes, pattern: bytes) -> str:
        """Of what a body is made from, which is less to hash than the body."""
        made_from = b"%b\0%b\0%b\0%b" % (self._digest, token, sid, pattern)
        return blake2b(made_from, digest_size=16).hexdigest()

    def _stream(self, size: int) -> Stream | None:
        """What copies with tokens of a size share, once some were asked for."""
        if size in self._zipped:
            return self._zipped[size]
        self._coded[size] += 1
        if self._coded[size] < ZIPPED_FROM or self.template.size < GZIP_FROM_BYTES:
            return None
        if len(self._zipped) >= MAX_ZIPPED:
            self._zipped.clear()
        made = self._zipped[size] = zipped(self.template, size)
        return made


def _coded(body: bytes) -> bytes:
    return isal_zlib.compress(body, 1, wbits=31)
