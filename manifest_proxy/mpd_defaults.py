"""Which sound and text players of an MPD begin with: the set of a language before its neighbours.

What DEFAULT is in HLS is @selectionPriority here; nothing moves inside a Period (DASH-M2).
Source: ISO/IEC 23009-1:2022 section 5.3.3.2; HLS-M29; manifest-proxy MP-5.
"""

from .mpd import Document
from .mpd_facts import Reader
from .mpd_split import attribute
from .mpd_trim import Edit, number_of, replaced
from .rulebook import Ruleset
from .selection import speaks

PRIORITY = b"selectionPriority"


def with_defaults_mpd(data: bytes, rules: Ruleset) -> bytes:
    """The first set of each default language, in each Period, above all of its kind."""
    document = Document(data)
    reader = Reader(document)
    edits: list[Edit] = []
    for period in document.root.named("Period"):
        for kind, language in rules.defaults:
            sets = [one for one in period.named("AdaptationSet") if reader.kind(one) == kind]
            told = ((one, document.attribute(one, b"lang")) for one in sets)
            first = next((one for one, tag in told if tag and speaks([language], tag)), None)
            if first is not None:
                top = max(number_of(document, one, PRIORITY, 1) for one in sets)
                edits.append(attribute(document, first, PRIORITY, b"%d" % (top + 1)))
    return replaced(data, edits)
