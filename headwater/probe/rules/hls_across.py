"""What HLS playlists of one presentation must agree on (specs/hls.md section 4)."""

from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

from headwater.probe.model import Breach, Evidence, Rule
from headwater.probe.playlist import Playlist, Tag

GROUPS = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
SELECTORS = ("LANGUAGE", "ASSOC-LANGUAGE", "FORCED", "CHARACTERISTICS")


def _frames(p: Playlist) -> bool:
    return p.tag("EXT-X-I-FRAMES-ONLY") is not None


def _groups(master: Playlist) -> dict[tuple[str, str], list[Tag]]:
    groups: dict[tuple[str, str], list[Tag]] = {}
    for tag in master.all("EXT-X-MEDIA"):
        named = tag.attributes()
        groups.setdefault((named.get("TYPE", ""), named.get("GROUP-ID", "")), []).append(tag)
    return groups


def _master(seen: Evidence) -> Iterator[Breach]:
    if seen.master is None:
        return
    url, groups = seen.master.url, _groups(seen.master)
    for tag, uri in seen.master.variants:
        named = tag.attributes()
        if not named.get("BANDWIDTH", "").isdecimal():
            yield Breach(url, tag.line, f"variant {uri} has no BANDWIDTH")
        for kind in GROUPS:
            name = named.get(kind)
            if name and name != "NONE" and (kind, name) not in groups:
                yield Breach(url, tag.line, f"variant {uri} names {kind} group {name}: none there")
    for kind in GROUPS:
        members = [
            (tags[0].line, sorted(t.attributes().get("NAME", "") for t in tags))
            for (of, _), tags in groups.items()
            if of == kind
        ]
        for line, names in members[1:]:
            if len(names) != len(members[0][1]):
                yield Breach(url, line, f"{kind} groups do not have equal members")


def _codecs(seen: Evidence) -> Iterator[Breach]:
    for tag, uri in seen.master.variants if seen.master else ():
        if not tag.attributes().get("CODECS"):
            assert seen.master is not None
            yield Breach(seen.master.url, tag.line, f"variant {uri} has no CODECS")


def _session_keys(seen: Evidence) -> Iterator[Breach]:
    if seen.master is None:
        return
    keys = {
        t.attributes().get("URI"): t.attributes() for p in seen.latest() for t in p.all("EXT-X-KEY")
    }
    for tag in seen.master.all("EXT-X-SESSION-KEY"):
        named = tag.attributes()
        key = keys.get(named.get("URI"))
        for name in ("METHOD", "KEYFORMAT", "KEYFORMATVERSIONS"):
            if key is not None and key.get(name) != named.get(name):
                yield Breach(seen.master.url, tag.line, f"{name} differs from the EXT-X-KEY")


def _members(seen: Evidence) -> Iterator[Breach]:
    if seen.master is None:
        return
    for (kind, group), tags in _groups(seen.master).items():
        names: set[str] = set()
        defaults = 0
        for tag in tags:
            named = tag.attributes()
            if named.get("NAME", "") in names:
                yield Breach(seen.master.url, tag.line, f"{kind} group {group}: NAME twice")
            names.add(named.get("NAME", ""))
            defaults += named.get("DEFAULT") == "YES"
            if named.get("DEFAULT") == "YES" and named.get("AUTOSELECT", "YES") != "YES":
                yield Breach(seen.master.url, tag.line, "DEFAULT=YES without AUTOSELECT=YES")
        if defaults > 1:
            yield Breach(seen.master.url, tags[-1].line, f"{kind} group {group}: two defaults")


def _agree(
    value: Callable[[Playlist], object], what: str, exempt: Callable[[Playlist], bool]
) -> Callable[[Evidence], Iterator[Breach]]:
    """All media playlists say the same, or none says anything."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        playlists = [p for p in seen.latest() if not exempt(p)]
        for p in playlists[1:]:
            if value(p) != value(playlists[0]):
                first, mine = value(playlists[0]), value(p)
                yield Breach(p.url, 0, f"{what} is {mine}, in {playlists[0].url} {first}")

    return breaches


def _never(p: Playlist) -> bool:
    return False


def _vod_extra(p: Playlist) -> bool:
    """I-frame playlists and subtitles of VOD may have a target duration of their own."""
    text = all(s.uri.partition("?")[0].endswith((".vtt", ".webvtt")) for s in p.segments)
    return p.ended and (_frames(p) or text)


def _dates(seen: Evidence) -> Iterator[Breach]:
    playlists = [p for p in seen.latest() if p.segments]
    dated = [p for p in playlists if p.tag("EXT-X-PROGRAM-DATE-TIME")]
    if not dated:
        return
    for p in playlists:
        if p not in dated:
            yield Breach(p.url, 0, f"no EXT-X-PROGRAM-DATE-TIME, but {dated[0].url} has it")
    known: dict[str, tuple[str, dict[str, str]]] = {}
    for p in dated:
        for name, values in _ranges(p).items():
            url, first = known.setdefault(name, (p.url, values))
            if first != values:
                yield Breach(p.url, 0, f"DATERANGE {name} has other values than in {url}")


def _ranges(p: Playlist) -> dict[str, dict[str, str]]:
    """DATERANGEs by id; tags of one id add up (section 4.4.5.1)."""
    ranges: dict[str, dict[str, str]] = {}
    for tag in p.all("EXT-X-DATERANGE"):
        named = tag.attributes()
        ranges.setdefault(named.get("ID", ""), {}).update(named)
    return ranges


def _reports(seen: Evidence) -> Iterator[Breach]:
    """Of other pathways there are none: a relative URI stays on its host."""
    if seen.master is None:
        return
    latest = seen.latest()
    for p in latest:
        if not p.low_latency or p.ended:
            continue
        reports: dict[str, Tag] = {}
        for tag in p.all("EXT-X-RENDITION-REPORT"):
            uri = tag.attributes().get("URI", "")
            if not uri or "://" in uri or uri.startswith("/"):
                yield Breach(
                    p.url, tag.line, f"the URI of a rendition report is not relative: {uri}"
                )
            reports[urljoin(p.url, uri).partition("?")[0]] = tag
        for other in latest:
            if other is p or _frames(other) or not other.low_latency:
                continue
            if urlsplit(other.url).netloc != urlsplit(p.url).netloc:
                continue
            report = reports.get(other.url.partition("?")[0])
            if report is None:
                yield Breach(p.url, 0, f"no EXT-X-RENDITION-REPORT for {other.url}")
                continue
            msn = report.attributes().get("LAST-MSN", str(p.last + bool(p.loose)))
            there = other.last + bool(other.loose)
            apart_s = other.at_s - p.at_s
            slack = 1 + int(abs(apart_s) / max(p.target_s, 1))
            if not msn.isdecimal() or abs(int(msn[:18]) - there) > slack:
                wrong = f"a rendition report says LAST-MSN {msn}, {other.url} is at {there}"
                yield Breach(p.url, report.line, wrong)


def _control(p: Playlist) -> object:
    return tuple(sorted(p.control.items())) or None


RULES = (
    Rule("HLS-33", "M", "a rendition report for every other playlist", _reports),
    Rule("HLS-35", "M", "variants name real groups of equal members", _master),
    Rule("HLS-35", "S", "variants list their codecs", _codecs),
    Rule("HLS-35", "M", "session keys match their keys", _session_keys),
    Rule(
        "HLS-37", "M", "one SERVER-CONTROL everywhere", _agree(_control, "SERVER-CONTROL", _never)
    ),
    Rule(
        "HLS-38",
        "M",
        "one target duration everywhere",
        _agree(lambda p: p.target_s, "the target duration", _vod_extra),
    ),
    Rule(
        "HLS-39",
        "M",
        "one EXT-X-PLAYLIST-TYPE everywhere",
        _agree(lambda p: p.value("EXT-X-PLAYLIST-TYPE"), "EXT-X-PLAYLIST-TYPE", _never),
    ),
    Rule("HLS-40", "M", "dates in all playlists, DATERANGEs alike", _dates),
    Rule("HLS-M29", "M", "unique names and one default in a group", _members),
)
