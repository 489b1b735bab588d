"""Session data in an MPD: what EXT-X-SESSION-DATA is in HLS, as a SupplementalProperty of the MPD.

The scheme names the data, `value` is the value and xml:lang the language; players that do not know
the scheme pass over it. Source: ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.8.4.9; HLS-M33.
"""

from collections.abc import Sequence

from .mpd import Document, xml_text
from .mpd_trim import Edit, replaced
from .rulebook import SessionData

SCHEME = "urn:headwater:session-data:"
BEHIND = ("UTCTiming", "LeapSecondInformation")  # children of an MPD that follow (5.3.1.3)
LANGUAGE = b"xml:lang"


def with_session_data_mpd(data: bytes, added: Sequence[SessionData]) -> bytes:
    """The MPD with these, in place of those with their id and language."""
    document = Document(data)
    root = document.root
    told = [one for one in added if one.value]
    named = {(SCHEME + one.id, one.language) for one in told}
    edits: list[Edit] = []
    for child in root.named("SupplementalProperty"):
        scheme = document.attribute(child, b"schemeIdUri")
        if (scheme, document.attribute(child, LANGUAGE) or "") in named:
            edits.append((child.start - len(document.indent(child)), child.end, b""))
    later = next((child for child in root.children if child.name in BEHIND), None)
    at = later.start if later else root.inner_end
    if root.inner_end == root.end or not told:
        return data
    edits.append((at, at, b"".join(_property(document.prefix, one) for one in told)))
    return replaced(data, edits)


def _property(prefix: bytes, told: SessionData) -> bytes:
    pairs = [(b"schemeIdUri", SCHEME + told.id), (b"value", told.value)]
    pairs += [(LANGUAGE, told.language)] if told.language else []
    text = b"".join(b' %b="%b"' % (name, xml_text(value.encode())) for name, value in pairs)
    return b"<%bSupplementalProperty%b/>\n" % (prefix, text)
