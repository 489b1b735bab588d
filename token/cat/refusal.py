"""The HTTP answer of a refusal (CAT section 11, CAT-110). It says nothing of keys, lists or other
viewers (CAT-111).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cat.tables import REASONS
from cat.verify import Verdict

EXPOSED: Final = (
    "CTA-Common-Access-Token, CAT-Reason, Content-Length, Content-Range, Date, Retry-After"
)
RETRY_AFTER_S: Final = 2
NO_STATUSES: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RefusalAnswer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def refusal(
    verdict: Verdict, *, explain: bool = True, statuses: Mapping[str, int] = NO_STATUSES
) -> RefusalAnswer:
    """Status, headers and body for a verdict that does not accept: what the token's catif asked
    for, else the reason's own. `statuses` are others by reason; without `explain` it says no more
    than the status.
    """
    reason = REASONS[verdict.reason]
    wanted = verdict.respond
    status = statuses.get(reason.code, reason.status) if wanted is None else wanted.status
    headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", EXPOSED),
    ]
    if explain:
        headers.append(("CAT-Reason", reason.code))
    if status == 401:
        scheme = 'DPoP error="invalid_dpop_proof"' if reason.code == "dpop" else None  # CAT-81
        plain = f'CAT error="{reason.code}"' if explain else "CAT"
        headers.append(("WWW-Authenticate", scheme or plain))
    if reason.status == 503:
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    if wanted is not None:
        headers = _merged(headers, wanted.headers)
    body = {"error": "cat", "reason": reason.code, "claim": verdict.claim}
    data = json.dumps(body, separators=(",", ":")).encode() if explain else b"{}"
    return RefusalAnswer(status, tuple(headers), data)


def _merged(
    headers: list[tuple[str, str]], wanted: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """What catif sets takes the place of ours, but a refusal is never stored (CAT-61, CAT-110)."""
    fields = dict(headers) | dict(wanted)
    control = fields["Cache-Control"]
    if "no-store" not in re.split(r"[\s,]+", control.lower()):
        fields["Cache-Control"] = f"{control}, no-store"
    return list(fields.items())
