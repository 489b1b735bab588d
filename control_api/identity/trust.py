"""Access tokens of other issuers: OpenID providers whose JWK Sets we read (CTL-160).

Rules of the file
1. The algorithm is the setting's, never the token's (RFC 8725 section 3.1); the key is one of the
   issuer's own set, by `kid`. A key in the token's header is not looked at.
2. Keys are read before they are needed and again every `keys_s`; an unknown `kid` asks for a read,
   at most once in `keys_pause_s`. While an issuer cannot be read its last keys serve `keys_last_s`.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from control_api.identity.settings import Identity, TrustedIssuer
from control_api.issuer import BadToken, Caller
from runtime import logs
from runtime.fetch import Fetcher, FetchError

log = logs.get("control")

SET_BYTES = 1 << 18
KEYS = 64
KINDS = {"RS256": "RSA", "ES256": "EC"}


class _Claims(msgspec.Struct):
    iss: str = ""


class Trust:
    """The issuers of the settings and what is known of their keys; `clock` tells epoch seconds."""

    def __init__(self, settings: Identity, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._clock = clock
        self._issuers = {each.issuer: each for each in settings.issuers}
        self._keys: dict[str, tuple[float, KeySet]] = {}
        self._asked = asyncio.Event()

    async def forever(self) -> None:
        """Keeps the keys fresh."""
        while True:
            await self.read()
            await asyncio.sleep(self._settings.keys_pause_s)
            self._asked.clear()
            rest_s = max(self._settings.keys_s - self._settings.keys_pause_s, 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._asked.wait()

    async def read(self) -> None:
        """Every issuer's keys once; one that does not answer keeps those it has."""
        for each in self._issuers.values():
            try:
                answer = await self._fetcher.get(each.jwks_url, max_bytes=SET_BYTES)
                if answer.status != 200:
                    raise FetchError("refused", f"status {answer.status}")
                self._keys[each.issuer] = self._clock(), key_set(answer.body, each)
            except (FetchError, JoseError, ValueError, TypeError) as error:
                log.warning("keys_unread", issuer=each.issuer, error=str(error))

    def names(self, token: str) -> bool:
        """Whether a token says that it is of one of these issuers."""
        try:
            payload = jws.extract_compact(token.encode()).payload
            claims = msgspec.json.decode(payload, type=_Claims)
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError):
            return False
        return claims.iss in self._issuers

    def verify(self, token: str, now_s: int, leeway_s: int) -> Caller:
        """The caller; raises BadToken."""
        extracted = jws.extract_compact(token.encode())
        issuer = self._issuers[msgspec.json.decode(extracted.payload, type=_Claims).iss]
        read_s, keys = self._keys.get(issuer.issuer, (0.0, None))
        if keys is None or self._clock() - read_s > self._settings.keys_last_s:
            raise BadToken("no keys")
        kid = extracted.headers().get("kid")
        if not any(key.kid == kid for key in keys.keys):
            self._asked.set()
            raise BadToken("unknown key")
        rules = jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=leeway_s,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            sub={"essential": True},
            exp={"essential": True},
            scope={"essential": True},
        )
        try:
            claims = jwt.decode(token, keys, algorithms=list(issuer.algorithms)).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise BadToken(type(error).__name__) from None
        kinds = {"sub": str, "scope": str, "exp": int}
        if not all(isinstance(claims[name], kind) for name, kind in kinds.items()):
            raise BadToken("claim type")
        brought: Sequence[str] = claims["scope"].split()
        return Caller(claims["sub"], frozenset(brought) & frozenset(issuer.scopes))


def key_set(raw: bytes, issuer: TrustedIssuer) -> KeySet:
    """The public signing keys of a JWK Set that fit the issuer's algorithms; ValueError if none."""
    listed: Any = msgspec.json.decode(raw)
    found = listed.get("keys") if isinstance(listed, dict) else None
    if not isinstance(found, list) or len(found) > KEYS:
        raise ValueError("not a JWK Set")
    kinds = {KINDS[name] for name in issuer.algorithms}
    fitting = [
        key
        for key in found
        if isinstance(key, dict)
        and key.get("kty") in kinds
        and key.get("use", "sig") == "sig"
        and key.get("alg", issuer.algorithms[0]) in issuer.algorithms
        and isinstance(key.get("kid"), str)
        and "d" not in key
    ]
    if not fitting:
        raise ValueError("no key of a kind that is allowed")
    return KeySet.import_key_set({"keys": fitting})
