"""A master playlist with its variants and renditions once per pathway, and one steering tag. Where
steering is off there is none: the order is the players' own to fall back along.

Blocks are cloned as text, each clone's references are then led to its own pathway.
Source: HLS-M32; steering ST-1..ST-3.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from native.hls import Kind, Line, Playlist, attributes
from native.holes import Template

from .hls import attribute, edited, unquoted
from .hls_references import References
from .holes import Piece
from .policy import Pathway, Policy
from .tables import GROUP_ATTRIBUTES

STABLE_ID = re.compile(rb"[A-Za-z0-9+/=._-]{1,128}")  # ST-3

VARIANT = b"EXT-X-STREAM-INF"
MEDIA = b"EXT-X-MEDIA"
STEERING = b"EXT-X-CONTENT-STEERING"
SINGLE_LINE_VARIANTS = (b"EXT-X-I-FRAME-STREAM-INF", b"EXT-X-IMAGE-STREAM-INF")
PATHWAY_BOUND = (VARIANT, MEDIA, *SINGLE_LINE_VARIANTS)

Block = Sequence[Line]  # a rendition, or a variant with all lines down to its URI


def expanded(lines: Sequence[Line], references: References, policy: Policy) -> Template | None:
    """The master for all pathways in cohort order; None when no variant has a URI."""
    found = blocks(lines)
    if not any(block[0].name == VARIANT for block in found.values()):
        return None
    starts = list(found)
    first, last = starts[0], starts[-1] + len(found[starts[-1]])
    kept = _own_pathway(found)
    ending = lines[0].ending or b"\n"

    def led(parts: Iterable[bytes], pathway: Pathway) -> Template:
        return references.led_master(Playlist(b"".join(parts), whole=False), pathway)

    def unbound(some: Iterable[Line]) -> list[bytes]:
        return [line.raw for line in some if line.name != STEERING]

    def cloned(start: int, pathway: Pathway) -> list[bytes]:
        if start not in kept:
            return []
        parts = _clone(found[start], pathway, references)
        return parts if found[start][-1].ending else [*parts, ending]

    body: list[bytes] = []
    at = first
    while at < last:
        block = found.get(at)
        body += cloned(at, policy.first) if block else unbound([lines[at]])
        at += len(block) if block else 1
    return Template(
        [
            led(unbound(lines[:first]), policy.first),
            *(_steering(policy, ending) if policy.steered else ()),
            led(body, policy.first),
            *(
                led((part for at in found for part in cloned(at, p)), p)
                for p in policy.pathways[1:]
            ),
            led(unbound(lines[last:]), policy.first),
        ]
    )


def _steering(policy: Policy, ending: bytes) -> list[Piece]:
    first = policy.first.id.encode()
    tag = b"#" + STEERING + b':SERVER-URI="'
    return [tag, *policy.steering(), b'",PATHWAY-ID="' + first + b'"' + ending]


def _clone(block: Block, pathway: Pathway, references: References) -> list[bytes]:
    """A block as one pathway names it; only tags that belong to a pathway change."""
    tag, *rest = block
    uri = block[-1].value if tag.name == VARIANT else attribute(tag, b"URI")
    return [
        edited(tag, _bound_changes(tag, uri, pathway, references)),
        *(
            edited(line, _bound_changes(line, attribute(line, b"URI"), pathway, references))
            if line.name in PATHWAY_BOUND
            else line.raw
            for line in rest
        ),
    ]


def _bound_changes(
    tag: Line, uri: bytes | None, pathway: Pathway, references: References
) -> dict[bytes, bytes]:
    """Groups of the pathway's own, a stable id for what `uri` names, the pathway's id."""
    id_ = pathway.id.encode()
    groups = (b"GROUP-ID",) if tag.name == MEDIA else GROUP_ATTRIBUTES
    changes: dict[bytes, bytes] = {}
    present = set()
    for name, start, end in attributes(tag.value):
        raw = tag.value[start:end]
        present.add(name)
        if name in groups and raw.startswith(b'"'):
            changes[name] = b'"%b@%b"' % (unquoted(raw), id_)
    stable = b"STABLE-RENDITION-ID" if tag.name == MEDIA else b"STABLE-VARIANT-ID"
    if uri and stable not in present:
        changes[stable] = b'"%b"' % stable_id(uri, references)
    if tag.name != MEDIA:
        changes[b"PATHWAY-ID"] = b'"%b"' % id_
    return changes


def stable_id(uri: bytes, references: References) -> bytes:
    """One id per URI, the same on every pathway, refresh and node (ST-3)."""
    path = references.public_path(uri) or uri
    if references.folder:
        path = path.removeprefix(references.folder)
    if STABLE_ID.fullmatch(path):
        return path
    return base64.urlsafe_b64encode(hashlib.sha256(path).digest()[:15])


def blocks(lines: Sequence[Line]) -> dict[int, Block]:
    """Every rendition and variant by the index of its first line."""
    found: dict[int, Block] = {}
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
            found[at] = lines[at:end]
        at = end
    return found


def _own_pathway(blocks: Mapping[int, Block]) -> set[int]:
    """Of an origin that steers by itself, the first pathway's ladder: it offers one per pathway."""
    tags = {start: block[0] for start, block in blocks.items()}
    ids = {
        start: attribute(tag, b"PATHWAY-ID") or b"."
        for start, tag in tags.items()
        if tag.name != MEDIA
    }
    first = next(pathway for start, pathway in ids.items() if tags[start].name == VARIANT)
    kept = {start for start, pathway in ids.items() if pathway == first}
    used = _groups(tags[start] for start in kept)
    orphaned = _groups(tags[start] for start in ids if start not in kept) - used
    return kept | {
        start
        for start, tag in tags.items()
        if start not in ids
        and (attribute(tag, b"TYPE"), attribute(tag, b"GROUP-ID")) not in orphaned
    }


def _groups(tags: Iterable[Line]) -> set[tuple[bytes | None, bytes | None]]:
    return {(name, attribute(tag, name)) for tag in tags for name in GROUP_ATTRIBUTES}
