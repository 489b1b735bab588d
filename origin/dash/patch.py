"""MPD patches: what turns one edition of a manifest into a later one (ISO/IEC 23009-1, 5.15).

A patch is made from two editions, never from two texts, so it costs what changed. Selectors use @id
predicates; only S elements have positions, which count from 1 (P2) and refer to the document as the
operations before have left it (RFC 5261, section 4.1). What rarely changes is replaced whole; so is
an S that gains an attribute, because Shaka Player 5 does not read @type there.
"""

from dataclasses import replace

from origin.dash import live
from origin.dash.live import Edition, Shown, Span, Terms
from origin.dash.mpd import DECLARATION
from origin.dash.pieces import Pieces
from origin.dash.text import Attributes, element, tag, utc
from origin.dash.timeline import lines_text
from origin.tracks import Rendition

CONTENT_TYPE = "application/dash-patch+xml"
NAMESPACE = "urn:mpeg:dash:schema:mpd-patch:2020"


def patch(terms: Terms, old: Edition, new: Edition) -> str | None:
    """The patch document (P1); None when no Period has stayed, so nothing is gained."""
    was, now = old.listed(terms), new.listed(terms)
    kept = [span for span in now if any(span.first == s.first for s in was)]
    if not kept or new.publish_ms <= old.publish_ms:
        return None
    text = _root(terms, old, new)
    before = {span.first: span for span in was}
    for span in was:
        if all(span.first != s.first for s in kept):
            text += _remove(_period(span))
    for span in kept:
        text += _span(terms, before[span.first], span)
    fresh = [span for span in now if span.first > kept[-1].first]
    if fresh:
        out = Pieces()
        for span in fresh:
            live.period(terms, span, out)
        text += _add(_period(kept[-1]), out.joined(), pos="after")
    opening = tag(
        "Patch",
        [
            ("xmlns", NAMESPACE),
            ("mpdId", terms.id),
            ("originalPublishTime", utc(old.publish_ms)),
            ("publishTime", utc(new.publish_ms)),
        ],
    )
    return f"{DECLARATION}{opening}{text}</Patch>\n"


def _root(terms: Terms, old: Edition, new: Edition) -> str:
    text = _attributes("/MPD", live.root(terms, old), live.root(terms, new))
    location = live.patch_location(terms, new)
    sel = "/MPD/PatchLocation[1]"
    return text + (_replace(sel, location) if location else _remove(sel))


def _span(terms: Terms, old: Span, new: Span) -> str:
    sel = _period(new)
    text = _attributes(sel, live.period_attributes(terms, old), live.period_attributes(terms, new))
    listed, listing = live.events(terms, old), live.events(terms, new)
    if listed != listing:
        text += _remove(f"{sel}/EventStream[1]") * listed.count("<EventStream")
        text += _add(sel, listing, pos="prepend") if listing else ""
    sets = new.sets(terms)
    was = {number: members for number, members in old.sets(terms)}
    for number, members in sets:
        set_sel = f"{sel}/AdaptationSet[@id='{number}']"
        if [_steady(r) for r in was.get(number, [])] != [_steady(r) for r in members]:
            out = Pieces()
            live.adaptation_set(terms, new, (number, members), sets, out)
            text += _replace(set_sel, out.joined())
            continue
        for r in members:
            rep_sel = f"{set_sel}/Representation[@id='{r.name}']"
            text += _representation(terms, rep_sel, old.find(r), new.find(r))
    return text


def _representation(terms: Terms, sel: str, old: Shown, new: Shown) -> str:
    text = ""
    if old.rendition.bandwidth != new.rendition.bandwidth:
        text += _value(f"{sel}/@bandwidth", max(new.rendition.bandwidth, 1))
    return text if terms.low is not None else text + _timeline(sel, old, new)


def _timeline(sel: str, old: Shown, new: Shown) -> str:
    """What left, what grew, what came (D7)."""
    was, now = old.mark, new.mark
    if was == now:
        return ""
    template = f"{sel}/SegmentTemplate"
    timeline = f"{template}/SegmentTimeline"
    text = _value(f"{template}/@startNumber", now.number) if was.number != now.number else ""
    if now.first >= was.end:
        out = Pieces()
        new.line.write(out)
        listing = f"<SegmentTimeline>\n{out.joined()}</SegmentTimeline>\n"
        return text + _replace(timeline, listing)
    text += _remove(f"{timeline}/S[1]") * (now.first - was.first)
    first, (grown, *fresh) = new.line.first, new.line.runs(was.end - 1, now.end)
    changed = {was.end: grown} if grown.count != was.grown else {}
    if now.first > was.first and first is not None and not first.jumps:
        changed[now.first + 1] = first
    for place, run in sorted(changed.items()):
        text += _replace(f"{timeline}/S[{place - now.first}]", run.text(first=run is first))
    return text + (_add(timeline, lines_text(fresh)) if fresh else "")


def _attributes(
    sel: str, old: list[tuple[str, str | None]], new: list[tuple[str, str | None]]
) -> str:
    text = ""
    for (name, was), (_, now) in zip(old, new, strict=True):
        if was == now:
            continue
        if now is None:
            text += _remove(f"{sel}/@{name}")
        else:
            text += _value(f"{sel}/@{name}", now) if was is not None else _attribute(sel, name, now)
    return text


def _steady(r: Rendition) -> Rendition:
    """What of a rendition does not follow from measurement."""
    return replace(r, bandwidth=0, average_bandwidth=0)


def _period(span: Span) -> str:
    return f"/MPD/Period[@id='{span.id}']"


def _value(sel: str, value: object) -> str:
    return element("replace", [("sel", sel)], str(value))


def _attribute(sel: str, name: str, value: object) -> str:
    return element("add", [("sel", sel), ("type", f"@{name}")], str(value))


def _add(sel: str, content: str, pos: str | None = None) -> str:
    return f"{_open('add', [('sel', sel), ('pos', pos)])}{_bare(content)}</add>\n"


def _replace(sel: str, content: str) -> str:
    return f"{_open('replace', [('sel', sel)])}{_bare(content)}</replace>\n"


def _open(name: str, attributes: Attributes) -> str:
    return tag(name, attributes).rstrip()


def _bare(content: str) -> str:
    """Without the line ends between elements: players insert every node there is."""
    return content.replace(">\n", ">")


def _remove(sel: str) -> str:
    return tag("remove", [("sel", sel)], close=True)
