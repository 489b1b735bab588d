"""A token's claims compiled to tests (C face: plan.pxd)."""

from typing import final

@final
class Plan:
    """One accepted form of a token; `Fast` makes and keeps it. `payload` holds the claims as
    received, `key` is what `Fast` was given with the key that sealed it, `verdict` is room for the
    caller's answer.
    """

    payload: bytes
    key: object
    verdict: object
