"""The verdict on a token (C face: verdict.pxd)."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from typing_extensions import disjoint_base

from native.cat.model import Value

_Renew = TypeVar("_Renew", covariant=True)
_Respond = TypeVar("_Respond", covariant=True)
_Pending = TypeVar("_Pending", covariant=True)

@disjoint_base
class Verdict(Generic[_Renew, _Respond, _Pending]):
    """Immutable. Two are equal when all but `pending` is; `claims` and `pending` are not shown.

    `claims` are read from the token's bytes when they are first asked for; `step` is the step of
    specs/cat.md section 10 that it came to.
    """

    def __init__(
        self,
        accept: bool,
        reason: str,
        claim: str | None = None,
        claims: Mapping[Value, Value] = ...,
        kid: str | None = None,
        step: int = 0,
        renew: _Renew | None = None,
        respond: _Respond | None = None,
        pending: _Pending | None = None,
    ) -> None: ...
    @property
    def accept(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def claim(self) -> str | None: ...
    @property
    def claims(self) -> Mapping[Value, Value]: ...
    @property
    def kid(self) -> str | None: ...
    @property
    def step(self) -> int: ...
    @property
    def renew(self) -> _Renew | None: ...
    @property
    def respond(self) -> _Respond | None: ...
    @property
    def pending(self) -> _Pending | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __class_getitem__(cls, _types: Any) -> Any: ...
    def parts(
        self,
    ) -> tuple[bool, str, str | None, str | None, int, _Renew | None, _Respond | None]:
        """Everything but claims and `pending`."""
