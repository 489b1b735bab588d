"""Playback tokens: a Common Access Token for one title or channel and nothing else (CTL-112)."""

from collections.abc import Mapping
from typing import Protocol

import cat
from cat.signers import by_cdn
from control_api import spans
from control_api.settings import Settings
from control_api.spans import Span

CTI_BYTES = 16
METHODS = ["GET", "HEAD"]
LIVE = "/live/"  # CONTRACT: URLs
HEADER = "CTA-Common-Access-Token"  # CTA-5007


class Signer(Protocol):
    """Makes playback tokens; raises when it cannot."""

    def sign(
        self,
        origin_path: str,
        cti: bytes,
        now_s: int,
        expires_s: int,
        bound: Span | None = None,
        country: str | None = None,
    ) -> str:
        """A token for everything below `origin_path`, or for a time range of it, valid in
        [now_s, expires_s), for viewers in this country where one is named.
        """


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
    """HS256 over one shared key set; edges and proxy read the same file. With `live_back_s` a live
    token opens so much of the past and no more.
    """

    def __init__(
        self,
        keys: cat.KeySet,
        issuer: str,
        segments_ms: Mapping[str, int] | None = None,
        live_back_s: int | None = None,
    ) -> None:
        self.keys = keys
        self.issuer = issuer
        self._segments_ms = segments_ms or {}
        self._live_back_s = live_back_s
        self._key = keys.signer()

    @property
    def kid(self) -> str:
        """Of the key that signs."""
        return self._key.kid

    def sign(
        self,
        origin_path: str,
        cti: bytes,
        now_s: int,
        expires_s: int,
        bound: Span | None = None,
        country: str | None = None,
    ) -> str:
        if bound is None and self._live_back_s is not None and origin_path.startswith(LIVE):
            bound = spans.live(now_s, expires_s, self._live_back_s)
        claims: dict[str | int, object] = {
            "iss": self.issuer,
            "exp": expires_s,
            "nbf": now_s,
            "iat": now_s,
            "cti": cti,
            "catu": self._opens(origin_path, bound),
            "catm": METHODS,
        }
        if country is not None:
            claims["catgeoiso3166"] = [country]
        return cat.issue(claims, self._key)

    def _opens(self, origin_path: str, bound: Span | None) -> dict[str, dict[str, object]]:
        """Matches of the path and, for a range of time, of the query and of segments' numbers."""
        matches: dict[str, object] = {"prefix": origin_path}
        if bound is None:
            return {"path": matches}
        segment_ms = self._segments_ms.get(origin_path.strip("/").rpartition("/")[2])
        if segment_ms is not None:
            matches["regex"] = [spans.path(origin_path, bound, segment_ms)]
        return {"path": matches, "query": {"regex": [spans.query(bound)]}}
