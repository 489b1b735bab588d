"""The transport text of a token: strict base64url (CAT-9), and the looser forms the command line
takes.
"""

import base64
import binascii
import re

from cat.errors import Refused
from cat.tables import LIMITS

_URL_SAFE = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_ENVELOPE_STARTS = (b"\xd1", b"\xd2", b"\xd0", b"\xd8\x3d")


def to_text(data: bytes) -> str:
    """base64url without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """Strict: padding optional but complete, no foreign characters, trailing bits zero; else
    ValueError.
    """
    bare = text.rstrip("=")
    padding = len(text) - len(bare)
    if not _URL_SAFE.fullmatch(text) or len(bare) % 4 == 1 or padding not in (0, -len(bare) % 4):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if to_text(data) != bare:
        raise ValueError("non-zero trailing bits")
    return data


def token_bytes(text: str) -> bytes:
    """Steps 1 of the order: size before anything else (CAT-10), then the text form."""
    if len(text) > LIMITS.encoded_chars:
        raise Refused("too_large", 1)
    try:
        return from_text(text)
    except ValueError:
        raise Refused("malformed", 1) from None


def normal_text(text: str) -> str:
    """base64url from base64url, standard base64 or hex (CONTRACT, `token verify`); anything else
    unchanged.
    """
    text = text.strip()
    if len(text) > 2 * LIMITS.encoded_chars:
        return text
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        data = bytes.fromhex(text)
        if data.startswith(_ENVELOPE_STARTS):
            return to_text(data)
    if re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) and re.search(r"[+/=]", text):
        try:
            return to_text(base64.b64decode(text, validate=True))
        except binascii.Error:
            return text
    return text


def is_envelope(data: bytes) -> bool:
    """Whether bytes begin like a COSE token (CAT-1, CAT-90)."""
    return data.startswith(_ENVELOPE_STARTS)
