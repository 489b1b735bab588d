"""URI references as opaque bytes: resolved, never re-encoded.

Source: RFC 3986 sections 5.2 and 6.2.2; HLS-M3, HLS-M5 (origin queries are opaque), MP-64.
"""

import re
from typing import NamedTuple

SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*+):")
HTTP_PORTS = {b"http": b":80", b"https": b":443"}


class Url(NamedTuple):
    """An http(s) address: `root` is scheme and authority in one canonical spelling."""

    root: bytes
    path: bytes
    rest: bytes = b""  # query and fragment, with their delimiters

    @classmethod
    def parse(cls, text: str | bytes) -> "Url":
        """An absolute http(s) URL; ValueError for anything else."""
        url = cls(b"", b"/").join(text.encode() if isinstance(text, str) else text)
        if url is None or not url.root:
            raise ValueError("not an absolute http or https URL")
        return url

    def join(self, reference: bytes) -> "Url | None":
        """The reference resolved against this URL; None for schemes such as `skd:` and `data:`."""
        scheme = SCHEME.match(reference)
        if scheme:
            name = scheme[1].lower()
            if name not in HTTP_PORTS or not reference.startswith(b"//", scheme.end()):
                return None
            return _absolute(name, reference[scheme.end() + 2 :])
        if reference.startswith(b"//"):
            return _absolute(self.root.partition(b":")[0], reference[2:])
        path, rest = _split_path(reference)
        if not path:
            own_query = self.rest.partition(b"#")[0]
            return Url(self.root, self.path, rest if rest.startswith(b"?") else own_query + rest)
        if not path.startswith(b"/"):
            path = self.path[: self.path.rfind(b"/") + 1] + path
        return Url(self.root, without_dots(path), rest)

    def path_and_rest(self) -> bytes:
        return self.path + self.rest


def _absolute(scheme: bytes, tail: bytes) -> Url | None:
    ends = [at for at in map(tail.find, (b"/", b"?", b"#")) if at >= 0]
    authority = tail[: min(ends)] if ends else tail
    if not authority:
        return None
    path, rest = _split_path(tail[len(authority) :])
    host = authority.lower().removesuffix(HTTP_PORTS.get(scheme, b""))
    return Url(scheme + b"://" + host, without_dots(path or b"/"), rest)


def _split_path(text: bytes) -> tuple[bytes, bytes]:
    ends = [at for at in (text.find(b"?"), text.find(b"#")) if at >= 0]
    cut = min(ends, default=len(text))
    return text[:cut], text[cut:]


def without_dots(path: bytes) -> bytes:
    """`.` and `..` segments applied (RFC 3986 5.2.4): nothing climbs above the root."""
    if b"/." not in path:
        return path
    kept: list[bytes] = []
    segments = path.split(b"/")
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment == b"..":
            if len(kept) > 1:
                kept.pop()
            if last:
                kept.append(b"")
        elif segment == b".":
            if last:
                kept.append(b"")
        else:
            kept.append(segment)
    return b"/".join(kept)


def relative(target: bytes, base: bytes) -> bytes:
    """The reference that leads from the path `base` to the path `target`, both absolute."""
    here, there = base.split(b"/")[:-1], target.split(b"/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    steps = b"../" * (len(here) - shared) + b"/".join(there[shared:])
    if not steps or SCHEME.match(steps) or steps.startswith(b"/"):
        return b"./" + steps
    return steps


class Origin:
    """The one server that pathways stand in front of; `prefix` is the folder its base URL names."""

    __slots__ = ("prefix", "root")

    def __init__(self, base_url: str) -> None:
        url = Url.parse(base_url)
        self.root = url.root
        self.prefix = url.path.rstrip(b"/")

    def public_path(self, url: Url | None) -> bytes | None:
        """Path, query and fragment below the base, starting with `/`; None when it is elsewhere."""
        if url is None or url.root != self.root or not url.path.startswith(self.prefix + b"/"):
            return None
        return url.path_and_rest()[len(self.prefix) :]
