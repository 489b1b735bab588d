"""Access tokens that were verified a moment ago, by their SHA-256: at most 60 s (CTL-160)."""

import base64
import hashlib
from collections import OrderedDict

import msgspec

from control_api.issuer import Caller

KEPT_S = 60
MAX_SEEN = 50_000


class _Claims(msgspec.Struct):
    exp: int


class SeenTokens:
    """What `Issuer.verify` said; the token itself is not kept."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, tuple[int, Caller]] = OrderedDict()

    def find(self, token: str, now_s: int) -> Caller | None:
        """The caller, while the word on the token holds."""
        key = hashlib.sha256(token.encode()).digest()
        until_s, caller = self._seen.get(key, (0, None))
        return caller if now_s < until_s else None

    def keep(self, token: str, caller: Caller, now_s: int) -> None:
        """A token that was just verified."""
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(token.split(".")[1] + "=="), type=_Claims
        )
        key = hashlib.sha256(token.encode()).digest()
        self._seen[key] = min(now_s + KEPT_S, claims.exp), caller
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
