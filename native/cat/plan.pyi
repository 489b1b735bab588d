"""A token's claims compiled to tests (C face: plan.pxd)."""

from typing import Any, final

from native.cat.verdict import Verdict

@final
class Plan:
    """One accepted form of a token; `Fast` makes and keeps it. `payload` holds the claims as
    received, `verdict` is the answer where everything holds.
    """

    payload: bytes
    verdict: Verdict[Any, Any, Any]
