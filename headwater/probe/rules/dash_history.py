"""What consecutive MPDs may change, and what a patch must give (specs/dash.md 1 and 3)."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from lxml import etree

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.mpd import NS, Element, Mpd, NotAnMpd, document, integer, line, repeats
from headwater.probe.patch import PATCH_TYPE, BadPatch, apply

Found = Iterator[tuple[int, str]]


def pairs(find: Callable[[Mpd, Mpd], Found]) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every consecutive pair of versions."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for old, new in pairwise(seen.mpds):
            for at, wrong in find(old, new):
                yield Breach(new.url, at, wrong)

    return breaches


def _start(old: Mpd, new: Mpd) -> Found:
    for name in ("availabilityStartTime", "id"):
        if old.dynamic and new.dynamic and old.get(name) != new.get(name):
            yield line(new.root), f"MPD@{name} went from {old.get(name)} to {new.get(name)}"
    then, now = old.get("publishTime"), new.get("publishTime")
    same = etree.tostring(old.root) == etree.tostring(new.root)
    if new.dynamic and then and now and (now < then or (now == then and not same)):
        yield line(new.root), f"publishTime {now} after {then} for another MPD"


def _by_id(mpd: Mpd) -> dict[str, Element]:
    return {p.get("id", ""): p for p in mpd.periods()}


def _periods(old: Mpd, new: Mpd) -> Found:
    before, after = _by_id(old), _by_id(new)
    last = old.periods()[-1].get("id") if old.periods() else None
    for name, period in after.items():
        was = before.get(name)
        if was is None:
            continue
        if was.get("start") != period.get("start"):
            yield line(period), f"the start of Period {name} moved"
        if was.get("duration") and was.get("duration") != period.get("duration") and name != last:
            yield line(period), f"the duration of Period {name} changed"


def _names(period: Element) -> list[tuple[str | None, list[str | None]]]:
    return [
        (g.get("id"), [r.get("id") for r in g.findall(NS + "Representation")])
        for g in period.findall(NS + "AdaptationSet")
    ]


def _sets(old: Mpd, new: Mpd) -> Found:
    before = _by_id(old)
    for name, period in _by_id(new).items():
        if name in before and _names(before[name]) != _names(period):
            yield line(period), f"sets or representations of Period {name} changed or moved"


def _ends(old: Mpd, new: Mpd) -> Found:
    if not old.get("minimumUpdatePeriod") and etree.tostring(old.root) != etree.tostring(new.root):
        yield line(new.root), "an MPD without minimumUpdatePeriod changed"


def _timelines(mpd: Mpd) -> dict[tuple[str, str, str], tuple[Element, int]]:
    """Timelines by Period, set and representation ("" where the set's own), with startNumber."""
    found: dict[tuple[str, str, str], tuple[Element, int]] = {}
    for timeline in mpd.all("SegmentTimeline"):
        template = timeline.getparent()
        holder = template.getparent() if template is not None else None
        if template is None or holder is None:
            continue
        chain = [holder, *holder.iterancestors()]
        ids = {str(e.tag).removeprefix(NS): e.get("id", "") for e in chain}
        key = (ids.get("Period", ""), ids.get("AdaptationSet", ""), ids.get("Representation", ""))
        found[key] = (timeline, integer(template.get("startNumber"), 1))
    return found


def _timeline(old: Mpd, new: Mpd) -> Found:
    before = _timelines(old)
    for key, (timeline, number) in _timelines(new).items():
        if key in before:
            was, was_number = before[key]
            yield from _moved(was, was_number, timeline, number, " ".join(key))


def _moved(old: Element, old_number: int, new: Element, number: int, name: str) -> Found:
    was, now = repeats(old, None), repeats(new, None)
    if not was or not now:
        return
    starts = [t for t, _, _ in was]
    end = was[-1][0] + was[-1][1] * (was[-1][2] + 1)
    if now[0][0] >= end:
        return
    if now[0][0] not in starts:
        yield line(new), f"{name}: the first S does not start where an S of before did"
        return
    gone = starts.index(now[0][0])
    kept = was[gone:]
    for index, (row, fresh) in enumerate(zip(kept, now, strict=False)):
        open_end = index == len(kept) - 1
        if row[:2] != fresh[:2] or fresh[2] < row[2] or (fresh[2] > row[2] and not open_end):
            yield line(new), f"{name}: the S at {row[0]} changed from {row} to {fresh}"
    if len(now) < len(kept):
        yield line(new), f"{name}: S elements were taken from the end"
    removed = sum(r + 1 for _, _, r in was[:gone])
    if number != old_number + removed:
        yield line(new), f"{name}: {removed} segments left, startNumber rose {number - old_number}"


def _last_period_only(old: Mpd, new: Mpd) -> Found:
    last = old.periods()[-1].get("id", "") if old.periods() else ""
    before = _timelines(old)
    for key, (timeline, _) in _timelines(new).items():
        if key in before and key[0] != last:
            was, now = repeats(before[key][0], None), repeats(timeline, None)
            if was and now and _end(now) > _end(was):
                yield line(timeline), f"Period {key[0]} grew, though it is not the last one"


def _end(rows: list[tuple[int, int, int]]) -> int:
    t, d, r = rows[-1]
    return t + d * (r + 1)


def _patch_form(seen: Evidence) -> Iterator[Breach]:
    for patch in seen.patches:
        url = patch.answer.url
        if patch.answer.status != 200:
            continue
        kind = patch.answer.headers.get("content-type", "").partition(";")[0]
        if kind != PATCH_TYPE:
            yield Breach(url, 0, f"a patch of type {kind or 'none'}, not {PATCH_TYPE}")
        try:
            root = document(patch.answer.body)
        except NotAnMpd as error:
            yield Breach(url, 0, f"the patch {error}")
            continue
        for name in ("mpdId", "originalPublishTime", "publishTime"):
            if not root.get(name):
                yield Breach(url, line(root), f"Patch@{name} is missing")
        if root.get("mpdId") and root.get("mpdId") != patch.old.get("id"):
            yield Breach(url, line(root), "Patch@mpdId is not the MPD's id")


def _patch_result(seen: Evidence) -> Iterator[Breach]:
    for patch in seen.patches:
        if patch.answer.status not in (200, 204, 410, 425):
            yield Breach(patch.answer.url, 0, f"a patch location answers {patch.answer.status}")
        if patch.answer.status != 200 or patch.new is None:
            continue
        try:
            patched = apply(patch.old.root, document(patch.answer.body))
        except (BadPatch, NotAnMpd) as error:
            yield Breach(patch.answer.url, 0, f"the patch cannot be applied: {error}")
            continue
        if _canonical(patched) != _canonical(patch.new.root):
            yield Breach(patch.answer.url, 0, "the patched MPD is not the new MPD")


def _canonical(root: Element) -> str:
    text = etree.tostring(root, encoding="unicode")
    return etree.canonicalize(text, strip_text=True, rewrite_prefixes=True)


def _patch_old(seen: Evidence) -> Iterator[Breach]:
    for trial in seen.tried("old_patch"):
        if trial.answer.status not in (200, 410):
            yield Breach(trial.answer.url, 0, f"an old patch answers {trial.answer.status}")


RULES = (
    Rule("D1", "M", "availability start and id never change", pairs(_start)),
    Rule("D2", "M", "Periods stay where they are", pairs(_periods)),
    Rule("D3", "M", "sets and representations keep their order", pairs(_sets)),
    Rule("D4", "M", "without minimumUpdatePeriod nothing changes", pairs(_ends)),
    Rule("D7", "M", "timelines append, and lose whole S", pairs(_timeline)),
    Rule("D15", "M", "only the last Period grows", pairs(_last_period_only)),
    Rule("D14", "M", "patch(old MPD) is the new MPD", _patch_result),
    Rule("P1", "M", "patches have their type and attributes", _patch_form),
    Rule("P4", "P", "a patch from too old a version is 410", _patch_old),
)
