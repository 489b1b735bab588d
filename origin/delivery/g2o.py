"""G2O, how Akamai's edge proves itself to an origin (specs/origin-http.md O28..O31).

`X-Akamai-G2O-Auth-Data` is "version, edge-ip, client-ip, epoch, unique-id, nonce"; the nonce names
the key; `X-Akamai-G2O-Auth-Sign` is base64 of a keyed digest over the data as sent and the path
with its query as received. Version 5 is HMAC-SHA256; the older ones are off unless asked for.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import md5

DATA_HEADER = "x-akamai-g2o-auth-data"
SIGN_HEADER = "x-akamai-g2o-auth-sign"
DATA_CHARS = 512
SEEN_LIMIT = 1 << 20  # unique ids of one half of the window


def _md5_once(key: bytes, text: bytes) -> bytes:
    return md5(key + text, usedforsecurity=False).digest()


def _md5_twice(key: bytes, text: bytes) -> bytes:
    return _md5_once(key, _md5_once(key, text))


def _hmac(name: str) -> Callable[[bytes, bytes], bytes]:
    return lambda key, text: hmac.digest(key, text, name)


DIGESTS: dict[int, Callable[[bytes, bytes], bytes]] = {
    1: _md5_once,
    2: _md5_twice,
    3: _hmac("md5"),
    4: _hmac("sha1"),
    5: _hmac("sha256"),
}


@dataclass(frozen=True, slots=True)
class Ghost:
    """What the data header says."""

    version: int
    epoch_s: int
    unique_id: str
    nonce: str


class Replays:
    """Unique ids seen within a window, kept as two halves that take turns: bounded memory. `skew_s`
    is how far ahead of ours the clock of the newest signed request is.

    When a flood of valid ids fills a half early, the older half is forgotten early; `overflows`
    says how often that happened.
    """

    def __init__(self, window_s: float) -> None:
        self.overflows = 0
        self.skew_s = 0.0
        self._window_s = window_s
        self._fresh: set[int] = set()
        self._stale: set[int] = set()
        self._turned_s = 0.0

    def first(self, unique_id: str, now_s: float) -> bool:
        """Whether this id is new; remembers it."""
        if now_s - self._turned_s >= self._window_s or len(self._fresh) >= SEEN_LIMIT:
            self.overflows += len(self._fresh) >= SEEN_LIMIT
            late = now_s - self._turned_s >= 2 * self._window_s
            self._stale = set() if late else self._fresh
            self._fresh = set()
            self._turned_s = now_s
        key = hash(unique_id)
        if key in self._fresh or key in self._stale:
            return False
        self._fresh.add(key)
        return True


def sign(version: int, key: bytes, data: str, target: str) -> str:
    """The Auth-Sign value; KeyError for a version that does not exist."""
    return b64encode(DIGESTS[version](key, (data + target).encode("latin-1"))).decode()


def refusal(
    data: str | None,
    signature: str | None,
    target: str,
    *,
    keys: Mapping[str, bytes],
    versions: Collection[int],
    skew_s: float,
    now_s: float,
    replays: Replays,
) -> str | None:
    """Why this request is not from a ghost that holds a key, as a stable code; None when it is."""
    if data is None or signature is None:
        return "g2o_missing"
    ghost = _ghost(data)
    if ghost is None:
        return "g2o_malformed"
    if ghost.version not in versions or ghost.version not in DIGESTS:
        return "g2o_version"
    key = keys.get(ghost.nonce)
    if key is None:
        return "g2o_key"
    if not hmac.compare_digest(
        sign(ghost.version, key, data, target).encode(), signature.encode("latin-1")
    ):
        return "g2o_signature"
    replays.skew_s = ghost.epoch_s - now_s
    if abs(replays.skew_s) > skew_s:
        return "g2o_time"
    if not replays.first(ghost.unique_id, now_s):
        return "g2o_replay"
    return None


def _ghost(data: str) -> Ghost | None:
    fields = data.split(", ")
    if len(data) > DATA_CHARS or len(fields) != 6:
        return None
    version, _, _, epoch, unique_id, nonce = fields
    if not (version.isascii() and version.isdigit() and epoch.isascii() and epoch.isdigit()):
        return None
    if len(version) > 2 or len(epoch) > 12 or not unique_id:
        return None
    return Ghost(int(version), int(epoch), unique_id, nonce)
