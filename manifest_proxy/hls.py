"""Edits of single HLS tags: the named attributes change, everything else keeps its bytes.

Source: draft-pantos-hls-rfc8216bis-22 section 4.2; HLS-M1.
"""

from collections.abc import Mapping

from native.hls import Line, attributes


def attribute(line: Line, name: bytes) -> bytes | None:
    """The text of an attribute without its quotes, or None."""
    for found in attributes(line.value):
        if found.name == name:
            return unquoted(line.value[found.start : found.end])
    return None


def unquoted(raw: bytes) -> bytes:
    return raw[1:-1] if raw.startswith(b'"') else raw


def edited(line: Line, changes: Mapping[bytes, bytes]) -> bytes:
    """The line with attribute values replaced in place and new attributes at the list's end."""
    text = line.raw.rstrip()
    value = len(text) - len(line.value)
    missing = dict(changes)
    parts: list[bytes] = []
    done = 0
    for name, start, end in attributes(line.value):
        if name in changes:
            parts += [text[done : value + start], changes[name]]
            missing.pop(name, None)
            done = value + end
    parts.append(text[done:])
    if not line.value and missing:
        parts.append(b"" if text.endswith(b":") else b":")
    added = b",".join(b"%b=%b" % member for member in missing.items())
    comma = b"," if line.value and missing else b""
    return b"".join([*parts, comma, added, line.raw[len(text) :]])
