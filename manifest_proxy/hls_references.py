"""What the references of one playlist mean, and where a pathway leads them.

Source: HLS-M2 (URI places), HLS-M3 (resolution, variables), HLS-M5, HLS-M8, HLS-M23.
"""

import re
from collections.abc import Iterable
from itertools import groupby

from native.hls import Kind, Line, Playlist, rewrite
from native.holes import Template

from .hls import attribute
from .policy import Pathway, Policy
from .tables import CHILDREN
from .urls import Origin, Url, relative

VARIABLE = re.compile(rb"\{\$([A-Za-z0-9_-]+)\}")
DEFINE = b"EXT-X-DEFINE"


class References:
    def __init__(self, playlist: Playlist, url: Url, origin: Origin, policy: Policy) -> None:
        self.url = url
        self.origin = origin
        self.policy = policy
        self.variables = _variables(playlist.lines(), url) if DEFINE in playlist.tags else {}
        # Where plain references resolve; None when the playlist came from elsewhere.
        self.folder = origin.public_path(Url(url.root, url.path[: url.path.rfind(b"/") + 1]))

    def led(self, playlist: Playlist, pathway: Pathway, *, children: bool = False) -> Template:
        """The lines with every URI place leading to one pathway; `children` are playlists."""
        tail = self.policy.tail()
        return rewrite(
            playlist,
            Template(self.policy.lead(pathway, playlist=children)),
            home=self.folder,
            prefix=self.origin.prefix,
            root=self.origin.root,
            resolve=self.public_path,
            relate=self.relative,
            tail=Template(tail) if tail else None,
        )

    def led_master(self, playlist: Playlist, pathway: Pathway) -> Template:
        """Lines of a master: playlists lead where the policy has them, other references beside."""
        if not self.policy.playlists_url:
            return self.led(playlist, pathway)
        runs = groupby(
            playlist.lines(), lambda line: line.kind is Kind.URI or line.name in CHILDREN
        )
        return Template(
            self.led(_lines(line.raw for line in run), pathway, children=children)
            for children, run in runs
        )

    def public_path(self, reference: bytes) -> bytes | None:
        """The origin path that a reference means; None: none, foreign, opaque or not resolvable."""
        if not reference:
            return None  # KEY:METHOD=NONE,URI="" is in use, and may have no other
        if b"{$" in reference:
            reference = VARIABLE.sub(lambda m: self.variables.get(m[1], m[0]), reference)
            if reference.startswith(b"{$"):
                return None
        return self.origin.public_path(self.url.join(reference))

    def relative(self, reference: bytes) -> bytes | None:
        """A rendition report names its playlist relative to this one (HLS-33, HLS-M23)."""
        path = self.public_path(reference)
        return None if path is None or self.folder is None else relative(path, self.folder)


def _variables(lines: Iterable[Line], url: Url) -> dict[bytes, bytes]:
    """What EXT-X-DEFINE gives a value (4.4.2.3); IMPORT needs the parent, so it stays undefined."""
    query = dict(pair.partition(b"=")[::2] for pair in url.rest[1:].split(b"&"))
    found: dict[bytes, bytes] = {}
    for line in lines:
        if line.name != DEFINE:
            continue
        name, value = attribute(line, b"NAME"), attribute(line, b"VALUE")
        parameter = attribute(line, b"QUERYPARAM")
        if name is not None and value is not None:
            found[name] = value
        elif parameter is not None and parameter in query:
            found[parameter] = query[parameter]
    return found


def _lines(raws: Iterable[bytes]) -> Playlist:
    return Playlist(b"".join(raws), whole=False)
