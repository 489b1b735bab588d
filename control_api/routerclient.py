"""Asks the router for the order of CDNs; a static order, with the reason, when it is away."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from control_api.settings import Pathway
from control_api.types import MAX_CDNS, CdnName
from runtime import logs
from runtime.breaker import Breaker, BreakerOpen
from runtime.fetch import FetchError
from runtime.hotline import Hotline

log = logs.get("control")

DECISIONS = "/v1/decisions"
STATIC_TTL_S = 30
MAX_ANSWER_BYTES = 65_536
AWAY = "router_unavailable"
LATE = "router_timeout"
UNSTEERED = ";unsteered"  # as the proxy reads cohorts
OFF = "router_off"
SENTENCES = {  # CTL-188
    AWAY: "the router does not answer, the configured order is kept",
    LATE: "the router was late, its last order is kept",
    OFF: "the router is switched off, the configured order is kept",
}


class Question(Struct):
    """What the router may know of a session; `content` is the origin path."""

    session_id: str
    content: str
    country: str
    device_class: str


class Choice(Struct):
    id: CdnName
    base_url: str


class SteeringUrls(Struct):
    hls: str
    dash: str


class Decision(Struct):
    """Pathways in order of preference, why so, and how long that holds. `steering` is None where a
    rule of the router switches it off, unset where the router said nothing.
    """

    pathways: Annotated[list[Choice], Meta(min_length=1, max_length=MAX_CDNS)]
    reason: str
    sentence: str
    ttl_s: Annotated[int, Meta(ge=1, le=86_400)]
    steering: SteeringUrls | UnsetType | None = UNSET

    @property
    def cohort(self) -> str:
        """The proxy's name for this order, and for whether its manifests name who steers."""
        names = "~".join(pathway.id for pathway in self.pathways)
        return names + UNSTEERED if self.steering is None else names


_DECISION = msgspec.json.Decoder(Decision)


class Router(Protocol):
    async def decide(self, question: Question, timeout_s: float) -> Decision:
        """Never raises: a router that is away is answered for."""


class HttpRouter:
    """`POST /v1/decisions`, one attempt, and one more when the connection was refused.

    Degradation (CTL-188): away -> the configured order, `router_unavailable`; late -> the last
    order it gave, else the configured one, `router_timeout`.
    """

    def __init__(self, line: Hotline, fallback: Sequence[Pathway]) -> None:
        self._line = line
        self._breaker = Breaker("router", counts=(FetchError,))
        self._static = _static(fallback)
        self._last: list[Choice] | None = None

    async def decide(self, question: Question, timeout_s: float) -> Decision:
        try:
            decision = await self._breaker.call(lambda: self._ask(question, timeout_s))
        except FetchError as error:
            return self._without(LATE if error.code == "timeout" else AWAY, str(error))
        except (BreakerOpen, ValueError) as error:
            return self._without(AWAY, str(error))
        self._last = decision.pathways
        return decision

    async def _ask(self, question: Question, timeout_s: float) -> Decision:
        body = msgspec.json.encode(question)
        limits: Any = {"timeout_s": timeout_s, "max_bytes": MAX_ANSWER_BYTES}
        try:
            answer = await self._line.post(DECISIONS, body, **limits)
        except FetchError as error:
            if error.code != "refused":
                raise
            answer = await self._line.post(DECISIONS, body, **limits)
        if answer.status not in (200, 201):
            raise FetchError("unreachable", f"status {answer.status}")
        return _DECISION.decode(answer.body)

    def _without(self, reason: str, detail: str) -> Decision:
        log.warning("router_away", reason=reason, detail=detail)
        order = self._last if reason == LATE and self._last else self._static
        return Decision(order, reason, SENTENCES[reason], STATIC_TTL_S)


class SwitchedRouter:
    """A router that is asked while `asks` says so, else the configured order is."""

    def __init__(
        self, inner: Router, fallback: Sequence[Pathway], asks: Callable[[], bool]
    ) -> None:
        self._inner = inner
        self._static = _static(fallback)
        self._asks = asks

    async def decide(self, question: Question, timeout_s: float) -> Decision:
        if self._asks():
            return await self._inner.decide(question, timeout_s)
        return Decision(self._static, OFF, SENTENCES[OFF], STATIC_TTL_S)


def _static(pathways: Sequence[Pathway]) -> list[Choice]:
    return [Choice(pathway.id, pathway.base_url) for pathway in pathways]
