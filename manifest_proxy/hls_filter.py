"""The ladder and the renditions of a master cut to a rule set, with nothing left dangling.

Source: HLS-M27..M31; manifest-proxy MP-1, MP-4, MP-5.
"""

from collections.abc import Callable, Iterable, Sequence

from .errors import FilterError
from .hls_master import Entry
from .rulebook import Ruleset
from .selection import AudioRule, Facts, Rule, TextRule, VideoRule, speaks
from .tables import GROUP_ATTRIBUTES, TEXT_FORMATS

Master = list[Entry]
AUDIO, SUBTITLES, CAPTIONS = b"AUDIO", b"SUBTITLES", b"CLOSED-CAPTIONS"
YES, NO = b"YES", b"NO"


def filtered(master: Master, rules: Ruleset) -> Master:
    """What the rules keep of variants, then of renditions, then what the closure needs."""
    if rules.video or rules.audio:
        master = _variants(master, rules)
    if rules.audio:
        master = _renditions(master, AUDIO, rules.audio, rules)
        master = _in_kept_groups(master)
    if rules.subtitles:
        master = _renditions(master, SUBTITLES, rules.subtitles, rules)
    if not rules.captions:
        master = [e for e in master if not (e.is_rendition and e.get(b"TYPE") == CAPTIONS)]
    return _closed(master)


def _variants(master: Master, rules: Ruleset) -> Master:
    video, audio = rules.video or VideoRule(), rules.audio or AudioRule()

    def suits(entry: Entry) -> bool:
        sounds = AudioRule(codecs=audio.codecs).suits(Facts(codecs=entry.audio_codecs))
        return sounds and (not entry.has_video or video.suits(entry.facts))

    variants = [entry for entry in master if entry.is_variant]
    pictures = [entry for entry in variants if entry.has_video]
    kept = {id(e) for e in variants if suits(e) and not e.has_video}
    kept |= {
        id(e) for e in _nearest(pictures, suits, lambda e: video.distance(e.facts), rules, "video")
    }
    if variants and not kept:
        raise FilterError("filter_empty", "no variant is left")
    heights = {entry.facts.height for entry in pictures if id(entry) in kept}

    def stays(entry: Entry) -> bool:
        if entry.is_variant:
            return id(entry) in kept
        if not entry.is_still:
            return True
        played = None in (entry.facts.height, *heights) or entry.facts.height in heights
        return video.trick_play and played and video.suits(entry.facts)

    return [entry for entry in master if stays(entry)]


def _nearest(
    some: Sequence[Entry],
    suits: Callable[[Entry], bool],
    distance: Callable[[Entry], float],
    rules: Ruleset,
    what: str,
) -> list[Entry]:
    """Those that fit, else the closest of those that suit; FilterError where that is not wanted."""
    suiting = [entry for entry in some if suits(entry)]
    least = min(map(distance, suiting), default=0.0)
    if some and (not suiting or (least > 0 and rules.empty == "refuse")):
        raise FilterError("filter_empty", f"no {what} fits")
    return [entry for entry in suiting if distance(entry) == least]


def _used(master: Iterable[Entry]) -> set[tuple[bytes, bytes]]:
    return {
        (name, entry.get(name))
        for entry in master
        if not entry.is_rendition
        for name in GROUP_ATTRIBUTES
        if name in entry.attributes
    }


def _renditions(master: Master, kind: bytes, rule: Rule, rules: Ruleset) -> Master:
    """The renditions of one type, the same in all of its groups (HLS-M29)."""
    used = _used(master)
    some = [e for e in master if e.is_rendition and e.get(b"TYPE") == kind and e.group in used]
    if isinstance(rule, TextRule):
        kept = [entry for entry in some if rule.fits(entry.facts)]
    else:

        def suits(entry: Entry) -> bool:
            return rule.suits(entry.facts)

        def distance(entry: Entry) -> float:
            return rule.distance(entry.facts)

        kept = _nearest(some, suits, distance, rules, "audio")
    ids = {id(entry) for entry in kept}
    ids |= {id(entry) for entry in master if not entry.is_rendition or entry.get(b"TYPE") != kind}
    left = [entry for entry in master if id(entry) in ids]
    return left if kind != AUDIO else _one_default(left, {e.group for e in some if _is_default(e)})


def _is_default(entry: Entry) -> bool:
    return entry.get(b"DEFAULT") == YES


def _one_default(master: Master, groups: set[tuple[bytes, bytes]]) -> Master:
    """A group that lost its default member gets its first one as such."""
    left = groups - {e.group for e in master if e.is_rendition and _is_default(e)}
    made: Master = []
    for entry in master:
        if entry.is_rendition and entry.group in left:
            left.discard(entry.group)
            entry = entry.with_({b"DEFAULT": YES, b"AUTOSELECT": YES})
        made.append(entry)
    return made


def _in_kept_groups(master: Master) -> Master:
    """A variant whose audio group is gone goes, if its picture stays, or joins a group that is."""
    groups = {entry.get(b"GROUP-ID") for entry in master if entry.group[0] == AUDIO}
    homes = [e for e in master if e.is_variant and e.get(AUDIO) in groups]
    rungs = {entry.rung for entry in homes}
    made: Master = []
    for entry in master:
        lost = AUDIO in entry.attributes and entry.get(AUDIO) not in groups
        if entry.is_variant and lost and homes:
            if entry.rung in rungs:
                continue
            rungs.add(entry.rung)
            home = homes[0]
            codecs = [c for c in entry.codecs if c not in entry.audio_codecs]
            changes: dict[bytes, bytes | None] = {AUDIO: b'"%b"' % home.get(AUDIO)}
            if entry.codecs:
                changes[b"CODECS"] = _quoted([*codecs, *home.audio_codecs])
            entry = entry.with_(changes)
        made.append(entry)
    return made


def _closed(master: Master) -> Master:
    """No group without a variant, no variant that names a group or a format that is gone."""
    used = _used(master)
    kept = [entry for entry in master if not entry.is_rendition or entry.group in used]
    groups = {entry.group for entry in kept if entry.is_rendition}
    return [entry if entry.is_rendition else _without_lost(entry, groups) for entry in kept]


def _without_lost(entry: Entry, groups: set[tuple[bytes, bytes]]) -> Entry:
    changes: dict[bytes, bytes | None] = {
        name: None
        for name in GROUP_ATTRIBUTES
        if name in entry.attributes
        and (name, entry.get(name)) not in groups
        and entry.get(name) != b"NONE"
    }
    if SUBTITLES in changes and any(c.lower().startswith(TEXT_FORMATS) for c in entry.codecs):
        left = [c for c in entry.codecs if not c.lower().startswith(TEXT_FORMATS)]
        changes[b"CODECS"] = _quoted(left) if left else None
    return entry.with_(changes) if changes else entry


def _quoted(codecs: Iterable[str]) -> bytes:
    return b'"%b"' % ",".join(codecs).encode("latin-1")


def ordered(master: Master, rules: Ruleset) -> Master:
    """Whole variants permuted among their places: by bandwidth, then the one to start with."""
    variants = [entry for entry in master if entry.is_variant]
    if rules.order:
        variants.sort(key=_bandwidth, reverse=rules.order == "descending")
    if rules.start_bandwidth is not None and variants:
        top = rules.start_bandwidth
        below = [entry for entry in variants if _bandwidth(entry) <= top]
        start = max(below, key=_bandwidth) if below else min(variants, key=_bandwidth)
        variants.remove(start)
        variants.insert(0, start)
    places = iter(variants)
    return [next(places) if entry.is_variant else entry for entry in master]


def _bandwidth(entry: Entry) -> float:
    return entry.facts.bandwidth or 0.0


def with_defaults(master: Master, rules: Ruleset) -> Master:
    """One DEFAULT per group, of the wanted language; `off` takes all of them away (HLS-M29)."""
    for kind, language in ((AUDIO, rules.default_audio), (SUBTITLES, rules.default_subtitles)):
        if language:
            master = _default(master, kind, language)
    return master


def _default(master: Master, kind: bytes, language: str) -> Master:
    chosen: dict[bytes, int] = {}
    for at, entry in enumerate(master):
        told = entry.facts.language if entry.is_rendition else None
        if entry.is_rendition and entry.get(b"TYPE") == kind and told and speaks([language], told):
            chosen.setdefault(entry.get(b"GROUP-ID"), at)
    made: Master = []
    for at, entry in enumerate(master):
        if entry.is_rendition and entry.get(b"TYPE") == kind:
            group = entry.get(b"GROUP-ID")
            if chosen.get(group) == at:
                entry = entry.with_({b"DEFAULT": YES, b"AUTOSELECT": YES})
            elif (group in chosen or language == "off") and _is_default(entry):
                entry = entry.with_({b"DEFAULT": NO})
        made.append(entry)
    return made
