"""Media segments of an MPD named one by one, where rules give single segments places of their own.

Rules of the file
1. A SegmentTemplate whose segments are all known becomes a SegmentList in each Representation with
   the same times: timescale, offsets, first number, duration and SegmentTimeline stay as they are.
2. A segment's position follows from itself alone (mpd_segments), so it is the same in every answer,
   on every node (DASH-M1).
3. A template whose segments time brings stays one; its references change as a whole.
4. Representations that may inherit one template are treated alike: those of a set, or of a Period
   that has a template of its own.

Source: ISO/IEC 23009-1:2022 sections 5.3.9.2 to 5.3.9.6; DASH-M5, M10.
"""

from collections.abc import Container, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

from native.mpd import Element

from .errors import ManifestError
from .mpd import Document, xml_text
from .mpd_segments import MAX_SEGMENTS, Segment, filled, identifiers, length_s, segments
from .mpd_split import attribute
from .mpd_timeline import Levels
from .mpd_trim import Edit, number_of, replaced
from .urls import Origin, Url

# Attributes of a template that a list has too (5.3.9.2.2, 5.3.9.5.2).
SHARED = (
    *(b"timescale", b"presentationTimeOffset", b"presentationDuration", b"timeShiftBufferDepth"),
    *(b"availabilityTimeOffset", b"availabilityTimeComplete", b"duration", b"startNumber"),
    *(b"endNumber", b"eptDelta", b"pdDelta"),
)
CHILDREN = ("Initialization", "RepresentationIndex", "FailoverContent")


class Naming(Protocol):
    """What gives segments their references."""

    needed: bool  # whether media that it covers and cannot name must not be served
    numbered: bool  # whether segments named by time go by their numbers, where the MPD tells these

    def covers(self, path: str) -> bool:
        """Whether it names segments that stand there at the origin, as URLs say it."""

    def listed(self, place: int, path: str, reference: str) -> str:
        """The reference of one segment, which stands at `path`."""

    def templated(self, path: str, template: str) -> str:
        """@media of a template whose segments time brings; `path` has its identifiers as well."""


class Rung(NamedTuple):
    """A Representation, its SegmentTemplates from inner to outer, and the BaseURL in force."""

    element: Element
    levels: Levels
    base: Url | None


def with_names(
    data: bytes, url: Url, origin: Origin, naming: Naming, clips: Container[str] = ()
) -> bytes:
    """The MPD fetched from `url` with its segments named; Periods of `clips`, by the folder that
    their BaseURL names, keep theirs.
    """
    document = Document(data)
    namer = _Namer(document, origin, naming)
    periods = document.root.named("Period")
    base = namer.base(document.root, url)
    for at, period in enumerate(periods):
        if any(document.text(one).strip() in clips for one in period.named("BaseURL")[:1]):
            continue
        namer.period(period, namer.base(period, base), length_s(document, periods, at))
    if naming.needed and not namer.named:
        raise ManifestError("mpd_unnamed", "no segments that the rule covers")
    return replaced(data, namer.edits)


class _Namer:
    def __init__(self, document: Document, origin: Origin, naming: Naming) -> None:
        self.document = document
        self.origin = origin
        self.naming = naming
        self.edits: list[Edit] = []
        self.named = 0
        self.count = 0

    def base(self, element: Element, outer: Url | None) -> Url | None:
        """Where references below an element resolve."""
        own = element.named("BaseURL")
        return outer.join(self.document.text(own[0]).strip().encode()) if own and outer else outer

    def path(self, base: Url | None, reference: str) -> str:
        """Where a reference leads at the origin, as it is written in URLs."""
        target = base.join(reference.encode()) if base else None
        path = self.origin.public_path(target) or (target.path_and_rest() if target else b"")
        return path.decode("utf-8", "replace")

    def period(self, period: Element, base: Url | None, held_s: Fraction | None) -> None:
        if self.naming.needed and self._is_remote(period):
            raise ManifestError("mpd_unnamed", "what an XLink brings has no names here")
        shared = tuple(period.named("SegmentTemplate")[:1])
        is_listed = bool(period.named("SegmentList"))
        sets = [
            self._rungs(one, shared, self.base(one, base), is_listed=is_listed)
            for one in period.named("AdaptationSet")
        ]
        for rungs in [[rung for some in sets for rung in some]] if shared else sets:
            self._scope(rungs, held_s)
        self._lists(period, base)

    def _is_remote(self, element: Element) -> bool:
        names = self.document.xlink_names
        if not names:
            return False
        own = any(element.attribute_span(name) for name in names)
        return own or any(self._is_remote(child) for child in element.children)

    def _rungs(
        self, adaptation: Element, outer: Levels, base: Url | None, *, is_listed: bool
    ) -> list[Rung]:
        outer = (*adaptation.named("SegmentTemplate")[:1], *outer)
        is_listed = is_listed or bool(adaptation.named("SegmentList"))
        made = []
        for one in adaptation.named("Representation"):
            levels = (*one.named("SegmentTemplate")[:1], *outer)
            rung, own_list = Rung(one, levels, self.base(one, base)), one.named("SegmentList")
            if levels and not own_list and not one.named("SegmentBase"):
                made.append(rung)
            elif not is_listed and not own_list:
                self._single(rung.base)
        return made

    def _single(self, base: Url | None) -> None:
        """Media of one file (5.3.9.3, SegmentBase) are no segments that could have names."""
        if self.naming.needed and self.naming.covers(self.path(base, "")):
            raise ManifestError("mpd_unnamed", "segments of one file have no names")

    # -- templates ---------------------------------------------------------------------------------

    def _scope(self, rungs: list[Rung], held_s: Fraction | None) -> None:
        covered = [rung for rung in rungs if self._covers(rung)]
        self.named += len(covered)
        if not covered:
            return
        found = [segments(self.document, rung.levels, held_s) for rung in rungs]
        lists = [some for some in found if some is not None]
        if len(lists) < len(rungs):
            for rung in covered:
                self._template(rung)
            return
        self.count += sum(map(len, lists))
        if self.count > MAX_SEGMENTS:
            raise ManifestError("mpd_too_long", f"more than {MAX_SEGMENTS:,} segments to name")
        gone = {one.start: one for rung in rungs for one in rung.levels}
        self.edits += [(one.start, one.end, b"") for one in gone.values()]
        for rung, some in zip(rungs, lists, strict=True):
            self._append(rung.element, self._list(rung, some))

    def _told(self, rung: Rung, name: bytes) -> str | None:
        """An attribute of the innermost template that has it (5.3.9.1)."""
        told = (self.document.attribute(one, name) for one in rung.levels)
        return next((text for text in told if text is not None), None)

    def _constants(self, rung: Rung) -> dict[str, str | int]:
        told = self.document.attribute
        return {
            "RepresentationID": told(rung.element, b"id") or "",
            "Bandwidth": told(rung.element, b"bandwidth") or "",
        }

    def _template_path(self, rung: Rung) -> str:
        """Where segments stand, with what differs between them as the template has it."""
        media = filled(self._told(rung, b"media") or "", self._constants(rung))
        return self.path(rung.base, media)

    def _covers(self, rung: Rung) -> bool:
        return bool(self._told(rung, b"media")) and self.naming.covers(self._template_path(rung))

    def _list(self, rung: Rung, some: list[Segment]) -> bytes:
        prefix, constants = self.document.prefix, self._constants(rung)
        media = self._told(rung, b"media") or ""
        kinds = identifiers(media)
        numbered = self.naming.numbered and self._numbers_stay(rung)
        if "SubNumber" in kinds:
            raise ManifestError("mpd_unnamed", "segments in sequences")
        parts = [b"<%bSegmentList" % prefix]
        for name in SHARED:
            if (value := self._told(rung, name)) is not None:
                parts.append(b' %b="%b"' % (name, xml_text(value.encode())))
        parts.append(b">")
        start = self._told(rung, b"initialization")
        if start:
            source = xml_text(filled(start, constants).encode())
            parts.append(b'<%bInitialization sourceURL="%b"/>' % (prefix, source))
        parts += self._children(rung.levels, CHILDREN[1:] if start else CHILDREN)
        if any(one.named("SegmentTimeline") for one in rung.levels):
            parts.append(_timeline(prefix, some))
        covered = self._covers(rung)
        for one in some:
            reference = filled(media, {**constants, "Number": one.number, "Time": one.time})
            if covered:
                path = self.path(rung.base, reference)
                place = one.number if numbered else one.place(kinds)
                reference = self.naming.listed(place, path, reference)
            parts.append(b'<%bSegmentURL media="%b"/>' % (prefix, xml_text(reference.encode())))
        return b"".join([*parts, b"</%bSegmentList>" % prefix])

    def _numbers_stay(self, rung: Rung) -> bool:
        """Whether a segment has the same number in every MPD (5.3.9.5.3): a window that slides and
        tells no first number counts from 1 each time.
        """
        static = self.document.attribute(self.document.root, b"type") != "dynamic"
        return static or self._told(rung, b"startNumber") is not None

    def _children(self, levels: Levels, names: tuple[str, ...]) -> Iterator[bytes]:
        for name in names:
            held = next((found for one in levels if (found := one.named(name))), [])
            yield from (self.document.data[child.start : child.end] for child in held)

    def _append(self, element: Element, text: bytes) -> None:
        """Behind the other children: addressing stands last (5.3.5.3)."""
        if element.inner_end != element.end:
            self.edits.append((element.inner_end, element.inner_end, text))
            return
        tag = self.document.data[element.start : element.end]
        name = tag[1:].split(None, 1)[0].removesuffix(b"/>")
        self.edits.append((element.end - 2, element.end, b">" + text + b"</" + name + b">"))

    def _template(self, rung: Rung) -> None:
        """Only @media changes, in the Representation's own template."""
        media = self._told(rung, b"media") or ""
        value = xml_text(self.naming.templated(self._template_path(rung), media).encode())
        if own := rung.element.named("SegmentTemplate"):
            self.edits.append(attribute(self.document, own[0], b"media", value))
        else:
            text = b'<%bSegmentTemplate media="%b"/>' % (self.document.prefix, value)
            self._append(rung.element, text)

    # -- lists -------------------------------------------------------------------------------------

    def _lists(self, element: Element, base: Url | None) -> None:
        """What the origin has listed already is named where it stands."""
        for one in element.named("SegmentList"):
            number = number_of(self.document, one, b"startNumber", 1)
            for at, segment in enumerate(one.named("SegmentURL"), number):
                self._listed(segment, at, base)
        for child in element.children:
            if child.name in ("AdaptationSet", "Representation"):
                self._lists(child, self.base(child, base))

    def _listed(self, segment: Element, place: int, base: Url | None) -> None:
        media = self.document.attribute(segment, b"media")
        if not media:
            self._single(base)
            return
        path = self.path(base, media)
        if self.naming.covers(path):
            self.named += 1
            name = xml_text(self.naming.listed(place, path, media).encode())
            self.edits.append(attribute(self.document, segment, b"media", name))


def _timeline(prefix: bytes, some: Sequence[Segment]) -> bytes:
    runs, end = [], None
    for one in some:
        time = b"" if one.time == end else b' t="%d"' % one.time
        runs.append(b'<%bS%b d="%d"/>' % (prefix, time, one.size))
        end = one.time + one.size
    return b"<%bSegmentTimeline>%b</%bSegmentTimeline>" % (prefix, b"".join(runs), prefix)
