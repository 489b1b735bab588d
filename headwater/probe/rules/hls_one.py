"""What one HLS playlist must hold by itself (specs/hls.md sections 1, 2, 4 and 6)."""

import math
from collections.abc import Callable, Iterator

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.playlist import Playlist, Tag, date_s, seconds

HOLE_S = 0.1  # of a target duration; less is drift of the dates
MILLISECOND = 0.0005  # durations are printed; half a millisecond is no breach
ONCE = (
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-SKIP",
    "EXT-X-ENDLIST",
    "EXT-X-VERSION",
)
BEFORE_PARTS = ("EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME")
INTERSTITIAL = "com.apple.hls.interstitial"

Found = Iterator[tuple[int, str]]


def each(find: Callable[[Playlist], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every version of every media playlist."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for looks in seen.media.values():
            for playlist in looks:
                for line, wrong in find(playlist):
                    yield Breach(playlist.url, line, wrong)

    return breaches


def _line(p: Playlist, name: str) -> int:
    tag = p.tag(name)
    return tag.line if tag else 0


def _target(p: Playlist) -> Found:
    if p.target_s < 1:
        yield _line(p, "EXT-X-TARGETDURATION"), "EXT-X-TARGETDURATION is no integer of 1 or more"
        return
    for s in p.segments:
        if math.floor(s.duration_s + 0.5) > p.target_s:
            yield s.line, f"a segment lasts {s.duration_s:.3f} s, the target is {p.target_s} s"


def _sequence_first(p: Playlist) -> Found:
    tag = p.tag("EXT-X-MEDIA-SEQUENCE")
    if tag and p.segments and tag.line > p.segments[0].line:
        yield tag.line, "EXT-X-MEDIA-SEQUENCE stands after the first segment"


def _breaks_first(p: Playlist) -> Found:
    tag = p.tag("EXT-X-DISCONTINUITY-SEQUENCE")
    breaks = _line(p, "EXT-X-DISCONTINUITY")
    limit = min([s.line for s in p.segments[:1]] + ([breaks] if breaks else []), default=0)
    if tag and limit and tag.line > limit:
        yield tag.line, "EXT-X-DISCONTINUITY-SEQUENCE stands after a segment or a discontinuity"


def _lost(p: Playlist) -> Found:
    for a, b in zip(p.segments, p.segments[1:], strict=False):
        if a.date_s is not None and b.date_s is not None:
            missing_s = b.date_s - a.date_s - a.duration_s
            if missing_s > HOLE_S * max(p.target_s, 1):
                yield b.line, f"{missing_s:.3f} s are missing before a segment, without EXT-X-GAP"


def _maps(p: Playlist) -> Found:
    """A header that comes with its key goes on with the same media (PR-51)."""
    for a, b in zip(p.segments, p.segments[1:], strict=False):
        told = b.tag("EXT-X-DISCONTINUITY") or b.tag("EXT-X-KEY")
        if a.map_uri != b.map_uri and told is None:
            yield b.line, "the EXT-X-MAP changes without EXT-X-DISCONTINUITY"


def _ranges(p: Playlist) -> Found:
    known: dict[str, Tag] = {}
    for tag in p.all("EXT-X-DATERANGE"):
        named = tag.attributes()
        if not named.get("ID") or date_s(named.get("START-DATE", "")) is None:
            yield tag.line, "a DATERANGE without ID or a readable START-DATE"
        elif (old := known.setdefault(named["ID"], tag)) is not tag:
            first = old.attributes()
            if any(first[k] != named[k] for k in first.keys() & named.keys()):
                yield tag.line, f"DATERANGE {named['ID']} differs from line {old.line}"


def _control(p: Playlist) -> Found:
    control, at = p.control, _line(p, "EXT-X-SERVER-CONTROL")
    hold, skip = control.get("HOLD-BACK"), control.get("CAN-SKIP-UNTIL")
    if p.low_latency:
        if p.part_target_s <= 0:
            yield at, "EXT-X-PART without EXT-X-PART-INF:PART-TARGET"
        if "PART-HOLD-BACK" not in control:
            yield at, "EXT-X-PART without SERVER-CONTROL PART-HOLD-BACK"
        elif seconds(control["PART-HOLD-BACK"]) < 2 * p.part_target_s - MILLISECOND:
            yield at, f"PART-HOLD-BACK {control['PART-HOLD-BACK']} is below 2 part targets"
    if hold is not None and seconds(hold) < 3 * p.target_s - MILLISECOND:
        yield at, f"HOLD-BACK {hold} is below 3 target durations"
    if skip is not None and seconds(skip) < 6 * p.target_s - MILLISECOND:
        yield at, f"CAN-SKIP-UNTIL {skip} is below 6 target durations"
    if "CAN-SKIP-DATERANGES" in control and skip is None:
        yield at, "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL"


def _hold_back(p: Playlist) -> Found:
    hold = seconds(p.control.get("PART-HOLD-BACK", ""))
    if p.low_latency and 0 < hold < 3 * p.part_target_s - MILLISECOND:
        yield _line(p, "EXT-X-SERVER-CONTROL"), f"PART-HOLD-BACK {hold} is below 3 part targets"


def _parts(p: Playlist) -> Found:
    target = p.part_target_s
    for parts, done in [(s.parts, True) for s in p.segments] + [(p.loose, False)]:
        for at, part in enumerate(parts):
            following = parts[at + 1] if at + 1 < len(parts) else None
            if part.duration_s > target + MILLISECOND:
                yield part.line, f"a part lasts {part.duration_s:.3f} s, the target is {target} s"
            waived = part.independent or part.gap or (following is not None and following.gap)
            waived = waived or (following is None and (done or part is p.loose[-1]))
            if not waived and part.duration_s < 0.85 * target - MILLISECOND:
                yield part.line, f"a part of {part.duration_s:.3f} s is below 0.85 x {target} s"


def _before_parts(p: Playlist) -> Found:
    groups = [(s.tags, s.parts) for s in p.segments] + [(p.stray, p.loose)]
    for tags, parts in groups:
        for tag in tags:
            if parts and tag.name in BEFORE_PARTS and tag.line > parts[0].line:
                yield tag.line, f"{tag.name} stands after the first part of its segment"


def _old_parts(p: Playlist) -> Found:
    left_s = sum(part.duration_s for part in p.loose)
    for s in reversed(p.segments):
        if s.parts and left_s > 3 * p.target_s + MILLISECOND:
            yield s.parts[0].line, f"parts are listed {left_s:.3f} s from the end"
            return
        left_s += s.duration_s


def needed_version(p: Playlist) -> tuple[int, str]:
    """The lowest EXT-X-VERSION for what a playlist holds, and the reason (section 6)."""
    names = {tag.name for tag in p.tags}
    frames = "EXT-X-I-FRAMES-ONLY" in names
    needs = [(1, "")]
    for key in (*p.all("EXT-X-KEY"), *p.all("EXT-X-SESSION-KEY")):
        named = key.attributes()
        needs += [(2, "an IV")] if "IV" in named else []
        needs += [(5, "KEYFORMAT")] if named.keys() & {"KEYFORMAT", "KEYFORMATVERSIONS"} else []
        needs += [(5, "SAMPLE-AES")] if named.get("METHOD") == "SAMPLE-AES" else []
    if any("." in t.value.partition(",")[0] for t in p.all("EXTINF")):
        needs.append((3, "decimal EXTINF"))
    if frames or "EXT-X-BYTERANGE" in names:
        needs.append((4, "BYTERANGE or I-FRAMES-ONLY"))
    if "EXT-X-MAP" in names:
        needs.append((5 if frames else 6, "EXT-X-MAP"))
    for tag in p.all("EXT-X-DEFINE"):
        named = tag.attributes()
        needs.append((11, "QUERYPARAM") if "QUERYPARAM" in named else (8, "EXT-X-DEFINE"))
    for tag in p.all("EXT-X-SKIP"):
        dates = "RECENTLY-REMOVED-DATERANGES" in tag.attributes()
        needs.append((10, "SKIP of DATERANGEs") if dates else (9, "EXT-X-SKIP"))
    return max(needs)


def _versions(seen: Evidence) -> Iterator[Breach]:
    deltas = [t.playlist for t in seen.tried("skip", "skip_v2") if t.playlist]
    looks = [p for history in seen.media.values() for p in history]
    for p in [*looks, *deltas, *([seen.master] if seen.master else [])]:
        need, reason = needed_version(p)
        if max(p.number("EXT-X-VERSION"), 1) < need:
            yield Breach(
                p.url, _line(p, "EXT-X-VERSION"), f"EXT-X-VERSION is below {need} ({reason})"
            )


def _hints(p: Playlist) -> Found:
    hints = list(p.all("EXT-X-PRELOAD-HINT"))
    kinds = [hint.attributes().get("TYPE") for hint in hints]
    if p.ended:
        for hint in hints:
            yield hint.line, "a preload hint in an ended playlist"
    elif p.low_latency and "PART" not in kinds:
        yield 0, "parts, but no preload hint for the next one"
    for kind in {k for k in kinds if kinds.count(k) > 1}:
        yield hints[-1].line, f"more than one preload hint of TYPE={kind}"
    for hint in hints:
        if not hint.attributes().get("URI"):
            yield hint.line, "a preload hint without URI"


def _profile(p: Playlist) -> Found:
    if p.low_latency and p.tag("EXT-X-PROGRAM-DATE-TIME") is None:
        yield 0, "a low-latency playlist without EXT-X-PROGRAM-DATE-TIME"


def _interstitials(p: Playlist) -> Found:
    for tag in p.all("EXT-X-DATERANGE"):
        named = tag.attributes()
        if named.get("CLASS") == INTERSTITIAL and ("X-ASSET-URI" in named) == (
            "X-ASSET-LIST" in named
        ):
            yield tag.line, "an interstitial has exactly one of X-ASSET-URI and X-ASSET-LIST"


def _ended(p: Playlist) -> Found:
    if p.ended and p.control.get("CAN-BLOCK-RELOAD") == "YES":
        yield _line(p, "EXT-X-SERVER-CONTROL"), "CAN-BLOCK-RELOAD=YES together with EXT-X-ENDLIST"


def _dated_ranges(p: Playlist) -> Found:
    tag = p.tag("EXT-X-DATERANGE")
    if tag and p.tag("EXT-X-PROGRAM-DATE-TIME") is None:
        yield tag.line, "EXT-X-DATERANGE without any EXT-X-PROGRAM-DATE-TIME"
    for tag in p.all("EXT-X-DATERANGE"):
        named = tag.attributes()
        if "SCTE35-OUT" in named and "DURATION" in named and "SCTE35-IN" not in named:
            yield tag.line, "SCTE35-OUT carries DURATION before its end is known"


def _once(p: Playlist) -> Found:
    for name in ONCE:
        tags = list(p.all(name))
        if len(tags) > 1:
            yield tags[1].line, f"{name} stands more than once"


def _unreadable(rule: str) -> Callable[[Evidence], Iterator[Breach]]:
    return lambda seen: (breach for named, breach in seen.unreadable if named == rule)


RULES = (
    Rule("HLS-1", "M", "round(EXTINF) <= target duration", each(_target)),
    Rule("HLS-4", "M", "EXT-X-MEDIA-SEQUENCE precedes the first segment", each(_sequence_first)),
    Rule("HLS-8", "M", "DISCONTINUITY-SEQUENCE precedes segments", each(_breaks_first)),
    Rule("HLS-9", "S", "lost media is shown as gaps of the same length", each(_lost)),
    Rule("HLS-10", "M", "a new header comes with a discontinuity", each(_maps)),
    Rule("HLS-12", "M", "one DATERANGE id has one set of values", each(_ranges)),
    Rule("HLS-13", "M", "PART-INF and SERVER-CONTROL are there and long enough", each(_control)),
    Rule("HLS-13", "S", "PART-HOLD-BACK is at least 3 part targets", each(_hold_back)),
    Rule("HLS-14", "M", "0.85 x part target <= part <= part target", each(_parts)),
    Rule("HLS-16", "M", "a segment's tags stand before its first part", each(_before_parts)),
    Rule("HLS-18", "S", "parts leave 3 target durations from the end", each(_old_parts)),
    Rule("HLS-20", "M", "EXT-X-VERSION covers what is used", _versions),
    Rule("HLS-31", "M", "one preload hint for the next part, none at the end", each(_hints)),
    Rule("HLS-34", "M", "low-latency playlists are dated", each(_profile)),
    Rule("HLS-36", "M", "an interstitial names its asset once", each(_interstitials)),
    Rule("HLS-41", "P", "no blocking reload at the end", each(_ended)),
    Rule("HLS-42", "M", "DATERANGE needs a date", each(_dated_ranges)),
    Rule("HLS-M1", "M", "a playlist is UTF-8 text that starts #EXTM3U", _unreadable("HLS-M1")),
    Rule("HLS-M7", "M", "single tags stand once", each(_once)),
)
