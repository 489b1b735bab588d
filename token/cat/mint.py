"""What a verifier needs to make tokens of its own: renewed ones (CAT-53) and those that a catif
answer carries (CAT-61).
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cat import cbor, cose
from cat.cbor import CborError, Value
from cat.errors import IssueError
from cat.keys import Key, KeySet
from cat.shapes import SHAPES
from cat.tables import ALGORITHM_TAGS, LIMITS, Profile
from cat.text import to_text


@dataclass(frozen=True, slots=True)
class Mint:
    """Keys to sign with and our name as an issuer. `kid` signs renewed tokens; without it the key
    that sealed the old one does, or the first that can.
    """

    keys: KeySet = field(repr=False)
    issuer: str | None = None
    kid: str | None = None
    entropy: Callable[[int], bytes] = secrets.token_bytes

    def renewer(self, kid: str | None) -> Key | None:
        """The key to renew a token with that `kid` sealed."""
        wanted = (self.kid,) if self.kid is not None else (kid, None)
        for name in wanted:
            for key in self.keys:
                if key.secret is not None and not key.weak and name in (None, key.kid):
                    return key
        return None


def seal(payload: bytes, key: Key) -> str:
    """A token in transport form around these claims."""
    if key.secret is None:
        raise IssueError(f"key {key.kid} cannot sign: it has no private part")
    if key.weak:
        raise IssueError(f"key {key.kid} is shorter than 32 bytes")
    draft = Draft(payload, key.kid, key.algorithm.number)
    return draft.sealed(key.algorithm.seal(key.secret, draft.signed_bytes))


@dataclass(frozen=True, slots=True)
class Draft:
    """A token that only lacks its seal, for signers elsewhere."""

    payload: bytes
    kid: str
    number: int

    @property
    def signed_bytes(self) -> bytes:
        """What the seal has to cover (CAT-3)."""
        return cose.sealed_structure(ALGORITHM_TAGS[self.number], self._protected, self.payload)

    @property
    def _protected(self) -> bytes:
        return cbor.encode({cose.ALG: self.number})

    def sealed(self, made: bytes) -> str:
        """The token in transport form; IssueError when it is too long."""
        tag = ALGORITHM_TAGS[self.number]
        return _text(cose.build(tag, self._protected, self.kid.encode(), self.payload, made))


def _text(data: bytes) -> str:
    token = to_text(data)
    if len(token) > LIMITS.encoded_chars:
        raise IssueError(f"the token would be longer than {LIMITS.encoded_chars} characters")
    return token


def written(claims: Mapping[int, object], profile: Profile) -> bytes:
    """Claims as a payload that our own verifier does not refuse; IssueError says what is wrong."""
    try:
        payload = cbor.encode(claims)
        decoded = cbor.decode(payload)
    except CborError as error:
        raise IssueError(f"the claims have no CBOR form: {error}") from None
    assert isinstance(decoded, dict)
    check_forms(decoded, profile)
    return payload


def check_forms(claims: Mapping[Value, Value], profile: Profile) -> None:
    for label, value in claims.items():
        claim = profile.claims.get(label) if isinstance(label, int) else None
        if claim is not None and not SHAPES[claim.shape](value, profile):
            raise IssueError(f"{claim.name} has the wrong form")


__all__: Sequence[str] = ["Draft", "Mint", "check_forms", "seal", "written"]
