"""How delivery directives of HLS are answered (specs/hls.md sections 3 to 5)."""

from collections.abc import Iterator

from headwater.probe.model import Breach, Evidence, Rule, Trial
from headwater.probe.rules.delivery import tried

LOST_S = 0.35  # what a late answer may lose on its way


@tried("block")
def _block(t: Trial) -> Iterator[str]:
    number, index = int(t.asked["msn"]), int(t.asked["part"])
    p = t.playlist
    if t.answer.status == 503 and t.answer.first_s + LOST_S >= t.asked["hold"]:
        return
    if t.answer.status != 200 or p is None:
        yield f"a blocking reload for the next part answers {t.answer.status}"
    elif index < 0 and p.last < number:
        yield f"a reload for segment {number} came back with {p.last} as the newest"
    elif index >= 0 and p.last < number and p.edge < (number, index + 1):
        yield f"a reload for part {index} of {number} came back with {p.edge} as the edge"


@tried("block_old")
def _block_old(t: Trial) -> Iterator[str]:
    if t.answer.status != 200 or t.playlist is None:
        yield f"_HLS_msn of an old segment answers {t.answer.status}"
    elif t.before and t.playlist.last < t.before.last:
        yield "_HLS_msn of an old segment does not give the whole playlist"


@tried("block_far")
def _block_far(t: Trial) -> Iterator[str]:
    if t.answer.status != 400:
        yield f"_HLS_msn {int(t.asked['ahead'])} ahead answers {t.answer.status}, not 400"


@tried("block_lone_part")
def _lone_part(t: Trial) -> Iterator[str]:
    if t.answer.status != 400:
        yield f"_HLS_part without _HLS_msn answers {t.answer.status}, not 400"


@tried("block_far", "block_lone_part")
def _directive_errors(t: Trial) -> Iterator[str]:
    limit_s = 1 if t.answer.status == 503 else 4 * int(t.asked["target"])
    if t.answer.status >= 400 and (t.answer.max_age_s is None or t.answer.max_age_s > limit_s):
        yield f"{t.answer.status} may be kept {t.answer.max_age_s} s, at most {limit_s} s"


@tried("block_ended")
def _block_ended(t: Trial) -> Iterator[str]:
    if t.answer.status != 200:
        yield f"_HLS_msn on an ended playlist answers {t.answer.status}, not 200"


@tried("reserved", "skip_odd")
def _ignored(t: Trial) -> Iterator[str]:
    if t.answer.status != 200:
        yield f"an unknown directive answers {t.answer.status}, not 200"
    elif t.playlist and t.playlist.skipped:
        yield "an unknown value of _HLS_skip gives a delta"


@tried("skip", "skip_v2")
def _skip_form(t: Trial) -> Iterator[str]:
    p = t.playlist
    if p is None:
        return
    tags = list(p.all("EXT-X-SKIP"))
    if len(tags) > 1:
        yield "more than one EXT-X-SKIP"
    for tag in tags:
        named = tag.attributes()
        if not named.get("SKIPPED-SEGMENTS", "").isdecimal():
            yield "EXT-X-SKIP without SKIPPED-SEGMENTS"
        if t.kind == "skip_v2" and t.asked["dates"] and "RECENTLY-REMOVED-DATERANGES" not in named:
            yield "a v2 delta without RECENTLY-REMOVED-DATERANGES"
    if t.before and p.first < t.before.first:
        yield "EXT-X-SKIP lowered the media sequence"


@tried("skip", "skip_v2")
def _skip(t: Trial) -> Iterator[str]:
    if t.answer.status != 200 or t.playlist is None:
        yield f"_HLS_skip answers {t.answer.status}"
    elif t.before is not None:
        until_s = float(t.asked["until"])
        covered_s = sum(s.duration_s for s in t.before.segments)
        longest_s = max((s.duration_s for s in t.before.segments), default=0.0)
        if not t.playlist.skipped and covered_s > until_s + 2 * longest_s:
            yield f"{covered_s:.0f} s are listed, CAN-SKIP-UNTIL is {until_s}, yet no delta came"


@tried("skip", "skip_v2")
def _merge(t: Trial) -> Iterator[str]:
    delta, old = t.playlist, t.before
    if delta is None or old is None or not delta.skipped:
        return
    known = {s.number: s for s in old.segments}
    kept = [known.get(n) for n in range(delta.first, delta.first + delta.skipped)]
    if None in kept:
        yield "the delta skips segments that the playlist before did not list"
        return
    for s in delta.segments:
        was = known.get(s.number)
        if was is not None and (was.uri, was.duration_s, was.date_s, was.gap) != (
            s.uri,
            s.duration_s,
            s.date_s,
            s.gap,
        ):
            yield f"segment {s.number} of the delta is not the one of the full playlist"
    if delta.segments and delta.segments[0].number - 1 > old.last:
        yield "a segment is neither in the delta nor in the playlist before"


def _hint(seen: Evidence) -> Iterator[Breach]:
    for t in seen.tried("hint"):
        if t.answer.status != 200:
            yield Breach(t.answer.url, 0, f"the hinted part answers {t.answer.status or 'nothing'}")


RULES = (
    Rule("HLS-21", "M", "a delta has one whole EXT-X-SKIP", _skip_form),
    Rule("HLS-22", "M", "_HLS_skip gives a delta", _skip),
    Rule("HLS-23", "P", "merged with a delta, a playlist is the new one", _merge),
    Rule("HLS-24", "M", "a blocking reload waits for what it asked", _block),
    Rule("HLS-25", "M", "an old _HLS_msn gives the whole playlist", _block_old),
    Rule("HLS-26", "M", "an ended playlist ignores directives", _block_ended),
    Rule("HLS-27", "S", "_HLS_msn too far ahead is 400", _block_far),
    Rule("HLS-28", "M", "_HLS_part alone is 400", _lone_part),
    Rule("HLS-30", "M", "unknown directives are ignored", _ignored),
    Rule("HLS-31", "M", "a hinted part can be requested", _hint),
    Rule("HLS-43", "P", "refused directives are not pinned", _directive_errors),
)
