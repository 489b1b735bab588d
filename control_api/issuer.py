"""The built-in issuer: argon2id passwords in, ES256 access tokens out, and their verification.

Sources: RFC 7519 (JWT), RFC 7517 (JWK Set), RFC 9106 (Argon2), RFC 8725 section 3 (the algorithm is
ours to choose, never the token's); control-api CTL-160, CTL-161.
"""

import asyncio
import base64
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey

from control_api.facts import UNKNOWN_COUNTRY
from control_api.keys import Jwk

T = TypeVar("T")
ALGORITHMS = ["ES256"]
ES256 = ECDSA(SHA256())
NUMBER_BYTES = 32  # of the two in a signature (RFC 7518 section 3.4): 86 letters for both
COMPACT = re.compile(  # RFC 7515 section 3.1
    r"(?P<signed>(?P<head>[A-Za-z0-9_-]+)\.(?P<body>[A-Za-z0-9_-]+))"
    r"\.(?P<signature>[A-Za-z0-9_-]{86})"
)
VIEWER_SCOPES = frozenset({"playback", "entitlement:check", "recording"})
MAX_TOKEN_CHARS = 4_096
HASHES_AT_ONCE = 2  # each takes 64 MiB and a core
HASHES_WAITING = 32  # one takes 50 ms, on a busy machine ten times that


class Crowded(TimeoutError):
    """More passwords wait than can be looked at in time."""


class Passwords:
    """Argon2id with the library's RFC 9106 low-memory profile, off the event loop: in threads of
    its own, so that who gives up waiting costs nothing once it would be its turn.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(HASHES_AT_ONCE, "passwords")
        self._asked = 0
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    async def hashed(self, password: str) -> str:
        """The same off the event loop, which a request must use. Raises Crowded."""
        return await self._apart(self.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Takes equally long when there is no such user (`stored` None). Raises Crowded."""
        good = await self._apart(self._verify, password, stored or self._nobody)
        return good and stored is not None

    async def _apart(self, work: Callable[..., T], *given: str) -> T:
        if self._asked >= HASHES_AT_ONCE + HASHES_WAITING:
            raise Crowded("too many passwords wait")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        finally:
            self._asked -= 1

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as a verified token says, and from which country (CTL-10). An API key asks under
    its own id, which is no account.
    """

    account_id: str
    scopes: frozenset[str]
    key_id: str | None = None
    country: str = UNKNOWN_COUNTRY


class BadToken(Exception):
    """The bearer token is not one of ours, or no longer; tells the failed check, not the token."""


class Others(Protocol):
    """Issuers beside our own."""

    def names(self, token: str) -> bool:
        """Whether a token says that it is of one of them."""

    def verify(self, token: str, now_s: int, leeway_s: int) -> Caller:
        """The caller; raises BadToken."""


class _Claims(msgspec.Struct):
    """What a token of ours says (RFC 9068 section 2.2); times are NumericDate."""

    iss: str
    aud: str
    sub: str
    scope: str
    exp: float
    nbf: float = 0
    iat: float = 0


class Issuer:
    """Signs with the first of its keys, verifies with all: so keys rotate with overlap. `others`
    verify what says that it is theirs.

    The tokens of one key have one header, letter for letter: whatever has another one is not ours,
    and no header is ever read.
    """

    others: Others | None = None

    def __init__(
        self, keys: Sequence[Jwk], *, name: str, audience: str, life_s: int, leeway_s: int
    ) -> None:
        self._keys = [ECKey.import_key(key) for key in keys]
        self._public: dict[str, Any] = {
            jwt.encode(_header(key), {}, key, algorithms=ALGORITHMS).partition(".")[0]: (
                key.public_key
            )
            for key in self._keys
        }
        self._name = name
        self._audience = audience
        self.life_s = life_s
        self._leeway_s = leeway_s

    @property
    def kid(self) -> str:
        """Of the key that signs."""
        return str(self._keys[0].kid)

    def issue(self, account_id: str, scopes: frozenset[str], now_s: int) -> str:
        """An access token for an account, good for `life_s` seconds."""
        claims: dict[str, Any] = {
            "iss": self._name,
            "aud": self._audience,
            "sub": account_id,
            "scope": " ".join(sorted(scopes)),
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + self.life_s,
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(_header(self._keys[0]), claims, self._keys[0], algorithms=ALGORITHMS)

    def verify(self, token: str, now_s: int) -> Caller:
        """The caller; raises `BadToken` for anything but a live token of this issuer for us."""
        if len(token) > MAX_TOKEN_CHARS:
            raise BadToken("too long")
        if self.others is not None and self.others.names(token):
            return self.others.verify(token, now_s, self._leeway_s)
        parts = COMPACT.fullmatch(token)
        key = self._public.get(parts["head"]) if parts else None
        if parts is None or key is None:
            raise BadToken("form or header")
        try:
            key.verify(_der(_octets(parts["signature"])), parts["signed"].encode(), ES256)
            claims = _CLAIMS.decode(_octets(parts["body"]))
        except (InvalidSignature, ValueError, msgspec.MsgspecError) as error:
            raise BadToken(type(error).__name__) from None
        if (claims.iss, claims.aud) != (self._name, self._audience):
            raise BadToken("issuer or audience")
        if not max(claims.nbf, claims.iat) - self._leeway_s <= now_s < claims.exp + self._leeway_s:
            raise BadToken("time")
        return Caller(claims.sub, frozenset(claims.scope.split()))

    def public_keys(self) -> list[Jwk]:
        """Members of the JWK Set, without private parts."""
        return [dict(key.as_dict(private=False)) for key in self._keys]


_CLAIMS = msgspec.json.Decoder(_Claims)


def _header(key: ECKey) -> dict[str, Any]:
    return {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}  # RFC 9068 section 2.1


def _octets(text: str) -> bytes:
    """base64url without padding (RFC 7515 appendix C)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _der(signature: bytes) -> bytes:
    """Two numbers side by side, as cryptography wants them."""
    r, s = signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
