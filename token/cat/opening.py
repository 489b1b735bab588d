"""From text to claims: steps 1 to 5 of CAT section 10, encryption included (CAT-12)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from cat import cbor, cose
from cat.algorithms import BY_NUMBER, is_high_s
from cat.cbor import CborError, Value
from cat.context import Options
from cat.errors import Refused
from cat.keys import Key, KeySet
from cat.tables import ALGORITHM_TAGS, LIMITS
from cat.text import normal_text, token_bytes
from native.cat import Envelope

_ALG, _KEY, _SIGNATURE, _SHAPE = 3, 4, 5, 2  # steps
_MAP_HEAD: Final = 5  # major type, RFC 8949, 3.1


class Opened(NamedTuple):
    """The key that vouches for the claims, the claims and their bytes."""

    key: Key
    claims: Mapping[Value, Value]
    payload: bytes
    encrypted: bool = False


def opened(token: str, keys: KeySet, now: float, options: Options) -> Opened:
    """The claims of a token whose seal holds; Refused says which step did not."""
    text = normal_text(token) if options.b64 == "lenient" else token
    envelope = cose.parse(token_bytes(text), options.cbor)
    if envelope.tag != cose.ENCRYPT0:
        return _checked(envelope, keys, now, options, encrypted=False)
    key, plain = _decrypted(envelope, keys, now)
    if key.issuer and plain[:1] and plain[0] >> 5 == _MAP_HEAD:
        try:
            claims = cbor.DECODERS[options.cbor].decode(plain)
        except CborError:
            raise Refused("malformed", _SHAPE) from None
        assert isinstance(claims, dict)
        return Opened(key, claims, plain, encrypted=True)
    inner = cose.parse(plain, options.cbor)
    if inner.tag == cose.ENCRYPT0:
        raise Refused("malformed", _SHAPE)
    return _checked(inner, keys, now, options, encrypted=True)


def _checked(
    envelope: Envelope, keys: KeySet, now: float, options: Options, *, encrypted: bool
) -> Opened:
    key = _authenticate(envelope, keys, now, options)
    return Opened(key, envelope.claims, envelope.payload, encrypted)


def _decrypted(envelope: Envelope, keys: KeySet, now: float) -> tuple[Key, bytes]:
    number, iv = envelope.alg, envelope.iv
    if type(number) is not int or number not in cose.CIPHER_NUMBERS:
        raise Refused("alg", _ALG)
    cose.check_critical(envelope)
    live = [
        key
        for key in keys.ciphers(number)
        if envelope.kid in (None, key.kid.encode()) and key.live(now)
    ][: LIMITS.keys_tried]
    if not live:
        raise Refused("key", _KEY)
    if iv is None or len(iv) != cose.IV_BYTES:
        raise Refused("malformed", _SHAPE)
    for key in live:
        plain = cose.decrypt(key.public, iv, envelope.payload, envelope.protected)
        if plain is not None:
            return key, plain
    raise Refused("signature", _SIGNATURE)


def _algorithm(envelope: Envelope, keys: KeySet, options: Options) -> int:
    """Step 3; of a token that names none, by option, the algorithm of the key it names (CAT-23)."""
    if envelope.names_alg or envelope.kid is None or not options.alg_from_key:
        return cose.check_algorithm(envelope)
    numbers = {key.number for key in keys.named(envelope.kid)}
    if len(numbers) != 1 or ALGORITHM_TAGS.get(min(numbers)) != envelope.tag:
        raise Refused("alg", _ALG)
    return numbers.pop()


def _authenticate(envelope: Envelope, keys: KeySet, now: float, options: Options) -> Key:
    """Steps 3 to 5: the key decides (CAT-21)."""
    number = _algorithm(envelope, keys, options)
    candidates = keys.of(number)
    if not candidates:
        raise Refused("alg", _ALG)
    if envelope.kid is not None:
        named = keys.named(envelope.kid)
        candidates = tuple(key for key in named if key.number == number)
        if named and not candidates:
            raise Refused("alg", _ALG)
    cose.check_critical(envelope)
    live = [key for key in candidates if key.live(now)][: LIMITS.keys_tried]
    if not live:
        raise Refused("key", _KEY)
    data = envelope.signed_bytes()
    for key in live:
        if BY_NUMBER[number].holds(key.public, data, envelope.seal):
            break
    else:
        raise Refused("signature", _SIGNATURE)
    if options.high_s == "reject" and is_high_s(number, envelope.seal):
        raise Refused("signature", _SIGNATURE)
    return key
