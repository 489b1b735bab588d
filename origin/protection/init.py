"""The header of a protected track (ISO/IEC 14496-12, 8.12; ISO/IEC 23001-7, 8.2; PR-1..PR-4)."""

import struct
from collections.abc import Sequence

from native.bmff import Box, walk
from native.bmff.write import box, full
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey

CIPHER_ENTRY = {"vide": "encv", "soun": "enca"}
PROTECTED = frozenset(["encv", "enca", "enct", "encs"])
PATTERN = {"vide": (1, 9), "soun": (0, 0)}  # crypt and skip blocks of cbcs, PR-17
IV_BYTES = 8  # of cenc, PR-14
SCHEME_VERSION = 0x00010000
_PATH = ("moov", "trak", "mdia", "minf", "stbl", "stsd")


def protect_init(
    init: bytes,
    key: ContentKey,
    handler: str,
    boxes: Sequence[bytes] = (),
    *,
    lead: bool = False,
) -> bytes:
    """The header of one track, protected with `key`; `boxes` are the pssh for the end of moov.
    `lead` keeps the unprotected sample entries behind, for media that stays clear (PR-33).

    ProtectionError `double` for a header that is protected, `unsupported` for other handlers.
    """
    if handler not in CIPHER_ENTRY:
        raise ProtectionError("unsupported", f"media of handler {handler} stays clear (PR-1)")
    out = []
    for found in walk(init):
        if found.kind == "moov":
            out.append(_inside(init, found, 0, key, handler, b"".join(boxes), lead))
        else:
            out.append(init[found.start : found.end])
    return b"".join(out)


def _inside(
    data: bytes, parent: Box, level: int, key: ContentKey, handler: str, tail: bytes, lead: bool
) -> bytes:
    """`parent` written anew, its part of the path to the sample entries changed."""
    if parent.kind == "stsd":
        entries = walk(data, parent.body + 8, parent.end)
        plain = [data[entry.start : entry.end] for entry in entries] if lead else []
        count = struct.pack(">I", len(entries) + len(plain))
        sealed = (_entry(data, entry, key, handler) for entry in entries)
        return box("stsd", data[parent.body : parent.body + 4], count, *sealed, *plain)
    parts = []
    for child in walk(data, parent.body, parent.end):
        if child.kind == _PATH[level + 1]:
            parts.append(_inside(data, child, level + 1, key, handler, b"", lead))
        else:
            parts.append(data[child.start : child.end])
    return box(parent.kind, *parts, tail)


def _entry(data: bytes, entry: Box, key: ContentKey, handler: str) -> bytes:
    """PR-1"""
    if entry.kind in PROTECTED:
        raise ProtectionError("double", f"a sample entry {entry.kind} is protected already")
    scheme = full("schm", 0, 0, key.scheme.encode(), struct.pack(">I", SCHEME_VERSION))
    original = box("frma", entry.kind.encode("latin-1"))
    sinf = box("sinf", original, scheme, box("schi", tenc(key, handler)))
    return box(CIPHER_ENTRY[handler], data[entry.body : entry.end], sinf)


def tenc(key: ContentKey, handler: str) -> bytes:
    """PR-3"""
    if key.scheme == "cenc":
        return full("tenc", 0, 0, bytes(2), bytes([1, IV_BYTES]), key.kid)
    return full("tenc", 1, 0, b"\0", _pattern(handler), b"\1\0", key.kid, _constant_iv(key))


def seig(key: ContentKey, handler: str) -> bytes:
    """CencSampleEncryptionInformationGroupEntry (PR-52)."""
    if key.scheme == "cenc":
        return bytes([0, 0, 1, IV_BYTES]) + key.kid
    return b"\0" + _pattern(handler) + b"\1\0" + key.kid + _constant_iv(key)


def _pattern(handler: str) -> bytes:
    crypt, skip = PATTERN[handler]
    return bytes([crypt << 4 | skip])


def _constant_iv(key: ContentKey) -> bytes:
    return bytes([len(key.constant_iv)]) + key.constant_iv
