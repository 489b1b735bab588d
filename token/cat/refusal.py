"""The HTTP answer of a refusal (CAT section 11, CAT-110). It says nothing of keys, lists or other
viewers (CAT-111).
"""

import json
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
    """Status, headers and body for a verdict that does not accept."""
    reason = REASONS[verdict.reason]
    headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", EXPOSED),
        ("CAT-Reason", reason.code),
    ]
    if reason.code == "dpop":
        headers.append(("WWW-Authenticate", 'DPoP error="invalid_dpop_proof"'))  # CAT-81
    elif reason.status == 401:
        headers.append(("WWW-Authenticate", f'CAT error="{reason.code}"'))
    elif reason.status == 503:
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    body = {"error": "cat", "reason": reason.code, "claim": verdict.claim}
    return RefusalAnswer(
        reason.status, tuple(headers), json.dumps(body, separators=(",", ":")).encode()
    )
