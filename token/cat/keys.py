"""Keys and key sets (CAT-20..CAT-28). The key decides the algorithm; the token only has to agree
(CAT-21).

The file form is CONTRACT's `--keys`: a list of JWK members `{"kid", "alg", "k" | "x","y" | "n","e"
[,"d"]}` with the optional times `nbf` and `exp` (epoch seconds) between which the key is live.
"""

import itertools
import json
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cat.algorithms import BY_NAME, CIPHERS, Algorithm, Public, Secret
from cat.errors import KeyFileError
from cat.text import from_text, to_text

ISSUE_SECRET_BYTES = 32  # CAT-24
MIN_MODULUS_BITS = 2048  # CAT-26


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one algorithm. `secret` is None for a public key; neither is ever printed."""

    kid: str
    alg: str
    public: Public = field(repr=False)
    secret: Secret | None = field(default=None, repr=False)
    not_before: float | None = None
    not_after: float | None = None
    issuer: bool = False  # what this key decrypts may be claims without a seal (CAT-12)

    @property
    def algorithm(self) -> Algorithm:
        """How the key seals; KeyError for one that encrypts."""
        return BY_NAME[self.alg]

    @property
    def number(self) -> int:
        """The COSE algorithm."""
        return CIPHERS[self.alg].number if self.alg in CIPHERS else BY_NAME[self.alg].number

    def live(self, now: float) -> bool:
        """CAT-28."""
        return (self.not_before is None or now >= self.not_before) and (
            self.not_after is None or now < self.not_after
        )

    @property
    def weak(self) -> bool:
        """A MAC secret shorter than issuing allows (CAT-24)."""
        return isinstance(self.secret, bytes) and len(self.secret) < ISSUE_SECRET_BYTES


_VERSIONS = itertools.count(1)


class KeySet:
    """Keys by algorithm and kid. `version` is unlike that of any other set of this process."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        self._of = {
            algorithm.number: tuple(key for key in self._keys if key.alg == name)
            for name, algorithm in BY_NAME.items()
        }
        self._ciphers = {
            cipher.number: tuple(key for key in self._keys if key.alg == name)
            for name, cipher in CIPHERS.items()
        }
        self._named: dict[bytes, tuple[Key, ...]] = {}
        for key in self._keys:
            kid = key.kid.encode()
            self._named[kid] = (*self._named.get(kid, ()), key)
        self.version = next(_VERSIONS)

    @classmethod
    def from_json(
        cls, source: Sequence[Mapping[str, object]] | Mapping[str, Any] | str | Path
    ) -> "KeySet":
        """From a list of JWK members or a JWK Set, or the path of a file that holds one."""
        if isinstance(source, str | Path):
            try:
                source = json.loads(Path(source).read_bytes())
            except OSError as error:
                raise KeyFileError(f"cannot read the key file: {error.strerror}") from None
            except ValueError:
                raise KeyFileError("the key file is not JSON") from None
        if isinstance(source, dict) and "keys" in source:
            source = source["keys"]  # a JWK Set, RFC 7517, 5
        if not isinstance(source, list | tuple) or not all(isinstance(k, Mapping) for k in source):
            raise KeyFileError("a key set is a list of objects")
        return cls(key_of(members, index) for index, members in enumerate(source))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def of(self, number: int) -> tuple[Key, ...]:
        """The keys of one COSE algorithm."""
        return self._of.get(number, ())

    def ciphers(self, number: int) -> tuple[Key, ...]:
        """The keys that decrypt one COSE algorithm (CAT-12)."""
        return self._ciphers.get(number, ())

    def named(self, kid: bytes) -> tuple[Key, ...]:
        """The keys of one kid; kids are compared as bytes (CAT-8)."""
        return self._named.get(kid, ())

    def signer(self, kid: str | None = None) -> Key:
        """The key to issue with: the one of this kid, else the first that can sign."""
        for key in self._keys:
            if key.secret is not None and key.alg in BY_NAME and kid in (None, key.kid):
                return key
        raise KeyFileError("no key of this kid can sign" if kid else "no key can sign")


def generate(
    alg: str, kid: str, entropy: Callable[[int], bytes] = secrets.token_bytes
) -> dict[str, object]:
    """A new key in the file form, private members included."""
    if alg in CIPHERS:
        return {"kid": kid, "alg": alg, "k": to_text(entropy(CIPHERS[alg].key_bytes))}
    if alg == "HS256":
        return {"kid": kid, "alg": alg, "k": to_text(entropy(ISSUE_SECRET_BYTES))}
    if alg == "ES256":
        numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
        point = numbers.public_numbers
        members = {"x": point.x, "y": point.y, "d": numbers.private_value}
        return {
            "kid": kid,
            "alg": alg,
            **{n: to_text(v.to_bytes(32, "big")) for n, v in members.items()},
        }
    if alg == "PS256":
        private = rsa.generate_private_key(65537, MIN_MODULUS_BITS).private_numbers()
        public = private.public_numbers
        members = {"n": public.n, "e": public.e, "d": private.d}
        return {"kid": kid, "alg": alg, **{n: _number_text(v) for n, v in members.items()}}
    raise KeyFileError(f"alg is one of {', '.join(_READERS)}")


def _number_text(value: int) -> str:
    return to_text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def key_of(members: Mapping[str, object], index: int = 0) -> Key:
    """One key from its members; KeyFileError says what is wrong with it."""
    kid, alg = members.get("kid"), members.get("alg")
    if not isinstance(kid, str) or alg not in _READERS:
        raise KeyFileError(f"key {index}: needs a text kid and an alg of {', '.join(_READERS)}")
    begin, end = _time(members, "nbf"), _time(members, "exp")
    if math.nan in (begin, end):
        raise KeyFileError(f"key {kid}: nbf and exp are epoch seconds")
    try:
        public, secret = _READERS[str(alg)](members)
    except (KeyError, TypeError, ValueError):
        raise KeyFileError(f"key {kid}: its members do not make a {alg} key") from None
    issuer = members.get("issuer") is True and alg in CIPHERS
    return Key(kid, str(alg), public, secret, begin, end, issuer)


def _time(members: Mapping[str, object], name: str) -> float | None:
    """Epoch seconds, None where there are none, NaN where it is something else."""
    value = members.get(name)
    if value is None:
        return None
    return value if isinstance(value, int | float) and type(value) is not bool else math.nan


def _member(members: Mapping[str, object], name: str) -> bytes:
    value = members[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return from_text(value)


def _number(members: Mapping[str, object], name: str) -> int:
    return int.from_bytes(_member(members, name), "big")


def _read_hs256(members: Mapping[str, object]) -> tuple[Public, Secret | None]:
    secret = _member(members, "k")
    if not secret or {"x", "y", "n", "e"} & members.keys():
        raise ValueError("no secret, or a public key beside it")
    return secret, secret


def _read_es256(members: Mapping[str, object]) -> tuple[Public, Secret | None]:
    point = ec.EllipticCurvePublicNumbers(
        _number(members, "x"), _number(members, "y"), ec.SECP256R1()
    )
    if "d" not in members:
        return point.public_key(), None
    private = ec.EllipticCurvePrivateNumbers(_number(members, "d"), point).private_key()
    return point.public_key(), private


def _read_ps256(members: Mapping[str, object]) -> tuple[Public, Secret | None]:
    numbers = rsa.RSAPublicNumbers(_number(members, "e"), _number(members, "n"))
    if numbers.n.bit_length() < MIN_MODULUS_BITS or numbers.e < 3 or numbers.e % 2 == 0:
        raise ValueError("weak RSA key")
    if "d" not in members:
        return numbers.public_key(), None
    d = _number(members, "d")
    p, q = rsa.rsa_recover_prime_factors(numbers.n, numbers.e, d)
    private = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), numbers
    )
    return numbers.public_key(), private.private_key()


def _read_cipher(size: int) -> Callable[[Mapping[str, object]], tuple[Public, Secret | None]]:
    def read(members: Mapping[str, object]) -> tuple[Public, Secret | None]:
        secret = _member(members, "k")
        if len(secret) != size:
            raise ValueError("the wrong length")
        return secret, secret

    return read


_READERS = {
    "HS256": _read_hs256,
    "ES256": _read_es256,
    "PS256": _read_ps256,
    **{name: _read_cipher(cipher.key_bytes) for name, cipher in CIPHERS.items()},
}
