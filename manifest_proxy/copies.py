"""The copies of one compiled manifest: one answer for all viewers when none of them differs.

Source: manifest-proxy MP-41, MP-52.
"""

import zlib
from hashlib import blake2b

from native.holes import Template
from native.http import Entity

PERSONAL = "private, no-store"
GZIP_FROM_BYTES = 1024


class Copies:
    def __init__(self, template: Template, content_type: str) -> None:
        self.template = template
        self._content_type = content_type
        self._shared: Entity | None = None
        marked = template.render(b"\0t", b"\0s")  # no text holds a NUL, so holes show
        self._digest = blake2b(marked, digest_size=16).digest()

    def copy(self, token: bytes, sid: bytes, *, coded: bool) -> Entity:
        """A viewer's answer; `coded` when gzip is welcome. A shared one is made once, with both."""
        if self.template.holes:
            return self._entity(token, sid, coded=coded)
        if self._shared is None:
            self._shared = self._entity(b"", b"", coded=True)
        return self._shared

    def _entity(self, token: bytes, sid: bytes, *, coded: bool) -> Entity:
        """Its tag is of what the body is made from, which is less to hash than the body."""
        body = self.template.render(token, sid)
        made_from = b"%b\0%b\0%b" % (self._digest, token, sid)
        return Entity(
            body,
            etag=blake2b(made_from, digest_size=16).hexdigest(),
            content_type=self._content_type,
            cache_control=PERSONAL,
            gzip=zlib.compress(body, 1, wbits=31)
            if coded and len(body) >= GZIP_FROM_BYTES
            else None,
            ranges=False,
        )
