"""Playback tokens: a Common Access Token for one title or channel and nothing else (CTL-112)."""

from typing import Protocol

import cat
from cat.signers import by_cdn
from control_api.settings import Settings

CTI_BYTES = 16
METHODS = ["GET", "HEAD"]
HEADER = "CTA-Common-Access-Token"  # CTA-5007


class Signer(Protocol):
    """Makes playback tokens; raises when it cannot."""

    def sign(self, origin_path: str, cti: bytes, now_s: int, expires_s: int) -> str:
        """A token for everything below `origin_path`, valid in [now_s, expires_s)."""


def native_signers(settings: Settings) -> dict[str, by_cdn.Native]:
    """Signers by pathway; SignError at start for a key that does not fit."""
    return {
        pathway: by_cdn.native(
            each.kind,
            each.key.get_secret_value(),
            key_pair_id=each.key_pair_id,
            digest=each.digest,
        )
        for pathway, each in settings.native_signers.items()
    }


class CatSigner:
    """HS256 over one shared key set; edges and proxy read the same file."""

    def __init__(self, keys: cat.KeySet, issuer: str) -> None:
        self.keys = keys
        self.issuer = issuer
        self._key = keys.signer()

    def sign(self, origin_path: str, cti: bytes, now_s: int, expires_s: int) -> str:
        claims: dict[str | int, object] = {
            "iss": self.issuer,
            "exp": expires_s,
            "nbf": now_s,
            "iat": now_s,
            "cti": cti,
            "catu": {"path": {"prefix": origin_path}},
            "catm": METHODS,
        }
        return cat.issue(claims, self._key)
