"""MPDs as bytes: where each element and attribute stands, so that edits touch nothing else.

`elements` reads what an XML parser has found well-formed; it checks bounds, not grammar.
Source: ISO/IEC 23009-1:2022 section 5; XML 1.0 (fifth edition) section 2.
"""

from native.mpd.elements import Element, elements
from native.mpd.errors import SpanError

__all__ = ["Element", "SpanError", "elements"]
