"""What a text track holds where its encoder said nothing (C10): one empty cue or document a gap.

The bytes depend on the track and the time alone, so that every origin fills a gap alike (AB6).
"""

from xml.sax.saxutils import quoteattr

from native.bmff.model import Track
from native.bmff.write import fragment, styp
from origin.text import wvtt

IMSC = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
    'ttp:profile="http://www.w3.org/ns/ttml/profile/imsc1/text" xml:lang={language}><body/></tt>\n'
)


def silence(track: Track, start: int, end: int, *, language: str = "") -> bytes:
    """A chunk that covers this time (ticks) with nothing to read (TR-86, TR-87)."""
    if track.entry.fourcc == "wvtt":
        sample = wvtt.EMPTY
    else:
        sample = IMSC.format(language=quoteattr(language)).encode()
    head = styp("msdh", "msdh", "cmfs", "slat")  # C7: a filler
    return head + fragment(track.id, 0, start, [(end - start, sample)])
