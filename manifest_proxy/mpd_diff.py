"""A patch that makes one MPD into a later one, from nothing but the two (DASH-M15).

Rules of the file
1. Elements are found again by @id, S by its time, SegmentURL by its @media, others by their place.
2. Operations follow one another: what goes, from the last to the first; what comes; what changed
   inside of what stayed. Positions count from 1 in what the operations before have left (P2).
3. An S that gains or loses an attribute is replaced, for Shaka 5 does not read @type; so is the one
   that begins a timeline, when the timeline has moved on within it.
4. Where elements changed places their parent is replaced; at the top there is no patch then.

Source: ISO/IEC 23009-1:2022 section 5.15; RFC 5261 sections 4.1 to 4.5; dash.md P1..P3.
"""

import re
from collections import Counter
from collections.abc import Container, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

from native.mpd import Element

from .errors import ManifestError
from .mpd import Document, xml_text
from .mpd_trim import number_of

NAMESPACE = b"urn:mpeg:dash:schema:mpd-patch:2020"
ATTRIBUTE = re.compile(rb"""\s([^\s=<>/"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
PREFIXES = re.compile(rb"""\sxmlns:[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*')""")
PLAIN_ID = re.compile(r"[^'\"&<>/\[\]\s]+")
SINGLE = ("SegmentTemplate", "SegmentTimeline")  # whose places Shaka 5 takes for places of S
GONE = 410

Key = tuple[object, ...]


class Child(NamedTuple):
    key: Key
    element: Element
    step: str  # how a selector names it, without its place


def diff(old: bytes, new: bytes) -> bytes:
    """The patch document; ManifestError 410 where there is none."""
    was, now = Document(old), Document(new)
    ids = [one.attribute(one.root, b"id") for one in (was, now)]
    times = [one.attribute(one.root, b"publishTime") for one in (was, now)]
    if not ids[0] or ids[0] != ids[1] or None in times or was.prefix or now.prefix:
        raise ManifestError("patch_gone", "the MPDs tell no id or no time", status=GONE)
    made = _Diff(was, now)
    made.element("/MPD", was.root, now.root)
    told = tuple(xml_text(text.encode()) for text in (ids[1], *times) if text is not None)
    prefixes = b"".join(PREFIXES.findall(new[now.root.start : now.root.inner_start]))
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<Patch xmlns="%b"%b' % (NAMESPACE, prefixes)
    names = b' mpdId="%b" originalPublishTime="%b" publishTime="%b">\n' % told
    return b"".join([head, names, *made.operations, b"</Patch>\n"])


class _Moved(Exception):
    """No operations lead from these children to those."""


class _Diff:
    def __init__(self, was: Document, now: Document) -> None:
        self.was, self.now = was, now
        self.operations: list[bytes] = []

    def element(self, sel: str, was: Element, now: Element) -> None:
        before, after = _attributes(self.was, was), _attributes(self.now, now)
        bare = not was.children and not now.children
        inner = [
            document.data[one.inner_start : one.inner_end].strip()
            for document, one in ((self.was, was), (self.now, now))
        ]
        if (bare and inner[0] != inner[1]) or (now.name == "S" and before.keys() != after.keys()):
            self.replace(sel, now)
            return
        done = len(self.operations)
        try:
            self.attributes(sel, before, after)
            self.children(sel, was, now)
        except _Moved:
            del self.operations[done:]
            if now is self.now.root:
                raise ManifestError("patch_gone", "Periods changed places", status=GONE) from None
            self.replace(sel, now)

    def attributes(self, sel: str, was: dict[bytes, bytes], now: dict[bytes, bytes]) -> None:
        for name, value in now.items():
            place = f"{sel}/@{name.decode()}"
            if name not in was:
                self.operation("add", sel, value, f' type="@{name.decode()}"')
            elif was[name] != value:
                self.operation("replace", place, value)
        for name in was:
            if name not in now:
                self.remove(f"{sel}/@{name.decode()}")

    def children(self, sel: str, was: Element, now: Element) -> None:
        state, wanted = _children(self.was, was), _children(self.now, now)
        new, old = {one.key for one in wanted}, {one.key for one in state}
        if [one.key for one in state if one.key in new] != [
            one.key for one in wanted if one.key in old
        ]:
            raise _Moved
        self.begun(sel, state, wanted, new, old)
        for one, place in reversed([*zip(state, _places(state), strict=True)]):
            if one.key not in new:
                self.remove(_selector(sel, one, place))
        stayed = {one.key: one for one in state if one.key in new}
        state = [stayed.get(one.key, one) for one in wanted]
        places = _places(state)
        self.added(sel, state, places, stayed)
        for was_one, now_one, place in zip(state, wanted, places, strict=True):
            before, after = was_one.element, now_one.element
            if before is not after and _text(self.was, before) != _text(self.now, after):
                self.element(_selector(sel, was_one, place), before, after)

    def begun(
        self, sel: str, state: list[Child], wanted: Sequence[Child], new: set[Key], old: set[Key]
    ) -> None:
        """The first S of a timeline that moved on within it takes the place of the one before."""
        gone = [*takewhile(lambda one: one.key not in new, state)]
        come = [*takewhile(lambda one: one.key not in old, wanted)]
        if gone and come and len(gone) < len(state) and gone[-1].step == come[0].step == "S":
            at = len(gone) - 1
            self.replace(_selector(sel, state[at], _places(state)[at]), come[0].element)
            state[at] = come[0]
            old.add(come[0].key)

    def added(
        self, sel: str, state: Sequence[Child], places: Sequence[int], stayed: Container[Key]
    ) -> None:
        """What comes, a run of neighbours at a time, to make `state` of what stayed."""
        last = max((at for at, one in enumerate(state) if one.key in stayed), default=-1)
        for stays, run in groupby(range(len(state)), lambda at: state[at].key in stayed):
            if stays:
                continue
            some = [*run]
            text = b"".join(_text(self.now, state[at].element) for at in some)
            at = some[0] - 1
            if at >= last:
                self.operation("add", sel, text)
            elif at >= 0:
                self.operation("add", _selector(sel, state[at], places[at]), text, ' pos="after"')
            else:
                self.operation("add", sel, text, ' pos="prepend"')

    def replace(self, sel: str, now: Element) -> None:
        self.operation("replace", sel, _text(self.now, now))

    def remove(self, sel: str) -> None:
        self.operations.append(b'<remove sel="%b"/>\n' % sel.encode())

    def operation(self, name: str, sel: str, content: bytes, more: str = "") -> None:
        head, tail = f'<{name} sel="{sel}"{more}>', f"</{name}>\n"
        self.operations.append(head.encode() + content + tail.encode())


def _text(document: Document, element: Element) -> bytes:
    return document.data[element.start : element.end]


def _attributes(document: Document, element: Element) -> dict[bytes, bytes]:
    """As written, for what goes into content as it was in quotes."""
    end = element.inner_start if element.inner_end != element.end else element.end
    found = ATTRIBUTE.findall(document.data[element.start : end])
    return {name: one or other for name, one, other in found}


def _children(document: Document, parent: Element) -> list[Child]:
    made: list[Child] = []
    seen: Counter[Key] = Counter()
    time = 0
    for one in parent.children:
        name, told = one.name, document.attribute(one, b"id")
        step, key = name, (name, "", "")
        if document.data[one.start + 1 : one.inner_start].split(None, 1)[0].find(b":") >= 0:
            step, key = "", (f":{name}", "", "")  # no selector names what has a prefix
        elif told is not None and PLAIN_ID.fullmatch(told):
            step, key = f"{name}[@id='{told}']", (name, "id", told)
        elif name == "S":
            time = number_of(document, one, b"t", time)
            key = (name, "t", str(time))
            repeats = max(0, number_of(document, one, b"r", 0))
            time += number_of(document, one, b"d", 0) * (repeats + 1)
        elif name == "SegmentURL":
            key = (name, "media", document.attribute(one, b"media") or "")
        made.append(Child((*key, seen[key]), one, step))
        seen[key] += 1
        if seen[key] > 1 and ("[" in step or step in SINGLE):
            raise _Moved  # two of one id, or of what there is one
    return made


def _places(state: Sequence[Child]) -> list[int]:
    """Which one of its name each is among its siblings, from 1."""
    seen: Counter[object] = Counter()
    made = []
    for one in state:
        seen[one.key[0]] += 1
        made.append(seen[one.key[0]])
    return made


def _selector(sel: str, one: Child, place: int) -> str:
    if not one.step:
        raise _Moved
    if "[" in one.step or one.step in SINGLE:
        return f"{sel}/{one.step}"
    return f"{sel}/{one.step}[{place}]"
