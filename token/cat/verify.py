"""The verdict on a token. The steps are those of CAT section 10; the first failure in that order is
the verdict.

Rules of the file: nothing of a claim is looked at before the seal holds (CAT-27); every failure is
a `Refused` raised with its step; a restriction that cannot be evaluated refuses
(`claim_unsupported`), it never passes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cat import conditional, privacy
from cat.cbor import Value
from cat.cloudfront_docs import label as number_of
from cat.context import LIBRARY_DEFAULTS, Case, Context, Options
from cat.due import Due
from cat.errors import Refused
from cat.judges import JUDGES
from cat.keys import KeySet
from cat.mint import Mint
from cat.opening import opened
from cat.renewal import Renewed, renewed
from cat.revocation import Revoked
from cat.seen import Believed, Seen
from cat.shapes import SHAPES
from cat.tables import COMPOSITIONS, CONTESTED, LABELS, LIMITS, Profile
from native.cat import Verdict as Judgement

ACCEPTED_STEP = 18
_STEPS = {"contested": 6, "shape": 7, "revoked": 12}


@dataclass(frozen=True, slots=True)
class Respond:
    """What a token's catif wants answered in place of the reason's own answer (CAT-60)."""

    status: int
    headers: tuple[tuple[str, str], ...]


class Verdict(Judgement[Renewed, Respond, "Pending"]):
    """`claims` is empty until the seal holds. `renew` and `respond` are null when nothing is due
    (CAT-102). A verdict with something `pending` does not accept: a `Guard` settles it.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """What a store has still to say of a token, in order, and the verdicts that come of it."""

    due: tuple[Due, ...]
    case: Case
    kid: str | None
    mint: Mint | None

    def accepted(self) -> Verdict:
        """Everything was settled."""
        renew = None if self.mint is None else renewed(self.case, self.kid, self.mint)
        return Verdict(True, "ok", None, self.case.claims, self.kid, ACCEPTED_STEP, renew)

    def refused(self, reason: str, due: Due) -> Verdict:
        """The store said no to `due`."""
        return _refusal(self.case, Refused(reason, due.step, due.claim), self.kid, self.mint)


def verify(
    token: str,
    context: Context,
    keys: KeySet,
    options: Options = LIBRARY_DEFAULTS,
    seen: Seen | None = None,
    *,
    mint: Mint | None = None,
    revoked: Revoked | None = None,
) -> Verdict:
    """Judge one token in its transport form. Never raises on any token; with `seen` the verdict is
    the same, sooner (CAT-101). With a `mint` accepted tokens are renewed and catif answers carry
    tokens; `revoked` is asked for lists (CAT-73).
    """
    case = Case({}, context, options, token)
    kid: str | None = None
    try:
        believed = None if seen is None else seen.get(token, keys, options, context.now)
        if believed is None:
            read = opened(token, keys, context.now, options)
            kid = read.key.kid
            claims = _labelled(read.claims, options)
            case = replace(case, claims=claims, payload=read.payload)
            _check_forms(case, read.encrypted)
            if seen is not None and not read.encrypted:
                seen.put(token, keys, options, Believed(read.key, claims, read.payload))
        else:
            kid = believed.key.kid
            case = replace(case, claims=believed.claims, payload=believed.payload)
        _judge(case, kid, revoked)
    except Refused as refused:
        return _refusal(case, refused, kid, mint)
    pending = Pending(tuple(case.pending), case, kid, mint)
    if not pending.due:
        return pending.accepted()
    first = pending.due[0]
    return Verdict(*(False, "store", first.claim, case.claims, kid, first.step), pending=pending)


def _refusal(case: Case, refused: Refused, kid: str | None, mint: Mint | None) -> Verdict:
    respond = _respond(case, refused, mint)
    return Verdict(
        *(False, refused.reason, refused.claim, case.claims, kid, refused.step), respond=respond
    )


def _respond(case: Case, refused: Refused, mint: Mint | None) -> Respond | None:
    """catif is read where every form held, and never for a revoked token (CAT-27, CAT-60)."""
    if refused.step <= _STEPS["shape"] or refused.reason == "revoked" or refused.claim is None:
        return None
    found = conditional.answer(case, refused.claim, mint)
    return None if found is None else Respond(found[0], tuple(found[1].items()))


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


def _labelled(claims: Mapping[Value, Value], options: Options) -> Mapping[Value, Value]:
    """Labels as ints; where the profile writes them as decimal text, both spellings of one are
    wrong (CAT-62).
    """
    if options.profile != "cloudfront-docs":
        return claims
    labelled: dict[Value, Value] = {}
    for label, value in claims.items():
        number = number_of(label)
        if number in labelled:
            raise Refused("malformed", _STEPS["contested"])
        labelled[number] = value
    return labelled


def _check_forms(case: Case, encrypted: bool) -> None:
    """Steps 6 and 7."""
    options = case.options
    if options.contested == "refuse":
        contested = min(_contested(case.claims, case.profile, LIMITS.set_depth), default=None)
        if contested is not None:
            raise Refused("claim_contested", _STEPS["contested"], str(contested))
    if options.foreign == "reject":
        for label in case.claims:
            if label not in case.profile.claims and label not in CONTESTED:
                raise Refused("claim_unsupported", _STEPS["contested"], str(label))
    for label, claim in case.profile.claims.items():
        if label in case.claims and not SHAPES[claim.shape](case.claims[label], case.profile):
            raise Refused("claim_malformed", _STEPS["shape"], claim.name)
    if LABELS["catdpop"] in case.claims and LABELS["cnf"] not in case.claims:
        raise Refused("claim_malformed", _STEPS["shape"], "catdpop")  # CAT-81
    if options.privacy == "reject" and not encrypted:
        for finding in privacy.findings(case.claims):
            raise Refused("claim_unsupported", _STEPS["shape"], finding.claim)


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


def _judge(case: Case, kid: str | None, revoked: Revoked | None) -> None:
    """Steps 8 to 17: the rows stand in the order of evaluation."""
    claims, needed = case.claims, case.options.needed
    unasked = revoked
    for label, claim in case.profile.claims.items():
        if unasked is not None and claim.step > _STEPS["revoked"]:
            _check_revoked(case, kid, unasked)
            unasked = None
        if label in claims:
            if claim.judge is None:
                continue
            holds = JUDGES[claim.judge](claims[label], case)
            if not holds:
                reason = "claim_unsupported" if holds is None else claim.reason
                raise Refused(reason, claim.step, claim.name)
        elif claim.name in needed:
            raise Refused(needed[claim.name], claim.step, claim.name)


def _check_revoked(case: Case, kid: str | None, revoked: Revoked) -> None:
    """Step 12."""
    found = revoked.finds(case.claims, kid, case.context.now)
    if found is not None:
        raise Refused(found.reason, _STEPS["revoked"], found.claim)


__all__: Sequence[str] = ["Respond", "Verdict", "verify", "verify_any"]
