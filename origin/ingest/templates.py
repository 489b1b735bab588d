"""How a pushed MPD names the objects of its tracks (DASH-IF Live Media Ingest v1.2, 6.2; I4).

An encoder may name its requests as it likes if an MPD says how: `media` has $RepresentationID$ and
one of $Number$ or $Time$ once each, `initialization` has $RepresentationID$; all else is literal.
"""

import re
from collections.abc import Sequence

from lxml import etree

from origin.errors import BadMedia

MEDIA = ("Number", "Time")
TEMPLATE_LIMIT = 64
LENGTH_LIMIT = 200
_VARIABLE = re.compile(r"\$([A-Za-z]*)(%0\d{1,2}d)?\$")
_TRACK = r"(?P<track>[A-Za-z0-9_~-]{1,64})"

Shapes = Sequence[re.Pattern[str]]


def templates(body: bytes, *, strict: bool = True) -> Shapes:
    """Patterns of the object names that this MPD announces; `track` is the Representation's id.

    BadMedia `bad_manifest` when it is no MPD, and if `strict` also when it has more than one Period
    or a BaseURL, or names objects in a way that does not tell tracks apart.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise _bad("the manifest is not XML") from error
    if etree.QName(root).localname != "MPD":
        raise _bad("the manifest is no MPD")
    if not strict:
        return ()
    if len(root.findall("{*}Period")) > 1:
        raise _bad("the MPD has more than one Period")
    if root.find(".//{*}BaseURL") is not None:
        raise _bad("the MPD has a BaseURL")
    found: dict[str, re.Pattern[str]] = {}
    for element in root.iterfind(".//{*}SegmentTemplate"):
        for attribute, wanted in (("media", MEDIA), ("initialization", ())):
            text = element.get(attribute)
            if text is not None and text not in found:
                found[text] = _shape(text, wanted)
        if len(found) > TEMPLATE_LIMIT:
            raise _bad("the MPD has too many templates")
    return list(found.values())


def track_of(shapes: Shapes, path: str) -> str | None:
    """The track whose object this is; None when no template names it."""
    for shape in shapes:
        if match := shape.fullmatch(path):
            return match["track"]
    return None


def _shape(text: str, wanted: Sequence[str]) -> re.Pattern[str]:
    """One template as a pattern without repetition inside repetition: linear to match."""
    if len(text) > LENGTH_LIMIT or text.startswith("/") or "://" in text:
        raise _bad("a template is no short relative path")
    pieces, at, seen = [], 0, []
    for variable in _VARIABLE.finditer(text):
        pieces.append(re.escape(text[at : variable.start()]))
        at = variable.end()
        name = variable[1]
        seen.append(name)
        if name == "RepresentationID":
            pieces.append(_TRACK)
        elif name in MEDIA:
            pieces.append(r"\d{1,20}")
        elif name == "Bandwidth":
            pieces.append(r"\d{1,12}")
        else:
            raise _bad(f"a template has ${name}$")
    pieces.append(re.escape(text[at:]))
    counted = sum(name in MEDIA for name in seen)
    if seen.count("RepresentationID") != 1 or counted != (1 if wanted else 0):
        raise _bad("a template does not have each of its variables once")
    return re.compile("".join(pieces))


def _bad(detail: str) -> BadMedia:
    return BadMedia(detail, code="bad_manifest")
