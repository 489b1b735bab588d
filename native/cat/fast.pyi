"""The quick yes."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, final

from typing_extensions import disjoint_base

from native.cat.epoch import Epoch
from native.cat.judge import Rules
from native.cat.plan import Plan
from native.cat.request import Request

_Verdict = TypeVar("_Verdict")

@final
class Sealer:
    """One key: `secret` for HS256, else `holds(sealed bytes, seal)`; live from `not_before` until
    `not_after` (epoch seconds). `key` is handed back in plans.
    """

    def __init__(
        self,
        kid: bytes,
        algorithm: int,
        key: object,
        secret: bytes | None = None,
        holds: Callable[[bytes, bytes], bool] | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
    ) -> None: ...

@disjoint_base
class Fast(Generic[_Verdict]):
    """Judges the common forms of tokens, and remembers up to twice `most` of those whose seal held,
    by their SHA-256 (CAT-101). Each is asked of `cleared` again when `epoch` has moved; with
    `renews` it leaves tokens that are due to `otherwise`.
    """

    def __init__(
        self,
        sealers: Sequence[Sealer],
        rules: Rules,
        most: int,
        epoch: Epoch | None = None,
        renews: bool = False,
    ) -> None: ...
    def verify(self, token: str, request: Request) -> _Verdict:
        """What `accepted` said of the token where it is certainly accepted, else `otherwise`."""
    def accepted(self, plan: Plan) -> _Verdict:
        """The answer for a token, asked once."""
    def cleared(self, plan: Plan, now: float) -> bool:
        """Whether no list revokes the token."""
    def otherwise(self, token: str, request: Request) -> _Verdict:
        """The answer where the kernel has none: judge in full."""
    def __class_getitem__(cls, verdict: Any) -> Any: ...
    def __len__(self) -> int: ...
