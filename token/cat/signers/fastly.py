"""Fastly path tokens (fastly/token-functions; specs/edge.md S-20, S-21): `?token=EXP_HEX` with
HEX = HMAC-SHA-1(key, path + decimal EXP).
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from cat.errors import SignError

PARAMETER: Final = "token"
_TOKEN = re.compile(r"([1-9][0-9]{0,14})_([0-9a-f]{40})")

# Expiry first, then a comparison in constant time; the key stays in a private edge dictionary.
VCL: Final = """\
declare local var.token STRING;
declare local var.expires STRING;
declare local var.seal STRING;
declare local var.key STRING;
set var.key = digest.base64_decode(table.lookup(headwater_keys, "token", ""));
if (std.strlen(var.key) == 0) {
  error 503 "store";
}
set var.token = subfield(req.url.qs, "token", "&");
if (var.token !~ "^([1-9][0-9]{0,14})_([0-9a-f]{40})$") {
  error 401 "malformed";
}
set var.expires = re.group.1;
set var.seal = "0x" re.group.2;
if (!time.is_after(std.integer2time(std.atoi(var.expires)), now)) {
  error 401 "expired";
}
set req.url = querystring.filter(req.url, "token");
if (!digest.secure_is_equal(digest.hmac_sha1(var.key, req.url.path var.expires), var.seal)) {
  error 401 "signature";
}
"""


def key_from_base64(text: str) -> bytes:
    """The key as Fastly's sample writes it."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignError("a Fastly token key is written in base64") from None
    if not key or 0 in key:
        raise SignError("a Fastly token key has bytes, none of them 0: texts in VCL end there")
    return key


def sign(key: bytes, path: str, end: int) -> str:
    """The value of the `token` parameter; `end` is epoch seconds."""
    if not path.startswith("/") or end < 1:
        raise SignError("a Fastly token takes a path from the root and an end after 1970")
    return f"{end}_{_seal(key, path, str(end))}"


def verify(key: bytes, path: str, token: str, now: float) -> str:
    """ "ok" or a reason code; `path` is without query."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return "malformed"
    if now >= int(found[1]):
        return "expired"
    expected = _seal(key, path, found[1])
    return "ok" if hmac.compare_digest(expected, found[2]) else "signature"


def _seal(key: bytes, path: str, end: str) -> str:
    return hmac.digest(key, f"{path}{end}".encode(), hashlib.sha1).hex()
