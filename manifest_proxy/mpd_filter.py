"""The sets and representations of an MPD cut to a rule set; ids, order and bytes of the rest stay.

Source: DASH-M2, M3, M11, M12; manifest-proxy MP-1; ISO/IEC 23009-1:2022 sections 5.3.3 to 5.3.11.
"""

from collections.abc import Callable, Iterable

from native.mpd import Element

from .errors import FilterError
from .mpd import Document
from .mpd_facts import PROPERTIES, Reader
from .rulebook import DrmRule, Ruleset
from .selection import Rule, TextRule
from .tables import DRM_SYSTEMS, SET_SWITCHING, TRICK_MODES

# Attributes of a set that bound its representations, by the function that does (5.3.3.2).
BOUNDS: dict[bytes, tuple[bytes, Callable[[Iterable[float]], float]]] = {
    b"maxWidth": (b"width", max),
    b"minWidth": (b"width", min),
    b"maxHeight": (b"height", max),
    b"minHeight": (b"height", min),
    b"maxBandwidth": (b"bandwidth", max),
    b"minBandwidth": (b"bandwidth", min),
    b"maxFrameRate": (b"frameRate", max),
    b"minFrameRate": (b"frameRate", min),
}
CENC = "urn:mpeg:dash:mp4protection:2011"
LAURL = b'<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">%b</dashif:Laurl>'


def filtered_mpd(data: bytes, rules: Ruleset) -> bytes:
    """The MPD as the rules want it; FilterError when they leave nothing to play."""
    cut = _Cut(Document(data), rules)
    for period in cut.document.root.named("Period"):
        cut.period(period)
    return cut.applied()


class _Cut:
    def __init__(self, document: Document, rules: Ruleset) -> None:
        self.document = document
        self.reader = Reader(document)
        self.rules = rules
        self.edits: list[tuple[int, int, bytes]] = []

    def applied(self) -> bytes:
        """The document after the edits; what lies inside a removed element is gone with it."""
        data, at, parts = self.document.data, 0, list[bytes]()
        for start, end, text in sorted(self.edits):
            if start >= at:
                parts += [data[at:start], text]
                at = end
        return b"".join([*parts, data[at:]])

    def remove(self, element: Element) -> None:
        start = element.start - len(self.document.indent(element))
        self.edits.append((start, element.end, b""))

    def period(self, period: Element) -> None:
        sets = period.named("AdaptationSet")
        kept = {id(one): one.named("Representation") for one in sets}
        for kind, rule in self.chosen():
            named = [one for one in sets if self.reader.kind(one) == kind]
            mine = [one for one in named if not self.reader.is_trick(one)]
            kept |= self.fitting(mine, kind, rule)
        self.trick_sets(sets, kept)
        gone = {id(one) for one in sets if not kept[id(one)] and one.named("Representation")}
        if sets and len(gone) == len(sets):
            raise FilterError("filter_empty", "a Period would have no AdaptationSet")
        for one in sets:
            if id(one) in gone:
                self.remove(one)
            else:
                self.within(one, kept[id(one)])
        if gone:
            self.references(period, sets, gone)

    def chosen(self) -> Iterable[tuple[str, Rule]]:
        rules = (self.rules.video, self.rules.audio, self.rules.subtitles)
        for kind, rule in zip(("video", "audio", "text"), rules, strict=True):
            if rule is not None:
                yield kind, rule

    def fitting(self, sets: list[Element], kind: str, rule: Rule) -> dict[int, list[Element]]:
        """The representations to keep by set: those that fit, else the closest (DASH-M12)."""
        all_ = [(one, rep) for one in sets for rep in one.named("Representation")]
        facts = {id(rep): self.reader.facts(one, rep) for one, rep in all_}
        suiting = [rep for _, rep in all_ if rule.suits(facts[id(rep)])]
        least = min((rule.distance(facts[id(rep)]) for rep in suiting), default=0.0)
        refused = not suiting or (least > 0 and self.rules.empty == "refuse")
        if all_ and refused and not isinstance(rule, TextRule):
            raise FilterError("filter_empty", f"no {kind} fits")
        keep = {id(rep) for rep in suiting if rule.distance(facts[id(rep)]) == least}
        kept = {
            id(one): self.playable([rep for rep in one.named("Representation") if id(rep) in keep])
            for one in sets
        }
        if keep and not any(kept.values()):
            raise FilterError("filter_empty", f"no {kind} that fits plays alone")
        return kept

    def playable(self, some: list[Element]) -> list[Element]:
        """Without those that depend on one that is gone (5.3.5.2)."""
        ids = {self.reader.value(b"id", one) for one in some}
        needs = {id(one): (self.reader.value(b"dependencyId", one) or "").split() for one in some}
        left = [one for one in some if ids.issuperset(needs[id(one)])]
        return left if len(left) == len(some) else self.playable(left)

    def trick_sets(self, sets: list[Element], kept: dict[int, list[Element]]) -> None:
        """A trick-mode set goes when trick play is not wanted or its main set went."""
        ids = {self.reader.value(b"id", one) for one in sets if kept[id(one)]}
        for one in sets:
            for _, scheme, value in self.reader.descriptors(one):
                lost = value and ids.isdisjoint(value.replace(",", " ").split())
                unwanted = self.rules.video is not None and not self.rules.video.trick_play
                if scheme in TRICK_MODES and (unwanted or lost):
                    kept[id(one)] = []

    def within(self, adaptation: Element, kept: list[Element]) -> None:
        ids = {id(one) for one in kept}
        dropped = [one for one in adaptation.named("Representation") if id(one) not in ids]
        for one in dropped:
            self.remove(one)
        if dropped:
            self.bounds(adaptation, kept)
        if self.rules.drm:
            for holder in (adaptation, *kept):
                self.protection(holder, self.rules.drm)

    def bounds(self, adaptation: Element, kept: list[Element]) -> None:
        """maxWidth and its like, true again for what is left (DASH-M11)."""
        for name, (of, choose) in BOUNDS.items():
            span = adaptation.attribute_span(name)
            texts = {self.reader.value(of, one, adaptation) for one in kept} - {None}
            numbers = {self.reader.number(of, one, adaptation): one for one in kept}
            numbers.pop(None, None)
            if span and texts and numbers:
                best = numbers[choose(n for n in numbers if n is not None)]
                value = self.reader.value(of, best, adaptation) or ""
                self.edits.append((*span, value.encode("ascii", "xmlcharrefreplace")))

    def protection(self, holder: Element, drm: DrmRule) -> None:
        found = holder.named("ContentProtection")
        wanted = []
        for one in found:
            scheme = (self.reader.value(b"schemeIdUri", one) or "").lower()
            system = next((name for name, forms in DRM_SYSTEMS.items() if scheme in forms), None)
            if system is not None and drm.systems and system not in drm.systems:
                self.remove(one)
                continue
            if scheme != CENC:
                wanted.append(one)
            if system in drm.licence_urls:
                self.licence(one, drm.licence_urls[system])
        if found and not wanted and drm.systems:
            raise FilterError("drm_empty", "no wanted DRM system is signalled here")

    def licence(self, protection: Element, url: str) -> None:
        """Where to get licences, in place of what the packager wrote (DASH-IF IOP part 6)."""
        text = LAURL % url.replace("&", "&amp;").replace("<", "&lt;").encode()
        for child in protection.children:
            if child.name.lower() == "laurl":
                self.remove(child)
        if protection.inner_end == protection.end:
            tag = self.document.data[protection.start : protection.end]
            name = tag[1:].split(None, 1)[0].rstrip(b"/>")
            whole = tag[:-2] + b">" + text + b"</" + name + b">"
            self.edits.append((protection.start, protection.end, whole))
        else:
            self.edits.append((protection.inner_start, protection.inner_start, text))

    def references(self, period: Element, sets: list[Element], gone: set[int]) -> None:
        """Lists of set ids without those that went; one that named only those goes (DASH-M12)."""
        lost = {self.reader.value(b"id", one) for one in sets if id(one) in gone} - {None}
        for one in sets:
            for child in one.children if id(one) not in gone else ():
                if child.name in PROPERTIES and (
                    self.reader.value(b"schemeIdUri", child) == SET_SWITCHING
                ):
                    self.without(child, b"value", ",", lost)
        for child in period.named("Subset"):
            self.without(child, b"contains", None, lost)
        for child in period.named("Preselection"):
            parts = (self.reader.value(b"preselectionComponents", child) or "").split()
            if lost.intersection(parts):
                self.remove(child)

    def without(
        self, element: Element, name: bytes, separator: str | None, lost: set[str | None]
    ) -> None:
        ids = (self.reader.value(name, element) or "").split(separator)
        left = [one for one in ids if one.strip() not in lost]
        span = element.attribute_span(name)
        if not left:
            self.remove(element)
        elif span and len(left) < len(ids):
            text = (separator or " ").join(left)
            self.edits.append((*span, text.encode("ascii", "xmlcharrefreplace")))
