"""Edits of an HLS playlist: every URI place leads to a pathway, a master is cloned per pathway.

Source: HLS-M2 (URI places), HLS-M3 (resolution, variables), HLS-M8, HLS-M23, HLS-M32; ST-1..ST-3.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from .compiled import Piece
from .errors import ManifestError
from .hls import Kind, Line, attribute, attributes, edited, read, unquoted
from .policy import Pathway, Policy
from .tables import GROUP_ATTRIBUTES, URI_ATTRIBUTES
from .urls import Origin, Url, relative

VARIABLE = re.compile(rb"\{\$([A-Za-z0-9_-]+)\}")
STABLE_ID = re.compile(rb"[A-Za-z0-9+/=._-]{1,128}")  # ST-3
PLAIN = re.compile(rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]*+(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)*+")

VARIANT = b"EXT-X-STREAM-INF"
MEDIA = b"EXT-X-MEDIA"
STEERING = b"EXT-X-CONTENT-STEERING"
SINGLE_LINE_VARIANTS = (b"EXT-X-I-FRAME-STREAM-INF", b"EXT-X-IMAGE-STREAM-INF")
PATHWAY_BOUND = (VARIANT, MEDIA, *SINGLE_LINE_VARIANTS)


def compile_hls(data: bytes, url: Url, origin: Origin, policy: Policy) -> Iterable[Piece]:
    """The pieces of a playlist fetched from `url`, for the cohort of `policy`."""
    lines = read(data)
    editor = _Editor(lines, url, origin, policy)
    names = {line.name for line in lines if line.kind is Kind.TAG}
    if VARIANT not in names:
        return editor.flat(lines)
    if b"EXTINF" in names or b"EXT-X-TARGETDURATION" in names:
        raise ManifestError("mixed_playlist", "tags of a master and of a media playlist")
    return editor.expanded(lines) if policy.steering_url else editor.flat(lines)


class _Editor:
    def __init__(self, lines: Sequence[Line], url: Url, origin: Origin, policy: Policy) -> None:
        self.url = url
        self.origin = origin
        self.policy = policy
        self.variables = _variables(lines, url)
        # Where plain references resolve; None when the playlist came from elsewhere.
        folder = Url(url.root, url.path[: url.path.rfind(b"/") + 1])
        self.folder = origin.public_path(folder)

    # -- URIs --------------------------------------------------------------------------------------

    def public_path(self, reference: bytes) -> bytes | None:
        """The origin path that a reference means; None: foreign, opaque or not resolvable."""
        if self.folder is not None and PLAIN.fullmatch(reference):
            return self.folder + reference
        if b"{$" in reference:
            reference = VARIABLE.sub(lambda m: self.variables.get(m[1], m[0]), reference)
            if reference.startswith(b"{$"):
                return None
        return self.origin.public_path(self.url.join(reference))

    def child(self, reference: bytes, pathway: Pathway) -> list[Piece]:
        """The reference as a player of that pathway needs it; foreign ones stay as they are."""
        path = self.public_path(reference)
        return [reference] if path is None else self.policy.child(pathway, path)

    def uri_changes(self, line: Line, pathway: Pathway) -> dict[bytes, list[Piece]]:
        places = URI_ATTRIBUTES.get(line.name, ())
        changes: dict[bytes, list[Piece]] = {}
        for name, start, end in attributes(line.value) if places else ():
            raw = line.value[start:end]
            if name in places and (path := self.public_path(unquoted(raw))) is not None:
                changes[name] = [b'"', *self.policy.child(pathway, path), b'"']
        return changes

    # -- lines -------------------------------------------------------------------------------------

    def flat(self, lines: Iterable[Line]) -> Iterator[Piece]:
        """Every URI place leads to the first pathway; nothing is cloned."""
        for line in lines:
            yield from self.line(line, self.policy.first)

    def line(self, line: Line, pathway: Pathway) -> list[Piece]:
        if line.kind is Kind.URI:
            before, _, after = line.raw.partition(line.value)
            return [before, *self.child(line.value, pathway), after]
        if line.kind is not Kind.TAG:
            return [line.raw]
        if line.name == b"EXT-X-RENDITION-REPORT":
            return self.report(line)
        changes = self.uri_changes(line, pathway)
        return edited(line, changes) if changes else [line.raw]

    def report(self, line: Line) -> list[Piece]:
        """A rendition report names its playlist relative to this one (HLS-33, HLS-M23)."""
        uri = attribute(line, b"URI")
        path = self.public_path(uri) if uri and b"/" in uri else None
        if path is None or self.folder is None:
            return [line.raw]
        return edited(line, {b"URI": [b'"' + relative(path, self.folder) + b'"']})

    # -- pathways ----------------------------------------------------------------------------------

    def expanded(self, lines: Sequence[Line]) -> Iterator[Piece]:
        """Renditions and variants once per pathway, in cohort order, and one steering tag above."""
        bound = _bound(lines)
        if not any(block[0].name == VARIANT for _, block in bound):
            yield from self.flat(lines)
            return
        first, last = bound[0][0], bound[-1][0] + len(bound[-1][1])
        heads = {start: block for start, block in bound}
        inside = {start + k for start, block in bound for k in range(1, len(block))}
        kept = _own_pathway(bound)
        ending = lines[0].ending or b"\n"
        for line in lines[:first]:
            yield from self.unbound(line)
        yield from self.steering_tag(ending)
        for at in range(first, last):
            if at in heads:
                if at in kept:
                    yield from self.block(heads[at], self.policy.first, ending)
            elif at not in inside:
                yield from self.unbound(lines[at])
        for pathway in self.policy.pathways[1:]:
            for start, block in bound:
                if start in kept:
                    yield from self.block(block, pathway, ending)
        for line in lines[last:]:
            yield from self.unbound(line)

    def unbound(self, line: Line) -> list[Piece]:
        return [] if line.name == STEERING else self.line(line, self.policy.first)

    def steering_tag(self, ending: bytes) -> list[Piece]:
        first = self.policy.first.id.encode()
        return [
            b"#" + STEERING + b':SERVER-URI="',
            *self.policy.steering(),
            b'",PATHWAY-ID="' + first + b'"' + ending,
        ]

    def block(self, block: Sequence[Line], pathway: Pathway, ending: bytes) -> Iterator[Piece]:
        """A rendition, or a variant with all lines down to its URI, on one pathway."""
        tag, *rest = block
        yield from edited(tag, self.bound_changes(block, pathway))
        for line in rest:
            inner = line.name in PATHWAY_BOUND
            changes = self.bound_changes([line], pathway) if inner else {}
            yield from edited(line, changes) if inner else self.line(line, pathway)
        if not block[-1].ending:
            yield ending

    def bound_changes(self, block: Sequence[Line], pathway: Pathway) -> dict[bytes, list[Piece]]:
        tag = block[0]
        changes = self.uri_changes(tag, pathway)
        present = {found.name for found in attributes(tag.value)}
        groups = (b"GROUP-ID",) if tag.name == MEDIA else GROUP_ATTRIBUTES
        for name, start, end in attributes(tag.value):
            raw = tag.value[start:end]
            if name in groups and raw.startswith(b'"'):
                changes[name] = [b'"%b@%b"' % (unquoted(raw), pathway.id.encode())]
        stable = b"STABLE-RENDITION-ID" if tag.name == MEDIA else b"STABLE-VARIANT-ID"
        uri = block[-1].value if tag.name == VARIANT else attribute(tag, b"URI")
        if uri and stable not in present:
            changes[stable] = [b'"%b"' % self.stable_id(uri)]
        if tag.name != MEDIA:
            changes[b"PATHWAY-ID"] = [b'"%b"' % pathway.id.encode()]
        return changes

    def stable_id(self, uri: bytes) -> bytes:
        """One id per URI, the same on every pathway, refresh and node (ST-3)."""
        path = self.public_path(uri) or uri
        if self.folder:
            path = path.removeprefix(self.folder)
        if STABLE_ID.fullmatch(path):
            return path
        return base64.urlsafe_b64encode(hashlib.sha256(path).digest()[:15])


def _variables(lines: Iterable[Line], url: Url) -> dict[bytes, bytes]:
    """What EXT-X-DEFINE gives a value (4.4.2.3); IMPORT needs the parent, so it stays undefined."""
    query = dict(pair.partition(b"=")[::2] for pair in url.rest[1:].split(b"&"))
    found: dict[bytes, bytes] = {}
    for line in lines:
        if line.name != b"EXT-X-DEFINE":
            continue
        name, value = attribute(line, b"NAME"), attribute(line, b"VALUE")
        parameter = attribute(line, b"QUERYPARAM")
        if name is not None and value is not None:
            found[name] = value
        elif parameter is not None and parameter in query:
            found[parameter] = query[parameter]
    return found


def _bound(lines: Sequence[Line]) -> list[tuple[int, list[Line]]]:
    """Index and lines of every rendition and variant; a variant reaches down to its URI line."""
    found: list[tuple[int, list[Line]]] = []
    at = 0
    while at < len(lines):
        end = at + 1
        if lines[at].name == VARIANT:
            while end < len(lines) and lines[end].kind is not Kind.URI:
                if lines[end].name == VARIANT:
                    break
                end += 1
            if end == len(lines) or lines[end].kind is not Kind.URI:
                at += 1  # players pass over it, and so do we
                continue
            end += 1
        if lines[at].name in PATHWAY_BOUND:
            found.append((at, list(lines[at:end])))
        at = end
    return found


def _own_pathway(bound: Sequence[tuple[int, list[Line]]]) -> set[int]:
    """Of an origin that steers by itself, the first pathway's ladder: it offers one per pathway."""
    ids = {
        start: attribute(block[0], b"PATHWAY-ID") or b"."
        for start, block in bound
        if block[0].name != MEDIA
    }
    first = next(ids[start] for start, block in bound if block[0].name == VARIANT)
    kept = {start for start, pathway in ids.items() if pathway == first}
    used = {
        (name, attribute(block[0], name))
        for start, block in bound
        if start in kept
        for name in GROUP_ATTRIBUTES
    }
    orphaned = {
        (name, attribute(block[0], name))
        for start, block in bound
        if start in ids and start not in kept
        for name in GROUP_ATTRIBUTES
    } - used
    media = {start: block[0] for start, block in bound if start not in ids}
    return kept | {
        start
        for start, tag in media.items()
        if (attribute(tag, b"TYPE"), attribute(tag, b"GROUP-ID")) not in orphaned
    }
