"""Asks the router for the order of CDNs; a static order, with the reason, when it is away."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from control_api.settings import Pathway
from runtime import logs
from runtime.breaker import Breaker, BreakerOpen
from runtime.fetch import Fetcher, FetchError

log = logs.get("control")

PathwayId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
STATIC_TTL_S = 30
MAX_ANSWER_BYTES = 65_536
AWAY = "router_unavailable"
LATE = "router_timeout"
SENTENCES = {  # CTL-188
    AWAY: "the router does not answer, the configured order is kept",
    LATE: "the router was late, its last order is kept",
}


class Question(Struct):
    """What the router may know of a session; `content` is the origin path."""

    session_id: str
    content: str
    country: str


class Choice(Struct):
    id: PathwayId
    base_url: str


class SteeringUrls(Struct):
    hls: str
    dash: str


class Decision(Struct):
    """Pathways in order of preference, why so, and how long that holds."""

    pathways: Annotated[list[Choice], Meta(min_length=1, max_length=16)]
    reason: str
    sentence: str
    ttl_s: Annotated[int, Meta(ge=1, le=86_400)]
    steering: SteeringUrls | None = None

    @property
    def cohort(self) -> str:
        """The proxy's name for this order."""
        return "~".join(pathway.id for pathway in self.pathways)


class Router(Protocol):
    async def decide(self, question: Question, timeout_s: float) -> Decision:
        """Never raises: a router that is away is answered for."""


class HttpRouter:
    """`POST {base}/v1/decisions`, one attempt, and one more when the connection was refused.

    Degradation (CTL-188): away -> the configured order, `router_unavailable`; late -> the last
    order it gave, else the configured one, `router_timeout`.
    """

    def __init__(self, base_url: str, fetcher: Fetcher, fallback: Sequence[Pathway]) -> None:
        self._url = f"{base_url}/v1/decisions"
        self._fetcher = fetcher
        self._breaker = Breaker("router", counts=(FetchError,))
        self._static = [Choice(pathway.id, pathway.base_url) for pathway in fallback]
        self._last: list[Choice] | None = None

    async def decide(self, question: Question, timeout_s: float) -> Decision:
        try:
            decision = await self._breaker.call(lambda: self._ask(question, timeout_s))
        except FetchError as error:
            return self._without(LATE if error.code == "timeout" else AWAY, str(error))
        except (BreakerOpen, msgspec.DecodeError) as error:
            return self._without(AWAY, str(error))
        self._last = decision.pathways
        return decision

    async def _ask(self, question: Question, timeout_s: float) -> Decision:
        body = msgspec.json.encode(question)
        try:
            answer = await self._fetcher.post(
                self._url, body, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES
            )
        except FetchError as error:
            if error.code != "refused":
                raise
            answer = await self._fetcher.post(
                self._url, body, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES
            )
        if answer.status not in (200, 201):
            raise FetchError("unreachable", f"status {answer.status}")
        return msgspec.json.decode(answer.body, type=Decision)

    def _without(self, reason: str, detail: str) -> Decision:
        log.warning("router_away", reason=reason, detail=detail)
        order = self._last if reason == LATE and self._last else self._static
        return Decision(order, reason, SENTENCES[reason], STATIC_TTL_S)
