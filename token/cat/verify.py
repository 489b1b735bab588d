"""The verdict on a token. The steps are those of CAT section 10; the first failure in that order is
the verdict.

Rules of the file: nothing of a claim is looked at before the seal holds (CAT-27); every failure is
a `Refused` raised with its step; a restriction that cannot be evaluated refuses
(`claim_unsupported`), it never passes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cat import cose
from cat.algorithms import BY_NUMBER, is_high_s
from cat.cbor import Value
from cat.context import LIBRARY_DEFAULTS, Case, Context, Options
from cat.errors import Refused
from cat.judges import JUDGES
from cat.keys import Key, KeySet
from cat.seen import Seen
from cat.shapes import SHAPES
from cat.tables import COMPOSITIONS, CONTESTED, LABELS, LIMITS, Profile
from cat.text import token_bytes
from native.cat import Envelope

ACCEPTED_STEP = 18
_STEPS = {"alg": 3, "key": 4, "signature": 5, "contested": 6, "shape": 7}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`claims` is empty until the seal holds. `renew` and `respond` are CAT-102's fields, null when
    nothing is due.
    """

    accept: bool
    reason: str
    claim: str | None = None
    claims: Mapping[Value, Value] = field(default_factory=dict, repr=False)
    kid: str | None = None
    step: int = 0
    renew: dict[str, object] | None = None
    respond: dict[str, object] | None = None


def verify(
    token: str,
    context: Context,
    keys: KeySet,
    options: Options = LIBRARY_DEFAULTS,
    seen: Seen | None = None,
) -> Verdict:
    """Judge one token in its transport form. Never raises on any token; with `seen` the verdict is
    the same, sooner (CAT-101).
    """
    claims: Mapping[Value, Value] = {}
    kid: str | None = None
    try:
        believed = None if seen is None else seen.get(token, keys, options, context.now)
        if believed is not None:
            kid, claims = believed.key.kid, believed.claims
        else:
            envelope = cose.parse(token_bytes(token))
            key = _authenticate(envelope, keys, context.now, options)
            kid = key.kid
            claims = _labelled(envelope.claims, options)
            _check_forms(Case(claims, context, options))
            if seen is not None:
                seen.put(token, keys, options, key, claims)
        _judge(Case(claims, context, options))
    except Refused as refused:
        return Verdict(False, refused.reason, refused.claim, claims, kid, refused.step)
    return Verdict(True, "ok", None, claims, kid, ACCEPTED_STEP)


def verify_any(
    tokens: Iterable[str], context: Context, keys: KeySet, options: Options = LIBRARY_DEFAULTS
) -> Verdict:
    """The verdict on several candidates (CAT-91)."""
    return furthest(tokens, lambda token: verify(token, context, keys, options))


def furthest(tokens: Iterable[str], judge: Callable[[str], Verdict]) -> Verdict:
    """Try each candidate until one is accepted; else the one that got furthest, ties by order
    (CAT-91).
    """
    best = Verdict(False, "missing")
    for token in list(tokens)[: LIMITS.candidates]:
        verdict = judge(token)
        if verdict.accept:
            return verdict
        if verdict.step > best.step:
            best = verdict
    return best


def _authenticate(envelope: Envelope, keys: KeySet, now: float, options: Options) -> Key:
    """Steps 3 to 5: the key decides (CAT-21)."""
    number = cose.check_algorithm(envelope)
    candidates = keys.of(number)
    if not candidates:
        raise Refused("alg", _STEPS["alg"])
    if envelope.kid is not None:
        named = keys.named(envelope.kid)
        candidates = tuple(key for key in named if key.algorithm.number == number)
        if named and not candidates:
            raise Refused("alg", _STEPS["alg"])
    cose.check_critical(envelope)
    live = [key for key in candidates if key.live(now)][: LIMITS.keys_tried]
    if not live:
        raise Refused("key", _STEPS["key"])
    data = envelope.signed_bytes()
    for key in live:
        if BY_NUMBER[number].holds(key.public, data, envelope.seal):
            break
    else:
        raise Refused("signature", _STEPS["signature"])
    if options.high_s == "reject" and is_high_s(number, envelope.seal):
        raise Refused("signature", _STEPS["signature"])
    return key


def _labelled(claims: Mapping[Value, Value], options: Options) -> Mapping[Value, Value]:
    """Labels as ints; where the profile writes them as decimal text, both spellings of one are
    wrong (CAT-62).
    """
    if options.profile != "cloudfront-docs":
        return claims
    labelled: dict[Value, Value] = {}
    for label, value in claims.items():
        if isinstance(label, str) and label.isascii() and label.isdigit() and len(label) <= 4:
            label = int(label)
        if label in labelled:
            raise Refused("malformed", _STEPS["contested"])
        labelled[label] = value
    return labelled


def _check_forms(case: Case) -> None:
    """Steps 6 and 7."""
    if case.options.contested == "refuse":
        contested = min(_contested(case.claims, case.profile, LIMITS.set_depth), default=None)
        if contested is not None:
            raise Refused("claim_contested", _STEPS["contested"], str(contested))
    for label, claim in case.profile.claims.items():
        if label in case.claims and not SHAPES[claim.shape](case.claims[label], case.profile):
            raise Refused("claim_malformed", _STEPS["shape"], claim.name)
    if LABELS["catdpop"] in case.claims and LABELS["cnf"] not in case.claims:
        raise Refused("claim_malformed", _STEPS["shape"], "catdpop")  # CAT-81


def _contested(claims: Mapping[Value, Value], profile: Profile, depth: int) -> Iterable[int]:
    """Contested labels this profile does not define, at any depth (CAT-63, CAT-65)."""
    for label, value in claims.items():
        if not isinstance(label, int):
            continue
        if label not in profile.claims:
            if label in CONTESTED:
                yield label
        elif profile.claims[label].name in COMPOSITIONS and isinstance(value, tuple) and depth:
            for members in value:
                if isinstance(members, dict):
                    yield from _contested(members, profile, depth - 1)


def _judge(case: Case) -> None:
    """Steps 8 to 17: the rows stand in the order of evaluation."""
    claims, needed = case.claims, case.options.needed
    for label, claim in case.profile.claims.items():
        if label in claims:
            if claim.judge is None:
                continue
            holds = JUDGES[claim.judge](claims[label], case)
            if not holds:
                reason = "claim_unsupported" if holds is None else claim.reason
                raise Refused(reason, claim.step, claim.name)
        elif claim.name in needed:
            raise Refused(needed[claim.name], claim.step, claim.name)


__all__: Sequence[str] = ["Verdict", "verify", "verify_any"]
