"""Edits of an MPD: a BaseURL per pathway, one ContentSteering, and no reference that escapes them.

The top BaseURLs carry pathway and token; everything below stays relative, so that a rewrite applies
once (DASH-M8). References below that would leave the BaseURL (absolute at the origin, or climbing
with `..`) become relative ones. Source: DASH-M8..M10, DASH-M15, DASH-M19; ST-4..ST-6; MP-64.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from native.holes import Template
from native.mpd import Element

from .errors import ManifestError
from .holes import Piece
from .mpd import Document, xml_text
from .mpd_lead import escaped, lead_of
from .policy import Policy
from .tables import BEFORE_ESSENTIAL, MPD_REFERENCES, UTC_URL_SCHEMES
from .urls import SCHEME, Origin, Url, relative


class Edit(NamedTuple):
    """Bytes start..end of the original replaced by pieces."""

    start: int
    end: int
    pieces: Sequence[Piece]


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
    for start, end, pieces in sorted(edits, key=itemgetter(0)):
        yield data[at:start]
        yield from pieces
        at = end
    yield data[at:]


class Editor:
    def __init__(self, document: Document, url: Url, origin: Origin, policy: Policy) -> None:
        self.document = document
        self.url = url
        self.origin = origin
        self.policy = policy
        self.lead = lead_of(url, origin, policy)
        self.edits: list[Edit] = []
        self.bases: dict[int, Url | None] = {}  # by the start of what they apply in

    def reference_of(self, element: Element) -> bytes:
        return self.document.text(element).strip().encode()

    def remove(self, element: Element) -> None:
        start = element.start - len(self.document.indent(element))
        self.edits.append(Edit(start, element.end, []))

    def replace_attribute(self, element: Element, name: bytes, pieces: list[Piece]) -> None:
        if span := element.attribute_span(name):
            self.edits.append(Edit(*span, escaped(pieces)))

    # -- the top -----------------------------------------------------------------------------------

    def root(self) -> None:
        root = self.document.root
        if root.inner_end == root.end:
            raise ManifestError("mpd_empty", "the MPD has no content")
        bases = root.named("BaseURL")
        for base in bases:
            path = self.origin.public_path(self.url.join(self.reference_of(base)))
            if path is not None:
                self.edits.append(Edit(base.start, base.end, self.per_pathway(base, path)))
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
        self.inside()

    def locations(self, holder: Element, name: str) -> None:
        """Where players ask again: this proxy."""
        for location in holder.named(name):
            path = self.origin.public_path(self.url.join(self.reference_of(location)))
            if path is not None and self.policy.refresh_url:
                pieces = escaped(self.policy.refresh(path))
                self.edits.append(Edit(location.inner_start, location.inner_end, pieces))

    def per_pathway(self, base: Element, path: bytes) -> list[Piece]:
        """A BaseURL once per pathway in cohort order; its other attributes are kept as written."""
        data, span = self.document.data, base.attribute_span(b"serviceLocation")
        tag = data[base.start : base.inner_start].removesuffix(b"/>").removesuffix(b">").rstrip()
        pieces: list[Piece] = []
        for pathway in self.policy.pathways:
            name = xml_text(pathway.id.encode())
            if span:
                head = data[base.start : span[0]] + name + tag[span[1] - base.start :]
            else:
                head = tag + b' serviceLocation="' + name + b'"'
            if pieces:
                pieces.append(self.document.indent(base))
            pieces += [head + b">", *escaped(self.policy.child(pathway, path))]
            pieces.append(b"</" + self.document.prefix + b"BaseURL>")
        return pieces

    def insert(self, bases: list[Element]) -> None:
        """What the origin did not write, behind its BaseURLs or where those would stand."""
        root, document = self.document.root, self.document
        before = bases or root.named("ProgramInformation")
        at = before[-1].end if before else root.inner_start
        prefix = document.prefix
        begin = document.indent(root.children[0]) if root.children else b""
        located = bool(self.policy.session) and bool(root.named("Location"))
        pieces = self.lead.top(
            begin + b"<" + prefix, b"</" + prefix, based=bool(bases), located=located
        )
        self.edits.append(Edit(at, at, pieces))

    # -- below -------------------------------------------------------------------------------------

    def inside(self) -> None:
        """What elements at any depth refer to."""
        root = self.document.root
        for timing in root.below(("UTCTiming",)):
            self.clock(timing)
        for adaptation in root.below(("AdaptationSet",)) if self.policy.tail() else ():
            self.queried(adaptation)
        for base in root.below(("BaseURL",)):
            if (holder := base.parent) and holder.parent:  # those at the top are led already
                reference = self.reference_of(base)
                if pieces := self.reference(reference, self.base_of(holder.parent)):
                    self.edits.append(Edit(base.inner_start, base.inner_end, escaped(pieces)))
        for element, name in root.escaping(MPD_REFERENCES):
            value = self.document.attribute(element, name)
            if value and (pieces := self.reference(value.encode(), self.base_of(element.parent))):
                self.replace_attribute(element, name, pieces)
        for element in root.below() if self.document.xlink_names else ():
            self.linked(element)

    def base_of(self, holder: Element | None) -> Url | None:
        """Where references resolve that stand directly in an element."""
        if holder is None:
            return self.url
        if holder.start not in self.bases:
            base, own = self.base_of(holder.parent), holder.named("BaseURL")
            self.bases[holder.start] = (
                base.join(self.reference_of(own[0])) if base and own else base
            )
        return self.bases[holder.start]

    def linked(self, element: Element) -> None:
        """Where the rest of an element is."""
        for name in self.document.xlink_names:
            href = self.document.attribute(element, name)
            path = self.origin.public_path(self.url.join(href.encode())) if href else None
            if path is not None:
                self.replace_attribute(element, name, self.policy.child(self.policy.first, path))

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
            pieces = [head + b'queryString="', *escaped(self.policy.tail()), b'"/>']
        self.edits.append(
            Edit(at, at, [*pieces, b"</" + self.document.prefix + b"EssentialProperty>"])
        )

    def clock(self, timing: Element) -> None:
        """A time source that is asked over HTTP."""
        if self.document.attribute(timing, b"schemeIdUri") not in UTC_URL_SCHEMES:
            return
        written = self.document.attribute(timing, b"value")
        if written and (span := timing.attribute_span(b"value")):
            self.edits.append(Edit(*span, self.lead.clocks(written)))
