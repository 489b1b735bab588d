"""The HTTP answer of a refusal (CAT section 11, CAT-110). It says nothing of keys, lists or other
viewers (CAT-111).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cat.tables import REASONS
from cat.verify import Verdict

EXPOSED: Final = (
    "CTA-Common-Access-Token, CAT-Reason, Content-Length, Content-Range, Date, Retry-After"
)
RETRY_AFTER_S: Final = 2


@dataclass(frozen=True, slots=True)
class RefusalAnswer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def refusal(verdict: Verdict) -> RefusalAnswer:
    """Status, headers and body for a verdict that does not accept: what the token's catif asked
    for, else the reason's own.
    """
    reason = REASONS[verdict.reason]
    wanted = verdict.respond
    status = reason.status if wanted is None else wanted.status
    headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", EXPOSED),
        ("CAT-Reason", reason.code),
    ]
    if status == 401:
        scheme = 'DPoP error="invalid_dpop_proof"' if reason.code == "dpop" else None  # CAT-81
        headers.append(("WWW-Authenticate", scheme or f'CAT error="{reason.code}"'))
    if reason.status == 503:
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    if wanted is not None:
        headers = _merged(headers, wanted.headers)
    body = {"error": "cat", "reason": reason.code, "claim": verdict.claim}
    return RefusalAnswer(status, tuple(headers), json.dumps(body, separators=(",", ":")).encode())


def _merged(
    headers: list[tuple[str, str]], wanted: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """What catif sets takes the place of ours, but a refusal is never stored (CAT-61, CAT-110)."""
    fields = dict(headers) | dict(wanted)
    control = fields["Cache-Control"]
    if "no-store" not in re.split(r"[\s,]+", control.lower()):
        fields["Cache-Control"] = f"{control}, no-store"
    return list(fields.items())
