"""A verdict in words, for people (`headwater token inspect`)."""

from collections.abc import Iterator
from typing import Final

from cat.tables import REASONS
from cat.verify import ACCEPTED_STEP, Verdict

STEPS: Final = (  # CAT section 10
    "nothing was looked at",
    "size and text form",
    "CBOR and COSE shape",
    "algorithm and critical headers",
    "key",
    "signature",
    "contested and foreign labels",
    "forms of the claims",
    "critical claims",
    "version",
    "times",
    "issuer, audience, subject",
    "revocation",
    "request: method, URI, headers, network, place",
    "composition",
    "proof of possession",
    "portion",
    "replay",
)


def explain(verdict: Verdict) -> Iterator[str]:
    """One line a fact, the verdict first."""
    key = "no key" if verdict.kid is None else f"key {verdict.kid}"
    if verdict.accept:
        yield f"accepted: every check of steps 1 to {ACCEPTED_STEP - 1} passed, sealed by {key}"
    else:
        why = REASONS[verdict.reason].meaning
        about = "" if verdict.claim is None else f", claim {verdict.claim}"
        yield f"refused: {verdict.reason}{about}: {why}"
        yield f"it came to step {verdict.step}: {STEPS[verdict.step]}"
        if verdict.kid is not None:
            yield f"its seal holds under {key}"
    if verdict.respond is not None:
        yield f"the token itself asks for status {verdict.respond.status} (catif)"
    if verdict.renew is not None:
        yield f"it is due for renewal, by {verdict.renew.delivery.name.lower()} (catr)"
    if verdict.pending is not None:
        waiting = ", ".join(due.claim for due in verdict.pending.due)
        yield f"a store has to settle: {waiting}"
