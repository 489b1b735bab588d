"""Random histories of a channel through its DASH face: update rules, patches, and equal twins.

The oracles are a diff checker of two MPDs (rules D1 to D15 of specs/dash.md) and a
patch engine on lxml's XPath (RFC 5261), both knowing nothing of how manifests are made.
"""

import gzip
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from native.http import Entity, Refusal
from origin.live import casts
from origin.live.casts import decide
from origin.live.dash_face import DashFace
from origin.tracks import Rendition

GRID_S = Fraction(2)
WINDOW = 24  # segments
NS = "urn:mpeg:dash:schema:mpd:2011"
PATCH_NS = "urn:mpeg:dash:schema:mpd-patch:2020"
FIRST = 860_000_003


def rendition(name: str, kind: Any, codecs: str, timescale: int, **more: Any) -> Rendition:
    return Rendition(name, kind, codecs, timescale, bandwidth=1000, **more)


LADDER = [
    rendition("v1", "video", "avc1.64001f", 12800, width=640, height=360),
    rendition("v2", "video", "avc1.640028", 12800, width=1280, height=720),
    rendition("a1", "audio", "mp4a.40.2", 48000, language="en", channels=2, sample_rate=48000),
    rendition("a2", "audio", "mp4a.40.2", 48000, language="fr", channels=2, sample_rate=48000),
    rendition("t1", "text", "wvtt", 1000, language="en", roles=("subtitle",)),
]


@dataclass
class Track:
    """A stand-in for a live track: segments by number as (start, end)."""

    rendition: Rendition
    segments: Any = field(default_factory=lambda: SimpleNamespace(first_whole=-1))
    held: dict[int, Any] = field(default_factory=dict)

    def whole(self, number: int) -> Any:
        return self.held.get(number)

    def boundary(self, number: int, duration_s: Fraction) -> int:
        return int(number * duration_s * self.rendition.timescale)

    def put(self, number: int, late: int) -> None:
        """Audio packets do not fit the grid: `late` packets over it."""
        scale = self.rendition.timescale
        packet = 1024 if self.rendition.kind == "audio" else 0
        before = self.held.get(number - 1)
        start = before.end if before else self.boundary(number, GRID_S)
        end = int((number + 1) * GRID_S * scale) + late * packet
        self.held[number] = SimpleNamespace(start=start, end=end)
        if self.segments.first_whole < 0:
            self.segments.first_whole = number


class Channel:
    """A stand-in for a live channel that publishes what it is told to."""

    def __init__(self, *, part_s: Fraction | None) -> None:
        self.name = "demo"
        self.tracks = {r.name: Track(r) for r in LADDER}
        self.kept = SimpleNamespace(first=FIRST, target_s=2, casts=[], breaks=set())
        self.edge = FIRST - 1
        self.duration_s = GRID_S
        self.part_s = part_s
        self.ended = False

    @property
    def live_tracks(self) -> list[Track]:
        return [t for t in self.tracks.values() if t.held]

    def publish(self, present: set[str], late: int, *, breaks: bool) -> None:
        self.edge += 1
        missed = any(self.edge - 1 not in t.held for t in self.live_tracks)
        for name in present:
            self.tracks[name].put(self.edge, late)
        if self.edge > FIRST and (breaks or missed):
            self.kept.breaks.add(self.edge)
        cast = decide(
            self.kept.casts, self.edge, self.live_tracks, breaks=self.edge in self.kept.breaks
        )  # type: ignore[arg-type]
        if cast is not None:
            self.kept.casts.append(cast)


class Shown:
    """A stand-in for a presentation: what a face may ask of it."""

    def __init__(self, channel: Channel, bandwidth: list[int]) -> None:
        self.channel = channel
        self.settings = SimpleNamespace(
            window_s=48, time_url="/time", latency_s=Fraction(2), hold_s=13
        )
        self.bandwidth = bandwidth
        self.hot: dict[str, Any] = {}
        self.caching = None
        self.early = self.patch = None
        self.face = DashFace(self)  # type: ignore[arg-type]

    @property
    def first_listed(self) -> int:
        return max(FIRST, self.channel.edge - WINDOW + 1)

    @property
    def renditions(self) -> list[tuple[Track, Rendition]]:
        from dataclasses import replace

        rate = self.bandwidth[0]
        return [(t, replace(t.rendition, bandwidth=rate)) for t in self.channel.live_tracks]

    def forget(self, leaf: str) -> None:
        self.hot.pop(leaf, None)

    def manifest(self, text: Any, content_type: str, kind: Any) -> Entity:
        return Entity(
            text.plain, content_type=content_type, cache_control="", etag=text.etag, gzip=text.gzip
        )

    def text(self, text: str, content_type: str) -> Entity:
        return Entity(text.encode(), content_type=content_type, cache_control="")

    def refusal(self, status: int, code: str, kind: Any) -> Refusal:
        return Refusal(status, code)


@pytest.fixture(scope="module", autouse=True)
def no_prft() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(casts, "_lag_ms", lambda *_: None)
        yield


@dataclass(frozen=True)
class Step:
    """What happens with one number."""

    lost: frozenset[str]
    text: bool
    late: int
    breaks: bool
    rate: int
    restarts: bool


def history(seed: int, steps: int, trouble: float) -> list[Step]:
    """Mostly quiet, then some trouble: losses come in runs, as they do."""
    dice = random.Random(seed)
    lost: frozenset[str] = frozenset()
    found = []
    for _ in range(steps):
        if dice.random() < trouble:
            lost = frozenset(dice.sample(["v1", "v2", "a1", "a2"], dice.randint(0, 2)))
        elif dice.random() < 0.3:
            lost = frozenset()
        found.append(
            Step(
                lost,
                dice.random() > trouble,
                dice.choice([0, 0, 1]),
                dice.random() < trouble / 3,
                1000 + (dice.random() < trouble),
                dice.random() < trouble,
            )
        )
    return found


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([0.0, 0.02, 0.1, 0.3]),
    st.integers(0, 30),
    st.booleans(),
)
def test_random_histories(seed: int, trouble: float, joins: int, low: bool) -> None:
    """Each MPD may follow the one before, is what its patch makes of any kept one, and equals the
    one of a twin that restarts; the second audio joins late.
    """
    channel = Channel(part_s=Fraction(1, 2))
    rate = [1000]
    shown, twin = Shown(channel, rate), Shown(channel, rate)
    leaf = "ll.mpd" if low else "manifest.mpd"
    known: list[bytes] = []
    for at, step in enumerate(history(seed, 90, trouble)):
        names = {"v1", "v2", "a1"} | ({"a2"} if at >= joins else set())
        present = (names - (step.lost if at else set())) | ({"t1"} if step.text and at else set())
        channel.publish(present, step.late, breaks=step.breaks)
        rate[0] = step.rate
        if step.restarts:
            twin = Shown(channel, rate)
            twin.face.published(list(range(shown.first_listed, channel.edge + 1)))
        else:
            twin.face.published([channel.edge])
        shown.face.published([channel.edge])
        entity, other = shown.face.render(leaf), twin.face.render(leaf)
        assert entity is not None and other is not None
        assert (entity.body, entity.etag, entity.gzip) == (other.body, other.etag, other.gzip)
        assert gzip.decompress(entity.gzip or b"") == entity.body
        root = etree.fromstring(entity.body)
        snapshot_rules(root)
        if low:
            low_latency_rules(root)
        else:
            listed_is_true(root, channel, shown.first_listed)
        if known:
            update_rules(etree.fromstring(known[-1]), root, shown.first_listed)
        known.append(entity.body)
        for old in known[-31:-1:9]:
            patched(shown, old, entity.body)


def patched(shown: Shown, old: bytes, new: bytes) -> None:
    """P1, P3: the patch named in the old MPD makes the new one of it, or says why not."""
    tree = etree.fromstring(old)
    location = tree.find(f"{{{NS}}}PatchLocation")
    assert location is not None and float(location.get("ttl")) > 0
    answer = shown.face.patch(location.text)
    if isinstance(answer, Refusal):
        kept = {p.get("id") for p in tree.iter(f"{{{NS}}}Period")}
        now = {p.get("id") for p in etree.fromstring(new).iter(f"{{{NS}}}Period")}
        assert answer.status == 410 and not kept & now
        return
    assert answer is not None
    patch = etree.fromstring(answer.body)
    fresh = etree.fromstring(new)
    assert patch.tag == f"{{{PATCH_NS}}}Patch"
    assert patch.get("mpdId") == tree.get("id")
    assert patch.get("originalPublishTime") == tree.get("publishTime")
    assert patch.get("publishTime") == fresh.get("publishTime")
    assert canonical(applied(tree, patch)) == canonical(fresh)


def applied(root: Any, patch: Any) -> Any:
    """RFC 5261 sections 4.3 to 4.5 as far as MPD patches go."""
    for operation in patch:
        steps = operation.get("sel").split("/")[1:]
        assert not any(re.search(r"\[0\]", s) for s in steps), "positions count from 1 (P2)"
        path = "/".join(["", *(s if s[0] == "@" else f"m:{s}" for s in steps)])
        found = root.xpath(path, namespaces={"m": NS})
        assert len(found) == 1, (path, len(found))
        kind = etree.QName(operation).localname
        content = [in_mpd(child) for child in operation]
        if path.rpartition("/")[2].startswith("@"):
            owner, name = found[0].getparent(), found[0].attrname
            if kind == "remove":
                del owner.attrib[name]
            else:
                owner.set(name, operation.text)
        elif kind == "add" and operation.get("type"):
            assert operation.get("type")[1:] not in found[0].attrib
            found[0].set(operation.get("type")[1:], operation.text)
        elif kind == "add":
            place(found[0], content, operation.get("pos"))
        elif kind == "remove":
            found[0].getparent().remove(found[0])
        else:
            assert kind == "replace" and len(content) == 1
            found[0].getparent().replace(found[0], content[0])
    return root


def place(target: Any, content: list[Any], pos: str | None) -> None:
    if pos is None:
        target.extend(content)
    elif pos == "prepend":
        target[0:0] = content
    else:
        assert pos == "after"
        for node in reversed(content):
            target.addnext(node)


def in_mpd(node: Any) -> Any:
    """Elements of a patch's content name MPD elements."""
    for child in node.iter():
        if child.tag.startswith(f"{{{PATCH_NS}}}"):
            child.tag = child.tag.replace(PATCH_NS, NS)
    return etree.fromstring(etree.tostring(node, with_tail=False))


def canonical(node: Any) -> Any:
    text = (node.text or "").strip()
    return (node.tag, sorted(node.attrib.items()), text, [canonical(child) for child in node])


def seconds(text: str) -> Fraction:
    assert re.fullmatch(r"PT\d+(\.\d+)?S", text), text  # D12
    return Fraction(text[2:-1])


def snapshot_rules(root: Any) -> None:
    """D1, D2, D3, D5, D10, D12 of one MPD."""
    assert root.get("type") == "dynamic" and root.get("publishTime") and root.get("minBufferTime")
    assert "urn:mpeg:dash:profile:isoff-live:2011" in root.get("profiles").split(",")
    assert root.get("availabilityStartTime") == "1970-01-01T00:00:00Z"
    assert seconds(root.get("suggestedPresentationDelay")) < seconds(
        root.get("timeShiftBufferDepth")
    )
    clock = root.find(f"{{{NS}}}UTCTiming")
    assert clock.get("schemeIdUri") == "urn:mpeg:dash:utc:http-iso:2014"
    assert root.find(f"{{{NS}}}LeapSecondInformation") is not None
    periods = root.findall(f"{{{NS}}}Period")
    assert periods and len({p.get("id") for p in periods}) == len(periods)
    end = Fraction(0)
    for period in periods:
        assert seconds(period.get("start")) >= end
        if period.get("duration"):
            assert seconds(period.get("duration")) > 0
            end = seconds(period.get("start")) + seconds(period.get("duration"))
        ids = [s.get("id") for s in period.iter(f"{{{NS}}}AdaptationSet")]
        assert all(ids) and len(set(ids)) == len(ids)
        names = [r.get("id") for r in period.iter(f"{{{NS}}}Representation")]
        assert names and len(set(names)) == len(names)
    for node in root.iter():
        for value in node.attrib.values():
            if value.isdigit():
                assert int(value) < 1 << 53


def expanded(template: Any) -> dict[int, tuple[int, int]]:
    """Number -> (start, duration) of a SegmentTimeline."""
    found: dict[int, tuple[int, int]] = {}
    number, time = int(template.get("startNumber")), None
    for s in template.iter(f"{{{NS}}}S"):
        assert set(s.attrib) <= {"t", "d", "r"}  # D6
        time = int(s.get("t", time if time is not None else -1))
        assert time >= 0, "the first S has @t"
        for _ in range(int(s.get("r", 0)) + 1):
            found[number] = (time, int(s.get("d")))
            number, time = number + 1, time + int(s.get("d"))
    return found


def listed_is_true(root: Any, channel: Channel, first: int) -> None:
    """D6, D8: every number of the window is listed with its real times, or in no Period at all."""
    shown: dict[int, set[str]] = {}
    for template in root.iter(f"{{{NS}}}SegmentTemplate"):
        assert "duration" not in template.attrib and "availabilityTimeOffset" not in template.attrib
        name = template.getparent().get("id")
        track = channel.tracks[name]
        for number, (start, length) in expanded(template).items():
            shown.setdefault(number, set()).add(name)
            if (stored := track.whole(number)) is not None:
                assert (start, start + length) == (stored.start, stored.end)
            else:
                assert track.rendition.kind == "text"
    whole = {
        number: {n for n, t in channel.tracks.items() if t.whole(number)}
        for number in range(first, channel.edge + 1)
    }
    for number, names in whole.items():
        kinds = {name[0] for name in names}
        if {"v", "a"} <= kinds:
            assert names <= shown.get(number, set()), "media that came is listed"
    assert max(shown) <= channel.edge, "no segment is named before it is whole (D16)"


def update_rules(old: Any, new: Any, first: int) -> None:
    """D1, D2, D3, D7, D15: what a later MPD may change."""
    assert old.get("id") == new.get("id")
    assert old.get("publishTime") < new.get("publishTime")
    before = {p.get("id"): p for p in old.findall(f"{{{NS}}}Period")}
    after = {p.get("id"): p for p in new.findall(f"{{{NS}}}Period")}
    order = [i for i in before if i in after]
    assert list(after)[: len(order)] == order
    last = list(before)[-1]
    for name in order:
        was, now = before[name], after[name]
        assert was.get("start") == now.get("start")
        if was.get("duration"):
            assert was.get("duration") == now.get("duration")
        members = [
            [(n.get("id"), etree.QName(n).localname) for n in p.iter() if "id" in n.attrib][1:]
            for p in (was, now)
        ]
        assert members[0] == members[1]
        for a, b in zip(*(p.iter(f"{{{NS}}}SegmentTemplate") for p in (was, now)), strict=True):
            timeline_rules(a, b, first, grows=name == last)


def timeline_rules(old: Any, new: Any, first: int, *, grows: bool) -> None:
    """D7: S leave whole at the head, the last one may repeat more, others come behind."""
    was = [[s.get("t"), s.get("d"), int(s.get("r", 0))] for s in old.iter(f"{{{NS}}}S")]
    now = [[s.get("t"), s.get("d"), int(s.get("r", 0))] for s in new.iter(f"{{{NS}}}S")]
    if not was:
        assert old.attrib == new.attrib
        return
    counts = [r + 1 for _, _, r in was]
    moved = int(new.get("startNumber")) - int(old.get("startNumber"))
    gone = next(k for k in range(len(was) + 1) if sum(counts[:k]) == moved)
    assert int(new.get("startNumber")) + now[0][2] >= first, "an S that has left must go"
    if gone:
        last_gone = int(old.get("startNumber")) + moved - 1
        assert last_gone < first, "no S leaves before all of it has left the window"
    kept = was[gone:]
    if not kept:
        assert grows
        return
    if gone:
        assert now[0][0] is not None
        kept[0][0] = now[0][0]
    assert now[: len(kept) - 1] == kept[:-1]
    assert now[len(kept) - 1][:2] == kept[-1][:2] and now[len(kept) - 1][2] >= kept[-1][2]
    assert grows or now == kept, "segments are added only to the last Period (D15)"


def low_latency_rules(root: Any) -> None:
    """L1..L7 and D16 of the low-latency form."""
    assert "http://www.dashif.org/guidelines/low-latency-live-v5" in root.get("profiles").split(",")
    latency = root.find(f"{{{NS}}}ServiceDescription/{{{NS}}}Latency")
    assert int(latency.get("min")) < int(latency.get("target")) < int(latency.get("max"))
    for period in root.findall(f"{{{NS}}}Period"):
        clocks = period.findall(f".//{{{NS}}}ProducerReferenceTime")
        assert clocks and len({c.get("id") for c in clocks}) == len(clocks)
        assert all(c.find(f"{{{NS}}}UTCTiming") is not None for c in clocks)
    for template in root.iter(f"{{{NS}}}SegmentTemplate"):
        assert template.getparent().tag == f"{{{NS}}}AdaptationSet"
        assert template.get("availabilityTimeComplete") == "false"
        assert Fraction(template.get("availabilityTimeOffset")) == Fraction(3, 2)
        assert Fraction(int(template.get("duration")), int(template.get("timescale"))) == GRID_S
        assert not template.findall(f"{{{NS}}}SegmentTimeline")
        start = seconds(template.getparent().getparent().get("start"))
        shift = Fraction(
            int(template.get("presentationTimeOffset")), int(template.get("timescale"))
        )
        assert start == shift == int(template.get("startNumber")) * GRID_S
    for resync in root.iter(f"{{{NS}}}Resync"):
        assert resync.getparent().tag == f"{{{NS}}}Representation"
        assert resync.get("marker") == "true"
        assert Fraction(int(resync.get("dT")), 10**6) == Fraction(1, 2)
