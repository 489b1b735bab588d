"""What consecutive versions of one HLS playlist may change (specs/hls.md section 1)."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.playlist import Playlist, Segment, date_s, seconds

FIXED = ("EXT-X-DISCONTINUITY", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-BYTERANGE")
LATE_S = 0.75  # the probe's own polling and the network

Found = Iterator[tuple[int, str]]


def pairs(find: Callable[[Playlist, Playlist], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every consecutive pair of versions."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for looks in seen.media.values():
            for old, new in pairwise(looks):
                for line, wrong in find(old, new):
                    yield Breach(new.url, line, wrong)

    return breaches


def _line(p: Playlist, name: str) -> int:
    tag = p.tag(name)
    return tag.line if tag else 0


def _target(old: Playlist, new: Playlist) -> Found:
    if old.target_s != new.target_s:
        line = _line(new, "EXT-X-TARGETDURATION")
        yield line, f"the target duration went from {old.target_s} to {new.target_s}"


def _same(a: Segment, b: Segment) -> str:
    if a.uri.partition("?")[0] != b.uri.partition("?")[0]:
        return "its URI"
    if a.duration_s != b.duration_s:
        return "its EXTINF"
    for name in FIXED:
        before, after = a.tag(name), b.tag(name)
        if (before and before.value) != (after and after.value):
            return name
    return ""


def _edits(old: Playlist, new: Playlist) -> Found:
    known = {s.number: s for s in new.segments}
    for s in old.segments:
        now = known.get(s.number)
        if now is not None and (what := _same(s, now)):
            yield now.line, f"{what} changed on segment {s.number} after it was listed"
        elif now is None and s.number > new.last and new.first >= old.first:
            yield 0, f"segment {s.number} was taken from the end"
    if old.ended and not new.ended:
        yield 0, "EXT-X-ENDLIST was taken back"
    for number in range(max(old.first, new.first), min(old.last, new.last) + 2):
        was, now_parts = old.parts_of(number), new.parts_of(number)
        for a, b in zip(was, now_parts, strict=False):
            if (a.uri, a.duration_s, a.independent) != (b.uri, b.duration_s, b.independent):
                yield b.line, f"a part of segment {number} changed after it was listed"
        if now_parts and len(now_parts) < len(was):
            yield now_parts[-1].line, f"segment {number} lost parts"


def _sequence(old: Playlist, new: Playlist) -> Found:
    at = _line(new, "EXT-X-MEDIA-SEQUENCE")
    if new.first < old.first:
        yield at, f"the media sequence fell from {old.first} to {new.first}"
        return
    path = {s.uri.partition("?")[0]: s.number for s in old.segments}
    for s in new.segments[:1]:
        was = path.get(s.uri.partition("?")[0])
        if was is not None and was != s.number and len(path) == len(old.segments):
            yield at, f"{was - old.first} segments left, the sequence rose {s.number - old.first}"


def _short(old: Playlist, new: Playlist) -> Found:
    least_s = 3 * new.target_s
    if new.first > old.first and not new.ended and new.length_s < least_s - 0.001:
        yield 0, f"{new.length_s:.3f} s are left, less than 3 target durations ({least_s} s)"


def _breaks(old: Playlist, new: Playlist) -> Found:
    name = "EXT-X-DISCONTINUITY-SEQUENCE"
    if new.first < old.first or new.first > old.last + 1:
        return
    gone = sum(
        s.tag("EXT-X-DISCONTINUITY") is not None for s in old.segments if s.number < new.first
    )
    if new.number(name) != old.number(name) + gone:
        was, now = old.number(name), new.number(name)
        yield _line(new, name), f"{gone} discontinuities left, {name} went from {was} to {now}"


def _stalled(
    seen: Evidence, grown: Callable[[Playlist], object], limit: Callable[[Playlist], float]
) -> Iterator[tuple[Playlist, float]]:
    """Versions that show nothing new longer than the limit after something new was first seen."""
    for looks in seen.media.values():
        since = looks[0]
        for old, new in pairwise(looks):
            waited_s = new.at_s - since.at_s
            if grown(new) != grown(since):
                since = new
            elif not (old.ended or new.ended) and waited_s > limit(new) + LATE_S:
                yield new, waited_s


def _pace(seen: Evidence) -> Iterator[Breach]:
    for p, waited_s in _stalled(seen, lambda p: p.last, lambda p: 1.5 * p.target_s):
        yield Breach(p.url, 0, f"no new segment for {waited_s:.1f} s")


def _part_pace(seen: Evidence) -> Iterator[Breach]:
    for p, waited_s in _stalled(seen, lambda p: p.edge, lambda p: p.part_target_s):
        if p.low_latency:
            yield Breach(p.url, 0, f"no new part for {waited_s:.2f} s")


def _window(p: Playlist) -> tuple[float, float] | None:
    """Wall clock span of a playlist: first date to the end of the last segment."""
    for at, s in enumerate(p.segments):
        if s.date_s is not None:
            back_s = sum(x.duration_s for x in p.segments[:at])
            return s.date_s - back_s, s.date_s - back_s + p.length_s
    return None


def _ranges(old: Playlist, new: Playlist) -> Found:
    then = {t.attributes().get("ID"): t.attributes() for t in old.all("EXT-X-DATERANGE")}
    tags = {t.attributes().get("ID"): t for t in new.all("EXT-X-DATERANGE")}
    span = _window(new)
    for name, was in then.items():
        tag = tags.get(name)
        if tag is not None:
            now = tag.attributes()
            if any(was[k] != now[k] for k in was.keys() & now.keys()):
                yield tag.line, f"DATERANGE {name} changed its values"
            continue
        start_s = date_s(was.get("START-DATE", ""))
        if span is None or start_s is None:
            continue
        end_s = date_s(was.get("END-DATE", ""))
        if end_s is None:
            end_s = start_s + seconds(was.get("DURATION", was.get("PLANNED-DURATION", "")))
        if span[0] <= start_s < span[1] or start_s < span[0] < end_s:
            yield 0, f"DATERANGE {name} left while it overlaps listed segments"


def _hinted(old: Playlist, new: Playlist) -> Found:
    hint = next(
        (t.attributes() for t in old.all("EXT-X-PRELOAD-HINT") if "TYPE=PART" in t.value), None
    )
    if hint is None or new.edge <= old.edge:
        return
    number, index = old.edge
    parts = new.parts_of(number)
    if number <= new.last and parts and index >= len(parts):
        number, index = number + 1, 0
        parts = new.parts_of(number)
    if index < len(parts) and parts[index].uri != hint.get("URI"):
        yield parts[index].line, f"the part hinted as {hint.get('URI')} is {parts[index].uri}"


def _sliding_type(old: Playlist, new: Playlist) -> Found:
    if new.first > old.first and new.tag("EXT-X-PLAYLIST-TYPE"):
        yield (
            _line(new, "EXT-X-PLAYLIST-TYPE"),
            "EXT-X-PLAYLIST-TYPE on a playlist that removes segments",
        )


RULES = (
    Rule("HLS-2", "M", "the target duration never changes", pairs(_target)),
    Rule("HLS-3", "M", "updates append and slide, nothing else", pairs(_edits)),
    Rule("HLS-4", "M", "the media sequence counts removed segments", pairs(_sequence)),
    Rule("HLS-5", "M", "3 target durations stay listed", pairs(_short)),
    Rule("HLS-6", "M", "a new segment within 1.5 target durations", _pace),
    Rule("HLS-8", "M", "discontinuities that leave are counted", pairs(_breaks)),
    Rule("HLS-12", "M", "a DATERANGE stays, unchanged, while it overlaps", pairs(_ranges)),
    Rule("HLS-17", "M", "a new part within one part target", _part_pace),
    Rule("HLS-31", "M", "the hinted part comes under the hinted URI", pairs(_hinted)),
    Rule("HLS-39", "M", "no PLAYLIST-TYPE where segments leave", pairs(_sliding_type)),
)
