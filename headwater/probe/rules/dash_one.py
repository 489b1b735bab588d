"""What one MPD must hold by itself (specs/dash.md section 1)."""

from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.mpd import IDENTIFIER, NS, Element, Mpd, duration_s, integer, line
from headwater.probe.playlist import date_s

LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
UTC = tuple(
    f"urn:mpeg:dash:utc:{k}:2014" for k in ("http-xsdate", "http-iso", "http-head", "direct")
)
MAX_CODE = 1 << 53
DURATIONS = (
    "mediaPresentationDuration",
    "minimumUpdatePeriod",
    "minBufferTime",
    "timeShiftBufferDepth",
    "suggestedPresentationDelay",
    "maxSegmentDuration",
)
ROUNDING_S = 0.5  # maxSegmentDuration and TARGETDURATION are rounded (HLS-1)

Found = Iterator[tuple[int, str]]


def each(find: Callable[[Mpd], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every version of the MPD."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for mpd in seen.mpds:
            for at, wrong in find(mpd):
                yield Breach(mpd.url, at, wrong)

    return breaches


def live(find: Callable[[Mpd], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    return each(lambda mpd: find(mpd) if mpd.dynamic else iter(()))


def _root(mpd: Mpd) -> Found:
    at = line(mpd.root)
    if mpd.get(
        "type",
    ) not in (None, "static", "dynamic"):
        yield at, f"type is {mpd.get('type')}"
    wanted = ["minBufferTime"]
    if mpd.dynamic:
        wanted += ["availabilityStartTime", "publishTime"]
        if LIVE_PROFILE not in (mpd.get("profiles") or ""):
            yield at, f"profiles lack {LIVE_PROFILE}"
        for name in ("availabilityStartTime", "publishTime"):
            if mpd.get(name) and date_s(mpd.get(name) or "") is None:
                yield at, f"{name} is no date"
    else:
        last = mpd.periods()[-1:]
        if not (last and last[0].get("duration")):
            wanted.append("mediaPresentationDuration")
    for name in wanted:
        if not mpd.get(name):
            yield at, f"MPD@{name} is missing"


def _periods(mpd: Mpd) -> Found:
    ids: set[str] = set()
    if not mpd.periods():
        yield line(mpd.root), "there is no Period"
    for period in mpd.periods():
        name = period.get("id")
        if mpd.dynamic and not name:
            yield line(period), "a Period without id"
        if name and name in ids:
            yield line(period), f"the Period id {name} stands twice"
        ids.add(name or "")
        if mpd.dynamic and duration_s(period.get("start")) is None:
            yield line(period), "a Period without a readable start"
        if duration_s(period.get("duration")) == 0:
            yield line(period), "a Period of no length"


def _sets(mpd: Mpd) -> Found:
    for period in mpd.periods():
        ids: set[str] = set()
        for group in period.findall(NS + "AdaptationSet"):
            name = group.get("id")
            if not name or name in ids:
                yield line(group), "an AdaptationSet without id of its own"
            ids.add(name or "")


def _updates(mpd: Mpd) -> Found:
    if not mpd.dynamic and mpd.get("minimumUpdatePeriod"):
        yield line(mpd.root), "minimumUpdatePeriod on a static MPD"
    if mpd.dynamic and not mpd.get("minimumUpdatePeriod"):
        last = mpd.periods()[-1:]
        if not last or not last[0].get("duration"):
            yield line(mpd.root), "no minimumUpdatePeriod, but the last Period is open"


def _clock(mpd: Mpd) -> Found:
    schemes = [(e, e.get("schemeIdUri", "")) for e in mpd.all("UTCTiming")]
    if not schemes:
        yield line(mpd.root), "no UTCTiming"
    for node, scheme in schemes:
        if scheme not in UTC:
            yield line(node), f"UTCTiming scheme {scheme} is not to be used"


def _templates(mpd: Mpd) -> Found:
    for node in mpd.all("SegmentTemplate"):
        timeline = node.find(NS + "SegmentTimeline")
        if node.get("duration") and timeline is not None:
            yield line(node), "a SegmentTemplate with both duration and SegmentTimeline"
        left = IDENTIFIER.sub("", node.get("media", "") + node.get("initialization", ""))
        if "$" in left:
            yield line(node), "a template with an unknown identifier"
        if any(k in node.get("initialization", "") for k in ("$Number", "$Time")):
            yield line(node), "initialization holds $Number$ or $Time$"
        for row in timeline.findall(NS + "S") if timeline is not None else ():
            if row.get("n") is not None or integer(row.get("d")) <= 0:
                yield line(row), "S with @n, or without a duration"
    longest_s = mpd.seconds("maxSegmentDuration")
    for track in mpd.tracks:
        for entry in track.entries:
            if (
                longest_s is not None
                and entry.duration > (longest_s + ROUNDING_S) * track.timescale
            ):
                length_s = entry.duration / track.timescale
                yield (
                    line(track.node),
                    f"segment {entry.number} of {track.id} lasts {length_s:.3f} s, more than "
                    "maxSegmentDuration",
                )
                break


def _scales(mpd: Mpd) -> Found:
    for track in mpd.tracks:
        levels = [track.node, *track.node.iterancestors()]
        named = [t for e in levels if (t := e.find(NS + "SegmentTemplate")) is not None]
        if not any(t.get("timescale") for t in named):
            yield line(named[0]), f"the template of {track.id} has no timescale"


def _holes(mpd: Mpd) -> Found:
    for track in mpd.tracks:
        for a, b in zip(track.entries, track.entries[1:], strict=False):
            if abs(b.start - a.start - a.duration) > 1:
                missing_s = (b.start - a.start - a.duration) / track.timescale
                yield (
                    line(track.node),
                    f"{track.id}: {missing_s:+.3f} s between segments {a.number} and {b.number}",
                )


def _window(mpd: Mpd) -> Found:
    depth_s = mpd.seconds("timeShiftBufferDepth")
    update_s = mpd.seconds("minimumUpdatePeriod")
    longest_s = mpd.seconds("maxSegmentDuration") or 0.0
    now_s = mpd.at_s - mpd.start_s
    last_period = mpd.periods()[-1].get("id") if mpd.periods() else None
    for track in mpd.tracks:
        if not track.entries or not track.timeline:
            continue
        slack_s = 2 * max(longest_s, track.entries[-1].duration / track.timescale) + 2
        end_s = track.end_s(track.entries[-1])
        open_end = track.period_id == last_period
        if update_s is not None and open_end and end_s < now_s - update_s - slack_s:
            yield line(track.node), f"{track.id} ends {now_s - end_s:.1f} s before now"
        rows = track.node.xpath("ancestor-or-self::*/*/*[local-name()='SegmentTimeline']")
        first = rows[-1].find(NS + "S") if isinstance(rows, list) and rows else None
        if depth_s is None or not isinstance(first, Element):
            continue
        repeats = max(integer(first.get("r")), 0)
        entry = track.entries[min(repeats, len(track.entries) - 1)]
        gone_s = now_s - depth_s - track.end_s(entry)
        if gone_s > slack_s + (update_s or 0) and len(track.entries) > 1:
            yield line(first), f"{track.id} lists an S that left the buffer {gone_s:.1f} s ago"


def _delay(mpd: Mpd) -> Found:
    delay_s, depth_s = (
        mpd.seconds("suggestedPresentationDelay"),
        mpd.seconds("timeShiftBufferDepth"),
    )
    if delay_s is not None and depth_s is not None and delay_s >= depth_s:
        yield line(mpd.root), "suggestedPresentationDelay is not below timeShiftBufferDepth"


def _alike(mpd: Mpd) -> Found:
    for group in mpd.all("AdaptationSet"):
        nodes = group.findall(NS + "Representation")
        kind = group.get("contentType") or (group.get("mimeType") or "").partition("/")[0]
        kinds = {(n.get("mimeType") or kind).partition("/")[0] for n in nodes}
        if len(kinds - {"application", ""}) > 1:
            yield line(group), f"an AdaptationSet of several media types: {sorted(kinds)}"
        modes = {
            tag
            for n in nodes
            for tag in ("SegmentTemplate", "SegmentList", "SegmentBase")
            if n.find(NS + tag) is not None
        }
        if len(modes) > 1:
            yield line(group), "an AdaptationSet with several addressing modes"
        if len(nodes) > 1 and group.get("segmentAlignment") not in ("true", "1"):
            yield line(group), "an AdaptationSet without segmentAlignment=true"
        if kind == "audio" and not group.get("lang"):
            yield line(group), "audio without lang"
        for node in nodes if kind == "video" else ():
            for name in ("width", "height", "frameRate"):
                if not (node.get(name) or group.get(name)):
                    yield line(node), f"video {node.get('id')} without {name}"


def _codes(mpd: Mpd) -> Found:
    for name in DURATIONS:
        text = mpd.get(name)
        if text and duration_s(text) is None:
            yield line(mpd.root), f"MPD@{name} {text} is unreadable, or counts years or months"
    for track in mpd.tracks:
        if track.entries and track.entries[-1].start + track.entries[-1].duration >= MAX_CODE:
            yield line(track.node), f"{track.id} has time codes of 2^53 or more"


def _patchable(mpd: Mpd) -> Found:
    for node in mpd.all("PatchLocation"):
        if mpd.get("id") is None:
            yield line(node), "a PatchLocation without MPD@id"
        if (
            integer(node.get("ttl")) <= 0
            and not (node.get("ttl") or "").replace(".", "").isdecimal()
        ):
            yield line(node), "a PatchLocation without ttl"


def clock_url(mpd: Mpd) -> str | None:
    """The first time source that can be fetched."""
    for node in mpd.all("UTCTiming"):
        scheme, value = node.get("schemeIdUri", ""), (node.get("value") or "").split(" ")[0]
        if scheme in UTC[:3] and value:
            try:
                url = urljoin(mpd.url, value)
            except ValueError:
                continue
            if urlsplit(url).scheme in ("http", "https"):
                return url
    return None


def _unreadable(seen: Evidence) -> Iterator[Breach]:
    return (breach for named, breach in seen.unreadable if named == "DASH-M20")


RULES = (
    Rule("D1", "M", "the root carries its times and the live profile", each(_root)),
    Rule("D2", "M", "Periods have ids, starts and lengths", each(_periods)),
    Rule("D3", "M", "AdaptationSets have ids of their own", live(_sets)),
    Rule("D4", "M", "minimumUpdatePeriod while the MPD may change", each(_updates)),
    Rule("D5", "M", "a time source of the known schemes", live(_clock)),
    Rule("D6", "M", "templates are exact", each(_templates)),
    Rule("D6", "M", "templates have a timescale", each(_scales)),
    Rule("D8", "M", "references cover the buffer, no more, no less", live(_window)),
    Rule("D10", "M", "the presentation delay fits the buffer", live(_delay)),
    Rule("D11", "M", "AdaptationSets are alike inside", each(_alike)),
    Rule("D12", "M", "time codes below 2^53, durations in seconds", each(_codes)),
    Rule("D13", "M", "no hole inside a Period", each(_holes)),
    Rule("D14", "M", "a patch location lives a stated time", live(_patchable)),
    Rule("DASH-M20", "M", "an MPD is well-formed XML without a DTD", _unreadable),
)
