"""Random histories of a channel through its DASH face: update rules, patches, and equal twins.

The oracles are in origin_rigs/dash_rules.py: a diff checker of two MPDs, and a patch engine on the
XPath of lxml (RFC 5261).
"""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from origin_rigs.dash_rules import (
    NS,
    PATCH_NS,
    applied,
    canonical,
    expanded,
    low_latency_rules,
    seconds,
    snapshot_rules,
    update_rules,
)

from native.http import Entity, Refusal
from origin.dash import Event, EventStream
from origin.live import casts
from origin.live.casts import decide
from origin.live.dash_face import DashFace
from origin.tracks import Rendition

GRID_S, CHUNK_S = Fraction(2), Fraction(1, 2)
WINDOW = 24  # segments
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
        self.name, self.base = channel.name, f"/live/{channel.name}"
        self.settings = SimpleNamespace(
            window_s=48, time_url="/time", latency_s=Fraction(2), hold_s=13
        )
        self.bandwidth = bandwidth
        self.hot: dict[str, Any] = {}
        self.caching = None
        self.early = self.patch = None
        self.sealing = SimpleNamespace(
            begins=lambda _: -1, turns=lambda _: (), dressed=lambda r, _: r
        )
        self.face = DashFace(self)  # type: ignore[arg-type]

    @property
    def first_listed(self) -> int:
        return max(FIRST, self.channel.edge - WINDOW + 1)

    @property
    def renditions(self) -> list[tuple[Track, Rendition]]:
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
    channel = Channel(part_s=CHUNK_S)
    rate = [1000]
    shown, twin = Shown(channel, rate), Shown(channel, rate)
    leaf = "ll.mpd" if low else "manifest.mpd"
    known: list[bytes] = []
    happened: list[int] = []
    shown.face.events = twin.face.events = lambda: event_streams(happened[-3:], channel.edge)
    for at, step in enumerate(history(seed, 90, trouble)):
        names = {"v1", "v2", "a1"} | ({"a2"} if at >= joins else set())
        present = (names - (step.lost if at else set())) | ({"t1"} if step.text and at else set())
        channel.publish(present, step.late, breaks=step.breaks)
        rate[0] = step.rate
        happened += [channel.edge] if step.breaks else []
        if step.restarts:
            twin = Shown(channel, rate)
            twin.face.events = shown.face.events
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
        events_are_told(root, happened[-3:])
        if low:
            low_latency_rules(root, GRID_S, CHUNK_S)
        else:
            listed_is_true(root, channel, shown.first_listed)
        if known:
            update_rules(etree.fromstring(known[-1]), root, shown.first_listed)
        known.append(entity.body)
        for old in known[-31:-1:9]:
            patched(shown, old, entity.body)


def test_a_dead_channel_keeps_its_last_manifest() -> None:
    """A window of nothing but gaps has no Period to show."""
    channel = Channel(part_s=CHUNK_S)
    shown = Shown(channel, [1000])
    shown.face.published([])
    assert shown.face.render("manifest.mpd") is None
    known = []
    for number in range(WINDOW + 9):
        channel.publish({"v1", "a1"} if number < 3 else set(), 0, breaks=False)
        shown.face.published([channel.edge])
        known.append(shown.face.render("manifest.mpd"))
    assert known[-1] is not None and known[-1].body == known[-7].body
    assert b"<S t=" in known[-1].body and known[3].body != known[-1].body


def event_streams(numbers: list[int], edge: int) -> list[EventStream]:
    """Two schemes: one without an end, one as splices; the newest changes with the edge."""
    events = tuple(Event(n, n * 2000, (edge - n + 1) * 2000, b"<a & b>") for n in numbers)
    splices = tuple(Event(n, n * 180_000 + 9, None, bytes([252, n % 251])) for n in numbers[1:])
    return [
        EventStream("urn:x:state", "1", 1000, events),
        EventStream("urn:scte:scte35:2013:bin", "", 90_000, splices),
    ]


def events_are_told(root: Any, happened: list[int]) -> None:
    """Every event stands in the Period that holds its start."""
    told = {
        int(event.get("id")): period
        for period in root.findall(f"{{{NS}}}Period")
        for event in period.iter(f"{{{NS}}}Event")
        if event.get("duration")
    }
    for number in happened:
        covering = [p for p in root.findall(f"{{{NS}}}Period") if starts(p) <= number * GRID_S]
        open_ends = [p for p in covering if not p.get("duration") or ends(p) > number * GRID_S]
        if open_ends:
            assert number in told


def starts(period: Any) -> Fraction:
    return seconds(period.get("start"))


def ends(period: Any) -> Fraction:
    return starts(period) + seconds(period.get("duration"))


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
