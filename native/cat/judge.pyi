"""The judgement of a plan (C face: judge.pxd)."""

from collections.abc import Callable, Iterable
from typing import final

from native.cat.request import Request

@final
class Rules:
    """What the verifier asks of every token; `required` are labels that must be present.

    `normalise` gives (scheme, host, port, path, query) of a request's URI, without its token, where
    the kernel does not see at once that it is normal; None when it has no normal form.
    """

    def __init__(
        self,
        issuers: Iterable[str] = (),
        audiences: Iterable[str] = (),
        subject: str | None = None,
        skew_s: float = 0,
        required: Iterable[int] = (),
        normalise: Callable[[Request], tuple[str, str, str, str, str] | None] = ...,
    ) -> None: ...
