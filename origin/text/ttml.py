"""TTML and IMSC files (W3C TTML2, IMSC 1.1): timed text read as cues (TR-89, TR-90)."""

import re
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from origin.text.document import MAX_BYTES, Document, TextCue, arranged
from origin.text.errors import BadText

TTML = "{http://www.w3.org/ns/ttml}"
PARAMETER = "{http://www.w3.org/ns/ttml#parameter}"
STYLING = "{http://www.w3.org/ns/ttml#styling}"
MAX_DEPTH = 32
_CLOCK = re.compile(r"(\d{2,}):(\d{2}):(\d{2})(?:\.(\d+)|:(\d{2,}))?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_SPACE = re.compile(r"\s+")  # xml:space="default"
_TAGS = {("fontStyle", "italic"): "i", ("fontWeight", "bold"): "b"}
_LOST = ("ruby", "backgroundImage", "image", "animate", "set")


@dataclass(frozen=True, slots=True)
class _Rates:
    """What frames and ticks are."""

    frame: Fraction
    tick: Fraction


def read(data: bytes) -> Document:
    """BadText for what is not TTML, is timed by SMPTE labels, or has pictures only."""
    if len(data) > MAX_BYTES:
        raise BadText(f"subtitles of {len(data)} bytes")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BadText(f"not well-formed XML: {error.msg}") from None
    if root.tag != f"{TTML}tt":
        raise BadText("the root element is not tt of TTML")
    if root.get(f"{PARAMETER}timeBase", "media") != "media":
        raise BadText("timeBase is not media; convert its times")
    rates = _rates(root)
    cues: list[TextCue] = []
    body = root.find(f"{TTML}body")
    if body is not None:
        _walk(body, Fraction(0), None, rates, cues, 0)
    found = {etree.QName(e).localname for e in root.iter(etree.Element)}
    lost = sorted(found & {*_LOST})
    if not cues and "image" in found:
        raise BadText("pictures only: they cannot become text")
    notes = [f"{', '.join(lost)} cannot be kept"] if lost else []
    return arranged("WEBVTT", cues, notes)


def _rates(root: "etree._Element") -> _Rates:
    try:
        frame = Fraction(root.get(f"{PARAMETER}frameRate", "30"))
        upper, lower = root.get(f"{PARAMETER}frameRateMultiplier", "1 1").split()
        frame *= Fraction(upper) / Fraction(lower)
        tick = Fraction(root.get(f"{PARAMETER}tickRate", "1"))
        if frame <= 0 or tick <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise BadText("a frame or tick rate is no number") from None
    return _Rates(frame, tick)


def _walk(
    element: "etree._Element",
    zero_s: Fraction,
    until_s: Fraction | None,
    rates: _Rates,
    cues: list[TextCue],
    depth: int,
) -> None:
    """begin and dur add up on the way down (TTML2, 12.2)."""
    if depth > MAX_DEPTH:
        raise BadText(f"elements nest deeper than {MAX_DEPTH} levels")
    begin_s = zero_s + (_time(element.get("begin"), rates) or 0)
    ends = [] if until_s is None else [until_s]
    duration_s, end_s = _time(element.get("dur"), rates), _time(element.get("end"), rates)
    ends += [begin_s + duration_s] if duration_s is not None else []
    ends += [zero_s + end_s] if end_s is not None else []
    last_s = min(ends) if ends else None
    if element.tag == f"{TTML}p":
        text = _text(element, depth).strip()
        if last_s is not None and text:
            cues.append(TextCue(int(begin_s * 1000), int(last_s * 1000), text))
        return
    for child in element:
        if child.tag in (f"{TTML}div", f"{TTML}p"):
            _walk(child, begin_s, last_s, rates, cues, depth + 1)


def _text(element: "etree._Element", depth: int) -> str:
    """The payload of a p or span: b and i of inline styles, br, and escaped text."""
    if depth > MAX_DEPTH:
        raise BadText(f"elements nest deeper than {MAX_DEPTH} levels")
    parts = [_escaped(element.text or "")]
    for child in element:
        if child.tag == f"{TTML}br":
            parts.append("\n")
        elif child.tag == f"{TTML}span":
            parts.append(_styled(child, _text(child, depth + 1)))
        parts.append(_escaped(child.tail or ""))
    return "".join(parts)


def _styled(span: "etree._Element", text: str) -> str:
    for (name, value), tag in _TAGS.items():
        if span.get(f"{STYLING}{name}") == value:
            text = f"<{tag}>{text}</{tag}>"
    return text


def _escaped(text: str) -> str:
    plain = _SPACE.sub(" ", text) if text.strip() else ""
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(text: str | None, rates: _Rates) -> Fraction | None:
    """Clock, frame, offset and tick times (TTML2, 12.3.1)."""
    if text is None:
        return None
    if found := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds, fraction, frames = found.groups()
        whole = Fraction((int(hours) * 60 + int(minutes)) * 60 + int(seconds))
        if fraction:
            return whole + Fraction(int(fraction), 10 ** len(fraction))
        return whole + (int(frames) / rates.frame if frames else 0)
    if found := _OFFSET.fullmatch(text.strip()):
        value = Fraction(found[1])
        units = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
        units |= {"f": 1 / rates.frame, "t": 1 / rates.tick}
        return value * units[found[2]]
    raise BadText(f"the time {text[:20]!r}")
