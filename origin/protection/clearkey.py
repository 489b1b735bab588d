"""ClearKey licences as JSON (W3C Encrypted Media Extensions, 9.1.4; specs/protection.md PR-120)."""

import base64
import binascii
import json
from collections.abc import Iterable

from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.protection.secret import KEY_BYTES

LONGEST_REQUEST = 16 * 1024
KIDS_MOST = 64
TYPES = ("temporary",)


class BadRequest(ProtectionError):
    """A licence request that cannot be read or met: 400."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_key", detail)
        self.code, self.status = "bad_request", 400


def asked(body: bytes) -> list[bytes]:
    """The KIDs of a licence request, each once. BadRequest."""
    if len(body) > LONGEST_REQUEST:
        raise BadRequest(f"more than {LONGEST_REQUEST} bytes")
    try:
        said = json.loads(body)
        kids, kind = said["kids"], said.get("type", TYPES[0])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadRequest('an object with "kids" is wanted') from None
    if kind not in TYPES:
        raise BadRequest("only temporary licences are given")
    if not isinstance(kids, list) or not 0 < len(kids) <= KIDS_MOST:
        raise BadRequest(f"1..{KIDS_MOST} kids are wanted")
    return list(dict.fromkeys(_kid(kid) for kid in kids))


def licence(keys: Iterable[ContentKey]) -> bytes:
    """The JSON Web Key set that a CDM takes."""
    found = [{"kty": "oct", "kid": _text(key.kid), "k": _text(key.secret.reveal())} for key in keys]
    return json.dumps({"keys": found, "type": TYPES[0]}, separators=(",", ":")).encode()


def _kid(text: object) -> bytes:
    """base64url; padding and the standard alphabet are let in."""
    if not isinstance(text, str) or len(text) > 2 * KEY_BYTES:
        raise BadRequest("a kid is base64url of 16 bytes")
    plain = text.translate({ord("+"): "-", ord("/"): "_"}).rstrip("=")
    try:
        kid = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("a kid is base64url of 16 bytes") from None
    if len(kid) != KEY_BYTES:
        raise BadRequest("a kid is base64url of 16 bytes")
    return kid


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
