"""From what services say of themselves to what the console tells: pure, bytes and times come in.

Sources: Prometheus text exposition format 0.0.4; RFC 8216bis sections 4.4.3 and 4.4.4.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from control_api.outbox.types import Backlog
from headwater.probe.playlist import Playlist, Segment, attributes, seconds

LATE_S = 6.0  # a live edge older than this: its encoder is silent
WAITS_S = 10.0  # events that wait longer: the relay stands still
EDGE_AGE = "headwater_origin_live_edge_age_seconds"
SENT = "headwater_origin_delivery_bytes_total"
ANSWERS = "headwater_origin_delivery_answers_total"
SHOWN_PIECES = 30
KINDS = {"AUDIO": "audio", "SUBTITLES": "text", "CLOSED-CAPTIONS": "captions"}


class Setting(Struct):
    """`value` as JSON; `source` is default, file or env with the name of it."""

    name: str
    value: str
    source: str


class Settings(Struct):
    items: list[Setting]


class Service(Struct):
    """One service's /readyz; `why` names each part that is not ready."""

    name: str
    ready: bool
    why: list[str]


class Feed(Struct):
    """A channel that the origin serves; `edge_age_s` is the age of its newest segment's end."""

    id: str
    state: Literal["ok", "late"]
    edge_age_s: float


class Breaker(Struct):
    region: str
    pathway: str
    circuit: str


class Traffic(Struct):
    """Sessions, and their load as players tell it, by the router; what the origin sent, answered
    and answered with 5xx since it began. None where one was silent.
    """

    sessions: int | None
    load_mbps: float | None
    sent_bytes: int | None
    answers: int | None
    faults: int | None


class Overview(Struct):
    """`trouble` is a sentence for each thing that is wrong; empty when all is well."""

    at: datetime
    trouble: list[str]
    traffic: Traffic
    services: list[Service]
    channels: list[Feed]
    breakers: list[Breaker]


class Track(Struct):
    kind: str
    codecs: str
    detail: str


class Gap(Struct):
    at: datetime | None
    duration_s: float


class Piece(Struct):
    """A segment with the durations of its parts, where the playlist still lists those."""

    number: int
    at: datetime | None
    duration_s: float
    parts_s: list[float]
    gap: bool
    breaks: bool


class Input(Struct):
    """One encoder's push of one track, as the origin judges it (AB9)."""

    track: str
    name: str
    stale: bool
    lag_s: float
    media_rate: float


class Live(Struct):
    """A channel as its playlists tell; None where they do not."""

    id: str
    window_s: float
    target_s: float
    part_target_s: float | None
    hold_back_s: float | None
    discontinuities: int
    gaps: list[Gap]
    pieces: list[Piece]
    tracks: list[Track]
    inputs: list[Input]


def settings(masked: Mapping[str, Any], where: Mapping[str, str]) -> Settings:
    """One line a value, by its dotted name."""
    items = []
    for name, source in sorted(where.items()):
        value: Any = masked
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        items.append(Setting(name, json.dumps(value, ensure_ascii=False), source))
    return Settings(items)


def service(name: str, answer: Mapping[str, Any] | None) -> Service:
    if answer is None:
        return Service(name, False, ["no answer"])
    parts = answer.get("parts", {})
    why = [f"{part}: {reason}" for part, reason in parts.items() if reason is not None]
    return Service(name, bool(answer.get("ready")), why)


def _samples(exposition: str | None, *names: str) -> list[Sample]:
    families = text_string_to_metric_families(exposition or "")
    return [each for family in families for each in family.samples if each.name in names]


def feeds(samples: Iterable[Sample]) -> list[Feed]:
    """The channels of the origin's metrics."""
    ages = [(each.labels["channel"], each.value) for each in samples if each.name == EDGE_AGE]
    return [Feed(name, "late" if age > LATE_S else "ok", round(age, 2)) for name, age in ages]


def traffic(samples: Sequence[Sample], screen: Mapping[str, Any] | None) -> Traffic:
    """How much there is, by the origin's metrics and the router's screen."""
    pathways = (screen or {}).get("pathways")
    told = Traffic(None, None, None, None, None)
    if pathways is not None:
        told.sessions = sum(each["sessions"] for each in pathways)
        told.load_mbps = round(sum(each["load_mbps"] for each in pathways), 1)
    if samples:
        answers = [each for each in samples if each.name == ANSWERS]
        told.sent_bytes = int(sum(each.value for each in samples if each.name == SENT))
        told.answers = int(sum(each.value for each in answers))
        told.faults = int(sum(a.value for a in answers if a.labels["status"].startswith("5")))
    return told


def overview(
    now_s: float,
    services: Sequence[Service],
    exposition: str | None,
    screen: Mapping[str, Any] | None,
    backlog: Backlog | None = None,
) -> Overview:
    """`screen` is the router's, `backlog` the outbox's; None where it was silent."""
    samples = _samples(exposition, EDGE_AGE, SENT, ANSWERS)
    channels = feeds(samples)
    breakers = [
        Breaker(each["region"], each["pathway"], each["circuit"])
        for each in (screen or {}).get("breakers", ())
    ]
    trouble = [
        f"{each.name} is not ready: {', '.join(each.why) or 'no reason told'}"
        for each in services
        if not each.ready
    ]
    trouble += [
        f"channel {each.id}: nothing new for {each.edge_age_s:.0f} s"
        for each in channels
        if each.state == "late"
    ]
    trouble += [
        f"{each.pathway} in {each.region or 'every region'}: breaker {each.circuit}"
        for each in breakers
    ]
    if screen is not None and screen["snapshot"]["stale"]:
        trouble.append("router: its snapshot is too old, static priority decides")
    at = datetime.fromtimestamp(now_s, UTC)
    if backlog is not None and backlog.dead:
        trouble.append(f"events: {backlog.dead} dead letter{'s' * (backlog.dead > 1)}")
    if backlog is not None and backlog.waiting_since is not None:
        waits_s = (at - backlog.waiting_since).total_seconds()
        if waits_s > WAITS_S:
            trouble.append(f"events: {backlog.waiting} wait, the oldest for {waits_s:.0f} s")
    return Overview(at, trouble, traffic(samples, screen), list(services), channels, breakers)


def live(name: str, master: Playlist, media: Playlist, sources: Mapping[str, Any] | None) -> Live:
    """`media` is the first variant's playlist; `sources` as the ingest port tells them."""
    control = media.control
    hold = seconds(control.get("PART-HOLD-BACK", "") or control.get("HOLD-BACK", ""))
    return Live(
        id=name,
        window_s=round(media.length_s, 3),
        target_s=media.target_s,
        part_target_s=media.part_target_s or None,
        hold_back_s=hold or None,
        discontinuities=sum(s.tag("EXT-X-DISCONTINUITY") is not None for s in media.segments),
        gaps=list(_gaps(media)),
        pieces=list(_pieces(media)),
        tracks=list(_tracks(master)),
        inputs=[
            Input(track, source, bool(f["stale"]), f["lag_seconds"], f["media_rate"])
            for track, found in (sources or {}).items()
            for source, f in found.items()
        ],
    )


def _dated(media: Playlist) -> Iterator[tuple[datetime | None, Segment]]:
    """Each segment with its begin, by the last date told and the durations since."""
    at: datetime | None = None
    for segment in media.segments:
        if segment.date_s is not None:
            at = datetime.fromtimestamp(segment.date_s, UTC)
        yield at, segment
        at = at + timedelta(seconds=segment.duration_s) if at is not None else None


def _gaps(media: Playlist) -> Iterator[Gap]:
    """Runs of EXT-X-GAP, each as one."""
    begun: datetime | None = None
    missing_s = 0.0
    for at, segment in _dated(media):
        if segment.gap:
            begun = begun if missing_s else at
            missing_s += segment.duration_s
        elif missing_s:
            yield Gap(begun, round(missing_s, 3))
            missing_s = 0.0
    if missing_s:
        yield Gap(begun, round(missing_s, 3))


def _pieces(media: Playlist) -> Iterator[Piece]:
    """The newest segments, and the one to come as far as its parts tell."""
    for at, one in [*_dated(media)][-SHOWN_PIECES:]:
        parts = [round(part.duration_s, 3) for part in one.parts]
        breaks = one.tag("EXT-X-DISCONTINUITY") is not None
        yield Piece(one.number, at, round(one.duration_s, 3), parts, one.gap, breaks)
    if media.loose and media.segments:
        parts = [round(part.duration_s, 3) for part in media.loose]
        number = media.segments[-1].number + 1
        yield Piece(number, None, round(sum(parts), 3), parts, False, False)


def _tracks(master: Playlist) -> Iterator[Track]:
    for tag, _ in master.variants:
        said = attributes(tag.value)
        mbps = f"{seconds(said.get('BANDWIDTH', '')) / 1e6:.2f} Mbit/s"
        detail = " · ".join(filter(None, (said.get("RESOLUTION", ""), mbps)))
        yield Track("video" if "RESOLUTION" in said else "variant", said.get("CODECS", ""), detail)
    for tag in master.all("EXT-X-MEDIA"):
        said = tag.attributes()
        kind = KINDS.get(said.get("TYPE", ""), "other")
        detail = " · ".join(filter(None, (said.get("LANGUAGE", ""), said.get("NAME", ""))))
        yield Track(kind, "", detail)
