"""Edits of an MPD: a BaseURL per pathway, one ContentSteering, and no reference that escapes them.

The top BaseURLs carry pathway and token; everything below stays relative, so that a rewrite applies
once (DASH-M8). References below that would leave the BaseURL (absolute at the origin, or climbing
with `..`) become relative ones. Source: DASH-M8..M10, DASH-M15, DASH-M19; ST-4..ST-6; MP-64.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape

from native.holes import Template
from native.mpd import Element

from .errors import ManifestError
from .holes import Piece
from .mpd import Document
from .policy import Policy
from .tables import BEFORE_ESSENTIAL, MPD_REFERENCES, UTC_URL_SCHEMES
from .urls import SCHEME, Origin, Url, relative

HOLDERS = frozenset(MPD_REFERENCES) | {"UTCTiming", "AdaptationSet"}  # beside any with XLink
TO_ESCAPE = re.compile(rb"[^ !#-%(-;=?-~]")  # all but plain ASCII


class Edit(NamedTuple):
    """Bytes start..end of the original replaced by pieces."""

    start: int
    end: int
    pieces: list[Piece]


def compile_mpd(data: bytes, url: Url, origin: Origin, policy: Policy) -> Template:
    """An MPD fetched from `url`, for the cohort of `policy`."""
    document = Document(data)
    if document.root.name != "MPD":
        raise ManifestError("not_an_mpd", "the root element is not MPD")
    editor = Editor(document, url, origin, policy)
    editor.root()
    return Template(applied(data, editor.edits))


def applied(data: bytes, edits: list[Edit]) -> Iterable[Piece]:
    at = 0
    for start, end, pieces in sorted(edits, key=lambda edit: edit.start):
        yield data[at:start]
        yield from pieces
        at = end
    yield data[at:]


def _xml(text: bytes) -> bytes:
    """Text or attribute value; non-ASCII as character references, so any encoding holds it."""
    if not TO_ESCAPE.search(text):
        return text
    plain = escape(text.decode("utf-8", "replace"), {'"': "&quot;", "'": "&apos;"})
    return plain.encode("ascii", "xmlcharrefreplace")


class Editor:
    def __init__(self, document: Document, url: Url, origin: Origin, policy: Policy) -> None:
        self.document = document
        self.url = url
        self.origin = origin
        self.policy = policy
        self.xlink_names = document.xlink_names
        self.edits: list[Edit] = []

    def reference_of(self, element: Element) -> bytes:
        return self.document.text(element).strip().encode()

    def escaped(self, pieces: Iterable[Piece]) -> list[Piece]:
        return [_xml(piece) if isinstance(piece, bytes) else piece for piece in pieces]

    def remove(self, element: Element) -> None:
        start = element.start - len(self.document.indent(element))
        self.edits.append(Edit(start, element.end, []))

    def replace_attribute(self, element: Element, name: bytes, pieces: list[Piece]) -> None:
        if span := element.attribute_span(name):
            self.edits.append(Edit(*span, self.escaped(pieces)))

    # -- the top -----------------------------------------------------------------------------------

    def root(self) -> None:
        root = self.document.root
        if root.inner_end == root.end:
            raise ManifestError("mpd_empty", "the MPD has no content")
        bases = root.named("BaseURL")
        resolved = [self.url.join(self.reference_of(base)) for base in bases]
        for base, target in zip(bases, resolved, strict=True):
            if (path := self.origin.public_path(target)) is not None:
                pieces = self.per_pathway(base, path)
                self.edits.append(Edit(base.start, base.end, pieces))
        self.insert(bases)
        self.locations(root, "Location")
        if self.policy.patches:
            self.locations(root, "PatchLocation")
        else:  # not of our bytes any more (DASH-M15)
            for patch in root.named("PatchLocation"):
                self.remove(patch)
        if self.policy.steering_url:
            for holder in (root, *root.named("ServiceDescription")):
                for steering in holder.named("ContentSteering"):
                    self.remove(steering)
        self.below(root, resolved[0] if resolved else self.url, top=True)

    def locations(self, holder: Element, name: str) -> None:
        """Where players ask again: this proxy."""
        for location in holder.named(name):
            path = self.origin.public_path(self.url.join(self.reference_of(location)))
            if path is not None and self.policy.refresh_url:
                pieces = self.escaped(self.policy.refresh(path))
                self.edits.append(Edit(location.inner_start, location.inner_end, pieces))

    def per_pathway(self, base: Element, path: bytes) -> list[Piece]:
        """A BaseURL once per pathway in cohort order; its other attributes are kept as written."""
        data, span = self.document.data, base.attribute_span(b"serviceLocation")
        tag = data[base.start : base.inner_start].removesuffix(b"/>").removesuffix(b">").rstrip()
        pieces: list[Piece] = []
        for pathway in self.policy.pathways:
            name = _xml(pathway.id.encode())
            if span:
                head = data[base.start : span[0]] + name + tag[span[1] - base.start :]
            else:
                head = tag + b' serviceLocation="' + name + b'"'
            if pieces:
                pieces.append(self.document.indent(base))
            pieces += [head + b">", *self.escaped(self.policy.child(pathway, path))]
            pieces.append(b"</" + self.document.prefix + b"BaseURL>")
        return pieces

    def insert(self, bases: list[Element]) -> None:
        """What the origin did not write: BaseURLs when there are none, and the steering element."""
        root, prefix = self.document.root, self.document.prefix
        before = bases or root.named("ProgramInformation")
        at = before[-1].end if before else root.inner_start
        indent = self.document.indent(root.children[0]) if root.children else b""
        pieces: list[Piece] = []
        folder = self.origin.public_path(
            Url(self.url.root, self.url.path.rpartition(b"/")[0] + b"/")
        )
        if not bases and folder is not None:
            for pathway in self.policy.pathways:
                name = _xml(pathway.id.encode())
                pieces += [indent + b"<" + prefix + b'BaseURL serviceLocation="' + name + b'">']
                pieces += self.escaped(self.policy.child(pathway, folder))
                pieces.append(b"</" + prefix + b"BaseURL>")
        if self.policy.session and not root.named("Location"):
            pieces.append(indent + b"<" + prefix + b"Location>")
            pieces += self.escaped(self.policy.refresh(self.origin.public_path(self.url) or b""))
            pieces.append(b"</" + prefix + b"Location>")
        if self.policy.steering_url:
            first = _xml(self.policy.first.id.encode())
            element = prefix + b"ContentSteering"
            pieces.append(indent + b"<" + element + b' defaultServiceLocation="' + first)
            pieces.append(b'" queryBeforeStart="false">')
            pieces += [*self.escaped(self.policy.steering()), b"</" + element + b">"]
        self.edits.append(Edit(at, at, pieces))

    # -- below -------------------------------------------------------------------------------------

    def below(self, element: Element, base: Url | None, *, top: bool = False) -> None:
        bases = element.named("BaseURL")
        if bases and not top:
            for one in bases:
                reference = self.reference_of(one)
                if pieces := self.reference(reference, base):
                    edit = Edit(one.inner_start, one.inner_end, self.escaped(pieces))
                    self.edits.append(edit)
            base = base.join(self.reference_of(bases[0])) if base else None
        for child in element.children:
            if self.xlink_names or child.name in HOLDERS:
                self.edit(child, base)
            if child.children and child.name != "SegmentTimeline":  # holds times only
                self.below(child, base)

    def edit(self, element: Element, base: Url | None) -> None:
        """What an element itself refers to."""
        if element.name == "UTCTiming":
            self.clock(element)
        elif element.name == "AdaptationSet" and self.policy.tail():
            self.queried(element)
        for name in MPD_REFERENCES.get(element.name, ()):
            self.place(element, name, base)
        for name in self.xlink_names:
            href = self.document.attribute(element, name)
            path = self.origin.public_path(self.url.join(href.encode())) if href else None
            if path is not None:
                self.replace_attribute(element, name, self.policy.child(self.policy.first, path))

    def place(self, element: Element, name: bytes, base: Url | None) -> None:
        """One attribute with a reference; what plainly stays in its folder is not even decoded."""
        if element.escaping_span(name) is None:
            return
        value = self.document.attribute(element, name)
        if value and (pieces := self.reference(value.encode(), base)):
            self.replace_attribute(element, name, pieces)

    def reference(self, reference: bytes, base: Url | None) -> list[Piece]:
        """What a reference becomes so that every pathway leads to it; empty: it may stay."""
        escapes = reference.startswith(b"/") or SCHEME.match(reference) or b".." in reference
        if base is None or not escapes:
            return []
        target = base.join(reference)
        path, folder = self.origin.public_path(target), self.origin.public_path(base)
        if path is None:
            return []
        if folder is None:  # the BaseURL in force is foreign: only an absolute URL leads back
            return self.policy.child(self.policy.first, path)
        folder = folder.partition(b"?")[0]
        return [relative(path, folder)]

    def queried(self, adaptation: Element) -> None:
        """The token in every segment's query, by the player (ISO/IEC 23009-1 annex I.2)."""
        before = [one for one in adaptation.children if one.name in BEFORE_ESSENTIAL]
        at = before[-1].end if before else adaptation.inner_start
        if adaptation.inner_end == adaptation.end:
            return
        head = b'<%bEssentialProperty schemeIdUri="urn:mpeg:dash:urlparam:2014">' % (
            self.document.prefix
        )
        head += b'<up:UrlQueryInfo xmlns:up="urn:mpeg:dash:schema:urlparam:2014" '
        head += b'queryTemplate="$querypart$" '
        if self.policy.carrier == "define":
            pieces: list[Piece] = [head + b'useMPDUrlQuery="true"/>']
        else:
            pieces = [head + b'queryString="', *self.escaped(self.policy.tail()), b'"/>']
        self.edits.append(
            Edit(at, at, [*pieces, b"</" + self.document.prefix + b"EssentialProperty>"])
        )

    def clock(self, timing: Element) -> None:
        """A time source's URLs, made absolute: no BaseURL applies to them (5.8.4.11)."""
        if self.document.attribute(timing, b"schemeIdUri") not in UTC_URL_SCHEMES:
            return
        pieces: list[Piece] = []
        for written in (self.document.attribute(timing, b"value") or "").split():
            path = self.origin.public_path(self.url.join(written.encode()))
            child = self.policy.clock(path) if path else [written.encode()]
            pieces += [b" ", *child] if pieces else child
        if pieces:
            self.replace_attribute(timing, b"value", pieces)
