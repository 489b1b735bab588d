"""What a low-latency MPD must hold (specs/dash.md section 2, D16)."""

from collections.abc import Callable, Iterator

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.mpd import NS, Mpd, integer, line
from headwater.probe.rules.dash_one import ROUNDING_S, UTC, Found, each, live

LL_PROFILE = "http://www.dashif.org/guidelines/low-latency-live-v5"
RESYNC_TYPES = ("0", "1", "2", "3")


def low_latency(find: Callable[[Mpd], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    return each(lambda mpd: find(mpd) if mpd.dynamic and mpd.low_latency else iter(()))


def _split(mpd: Mpd) -> Found:
    if mpd.low_latency and not any(_signals(mpd)):
        yield line(mpd.root), "availabilityTimeComplete in an MPD that is not the low-latency one"


def _signals(mpd: Mpd) -> Iterator[bool]:
    yield LL_PROFILE in (mpd.get("profiles") or "")
    for name in ("EssentialProperty", "SupplementalProperty"):
        yield from (LL_PROFILE in (e.get("schemeIdUri") or "") for e in mpd.all(name))
    yield from (LL_PROFILE in (e.get("profiles") or "") for e in mpd.all("AdaptationSet"))
    yield from (True for _ in mpd.all("Latency"))


def _ll_signal(mpd: Mpd) -> Found:
    named = [mpd.get("profiles") or ""]
    named += [e.get("profiles") or "" for e in mpd.all("AdaptationSet")]
    named += [e.get("schemeIdUri") or "" for e in mpd.all("EssentialProperty")]
    if not any(LL_PROFILE in text for text in named):
        yield line(mpd.root), f"does not signal {LL_PROFILE}"


def target_ms(mpd: Mpd) -> int:
    """The smallest Latency target; 0 when there is none."""
    return min((integer(e.get("target")) for e in mpd.all("Latency")), default=0)


def _latency(mpd: Mpd) -> Found:
    if target_ms(mpd) <= 0:
        yield line(mpd.root), "no ServiceDescription with Latency target"
    for node in mpd.all("Latency"):
        low, high = integer(node.get("min")), integer(node.get("max"), 1 << 60)
        if not low <= integer(node.get("target")) <= high:
            yield line(node), "the latency target is not between min and max"


def _ll_clock(mpd: Mpd) -> Found:
    if not any(e.get("schemeIdUri") in UTC for e in mpd.all("UTCTiming")):
        yield line(mpd.root), "no valid UTCTiming in a low-latency MPD"


def _producer(mpd: Mpd) -> Found:
    ids: set[str] = set()
    nodes = list(mpd.all("ProducerReferenceTime"))
    if not nodes:
        yield line(mpd.root), "no ProducerReferenceTime"
    for node in nodes:
        group = node.getparent()
        scope = line(group) if group is not None else 0
        name = f"{scope}:{node.get('id')}"
        if not node.get("id") or name in ids:
            yield line(node), "a ProducerReferenceTime without id of its own"
        ids.add(name)
        if node.find(NS + "UTCTiming") is None:
            yield line(node), "a ProducerReferenceTime without UTCTiming"


def _chunked(mpd: Mpd) -> Found:
    for node in [*mpd.all("SegmentTemplate"), *mpd.all("BaseURL")]:
        offset, complete = node.get("availabilityTimeOffset"), node.get("availabilityTimeComplete")
        if (offset is None) != (complete is None) or complete == "true":
            yield line(node), "availabilityTimeOffset goes with availabilityTimeComplete=false"
    for track in mpd.tracks:
        longest = max((e.duration for e in track.entries), default=0) / track.timescale
        if longest and track.ato_s >= longest + ROUNDING_S:
            yield line(track.node), f"{track.id}: availabilityTimeOffset is a whole segment"


def _resync(mpd: Mpd) -> Found:
    target_s = target_ms(mpd) / 1000
    for track in mpd.tracks:
        group = track.node.getparent()
        nodes = track.node.findall(NS + "Resync")
        nodes += group.findall(NS + "Resync") if group is not None else []
        if not nodes:
            yield line(track.node), f"{track.id} has no Resync"
        for node in nodes:
            if node.get("type") not in RESYNC_TYPES or node.get("marker") not in ("true", "1"):
                yield line(node), "a Resync of unknown type or without marker"
            step_s = integer(node.get("dT")) / track.timescale
            if target_s and not 0 < step_s <= target_s:
                yield line(node), f"a Resync dT of {step_s:.3f} s, the target is {target_s} s"


RULES = (
    Rule("D16", "P", "chunked availability in the low-latency MPD alone", live(_split)),
    Rule("L1", "M", "the low-latency profile is signalled", low_latency(_ll_signal)),
    Rule("L2", "M", "a latency target is described", low_latency(_latency)),
    Rule("L3", "M", "a valid time source", low_latency(_ll_clock)),
    Rule("L4", "M", "a producer reference time", low_latency(_producer)),
    Rule("L6", "M", "chunked segments are announced as such", low_latency(_chunked)),
    Rule("L7", "M", "resync points of every representation", low_latency(_resync)),
)
