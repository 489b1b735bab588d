"""Edits of single HLS tags: the named attributes change, everything else keeps its bytes.

Source: draft-pantos-hls-rfc8216bis-22 section 4.2; HLS-M1.
"""

from collections.abc import Mapping

from native.hls import Line, Playlist, attributes


def attribute(line: Line, name: bytes) -> bytes | None:
    """The text of an attribute without its quotes, or None."""
    for found in attributes(line.value):
        if found.name == name:
            return unquoted(line.value[found.start : found.end])
    return None


def unquoted(raw: bytes) -> bytes:
    return raw[1:-1] if raw.startswith(b'"') else raw


def edited(line: Line, changes: Mapping[bytes, bytes | None]) -> bytes:
    """The line with attributes replaced in place, removed (None), or added at the list's end."""
    text = line.raw.rstrip()
    value = len(text) - len(line.value)
    missing = {name: text for name, text in changes.items() if text is not None}
    parts: list[bytes] = []
    done = value
    for name, start, end in attributes(line.value):
        member = text[done : value + end]
        if name in changes:
            wanted = missing.pop(name, None)
            lead = text[done : value + start]
            member = b"" if wanted is None else lead + wanted
        parts.append(member if parts or done == value else member.lstrip(b", \t"))
        if not parts[-1]:
            parts.pop()
        done = value + end
    parts.append(text[done:])
    head = text[:value]
    if not line.value and missing and not head.endswith(b":"):
        head += b":"
    added = b",".join(b"%b=%b" % member for member in missing.items())
    kept = b"".join(parts)
    comma = b"," if kept and missing else b""
    return b"".join([head, kept, comma, added, line.raw[len(text) :]])


def changed(line: Line, changes: Mapping[bytes, bytes | None]) -> Line:
    """The edited line, read again."""
    return read_line(edited(line, changes))


def read_line(raw: bytes) -> Line:
    return Playlist(raw, whole=False).lines()[0]


def attributes_of(line: Line) -> dict[bytes, bytes]:
    """All attributes, unquoted; of a repeated one the first."""
    found: dict[bytes, bytes] = {}
    for name, start, end in attributes(line.value):
        found.setdefault(name, unquoted(line.value[start:end]))
    return found
