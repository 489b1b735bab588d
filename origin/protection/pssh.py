"""pssh boxes and the data in them (ISO/IEC 23001-7, 8.1; specs/protection.md PR-11, PR-80..85)."""

import base64
import struct
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from native.bmff.write import full
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey, Scheme
from origin.systems import SYSTEM_IDS, Name

LONGEST_PSSH = 64 * 1024  # PR-85
LONGEST_OBJECT = 15 * 1024  # PR-81
_FOURCC = {"cenc": 0x63656E63, "cbcs": 0x63626373}
_HEADER_NS = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader"


class Pssh(NamedTuple):
    """One box, read."""

    system: UUID
    version: int
    kids: tuple[bytes, ...]
    data: bytes


def pssh(system: Name, kids: Sequence[bytes], data: bytes) -> bytes:
    """The box; version 1 when it lists KIDs."""
    body = SYSTEM_IDS[system].bytes
    if kids:
        body += struct.pack(">I", len(kids)) + b"".join(kids)
    return full("pssh", 1 if kids else 0, 0, body, struct.pack(">I", len(data)), data)


def parse(box: bytes) -> Pssh:
    """A box from outside, checked (PR-85). ProtectionError `bad_box`."""
    if not 32 <= len(box) <= LONGEST_PSSH:
        raise ProtectionError("bad_box", f"a pssh of {len(box)} bytes")
    size, kind, version = struct.unpack_from(">I4sB", box)
    if size != len(box) or kind != b"pssh" or version > 1:
        raise ProtectionError("bad_box", "not one whole pssh of version 0 or 1")
    at, kids = 28, []
    if version == 1:
        (count,) = struct.unpack_from(">I", box, at)
        at += 4
        if count * 16 > len(box) - at - 4:
            raise ProtectionError("bad_box", f"a pssh that lists {count} KIDs")
        kids = [box[at + 16 * i : at + 16 * i + 16] for i in range(count)]
        at += 16 * count
    (length,) = struct.unpack_from(">I", box, at)
    if length != len(box) - at - 4:
        raise ProtectionError("bad_box", "the data of a pssh do not fill it")
    return Pssh(UUID(bytes=box[12:28]), version, tuple(kids), box[at + 4 :])


def widevine(kids: Sequence[bytes], scheme: Scheme) -> bytes:
    """WidevinePsshData with key_id (2) and protection_scheme (9) (PR-80)."""
    ids = b"".join(b"\x12\x10" + kid for kid in kids)
    return ids + b"\x48" + _varint(_FOURCC[scheme])


def widevine_kids(data: bytes) -> list[bytes]:
    """The key_id fields of a message; others are passed over (PR-85)."""
    found, at = [], 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind, length = tag & 7, 0
        if kind == 0:
            _, at = _read_varint(data, at)
        elif kind == 2:
            length, at = _read_varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ProtectionError("bad_box", f"a Widevine field of wire type {kind}")
        if length > len(data) - at:
            raise ProtectionError("bad_box", "a Widevine field leaves its message")
        if tag == 0x12:
            found.append(data[at : at + length])
        at += length
    return found


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ProtectionError("bad_box", "a Widevine number leaves its message")


def playready_kid(kid: bytes) -> bytes:
    """A KID in Microsoft's GUID order (PR-83)."""
    return UUID(bytes=kid).bytes_le


def checksum(key: ContentKey) -> str:
    """First 8 bytes of AES-128-ECB over the KID in GUID order, base64 (PR-83)."""
    cipher = Cipher(algorithms.AES(key.secret.reveal()), modes.ECB()).encryptor()
    return base64.b64encode(cipher.update(playready_kid(key.kid))[:8]).decode()


def playready(keys: Sequence[ContentKey], licence_url: str = "") -> bytes:
    """The PlayReady object with one WRMHEADER (PR-81, PR-82)."""
    header = _wrm_header(keys, licence_url).encode("utf-16-le")
    record = struct.pack("<HH", 1, len(header)) + header
    whole = struct.pack("<IH", 6 + len(record), 1) + record
    if len(whole) > LONGEST_OBJECT:
        raise ProtectionError("bad_box", f"a PlayReady object of {len(whole)} bytes")
    return whole


def _wrm_header(keys: Sequence[ContentKey], licence_url: str) -> str:
    scheme = keys[0].scheme
    url = f"<LA_URL>{escape(licence_url)}</LA_URL>" if licence_url else ""
    if scheme == "cenc" and len(keys) == 1:
        version = "4.0.0.0"
        data = (
            "<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>"
            f"<KID>{_kid64(keys[0])}</KID><CHECKSUM>{checksum(keys[0])}</CHECKSUM>"
        )
    else:
        version = "4.2.0.0" if scheme == "cenc" else "4.3.0.0"
        kids = "".join(_kid_element(key) for key in keys)
        data = f"<PROTECTINFO><KIDS>{kids}</KIDS></PROTECTINFO>"
    return (
        f'<WRMHEADER xmlns="{_HEADER_NS}" version="{version}"><DATA>{data}{url}</DATA></WRMHEADER>'
    )


def _kid_element(key: ContentKey) -> str:
    if key.scheme == "cenc":
        check = f'ALGID="AESCTR" CHECKSUM="{checksum(key)}"'
    else:
        check = 'ALGID="AESCBC"'
    return f'<KID {check} VALUE="{_kid64(key)}"></KID>'


def _kid64(key: ContentKey) -> str:
    return base64.b64encode(playready_kid(key.kid)).decode()
