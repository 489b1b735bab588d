"""The quick yes."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, final

from typing_extensions import disjoint_base

from native.cat.epoch import Epoch
from native.cat.judge import Rules
from native.cat.model import Value
from native.cat.namer import Namer
from native.cat.plan import Plan
from native.cat.request import Request
from native.cat.verdict import Verdict

_Verdict = TypeVar("_Verdict", bound=Verdict[object, object, object])

@final
class Sealer:
    """One key: `secret` for HS256, else `holds(sealed bytes, seal)`; live from `not_before` until
    `not_after` (epoch seconds). `name` is the verdicts' kid.
    """

    def __init__(
        self,
        kid: bytes,
        algorithm: int,
        name: str,
        secret: bytes | None = None,
        holds: Callable[[bytes, bytes], bool] | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
    ) -> None: ...

@disjoint_base
class Fast(Generic[_Verdict]):
    """Judges the common forms of tokens, and remembers up to twice `most` of those whose seal held,
    by the names of `namer` (CAT-101). Each is asked of `cleared` again when `epoch` has moved; with
    `renews` it leaves tokens that are due to `otherwise`. Verdicts are of `kind`; `decode`
    reads the claims of a payload that was found well-formed.
    """

    def __init__(
        self,
        kind: type[_Verdict],
        decode: Callable[[bytes], Value],
        sealers: Sequence[Sealer],
        rules: Rules,
        namer: Namer,
        most: int,
        epoch: Epoch | None = None,
        renews: bool = False,
    ) -> None: ...
    def verify(self, token: str, request: Request) -> _Verdict:
        """The token's verdict where it is certainly accepted, else `otherwise`."""
    def cleared(self, plan: Plan, now: float) -> bool:
        """Whether no list revokes the token."""
    def otherwise(self, token: str, request: Request) -> _Verdict:
        """The answer where the kernel has none: judge in full."""
    def __class_getitem__(cls, verdict: Any) -> Any: ...
    def __len__(self) -> int: ...
