"""One attempt: the body, its signature, and what came of it (CTL-150, CTL-151, CTL-154)."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from control_api import events
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.signature import signed
from control_api.webhooks.vault import Vault
from runtime.clock import Clock
from runtime.fetch import Fetcher, FetchError

ANSWER_BYTES: Final = 65_536  # looked at by nobody
AGENT: Final = "Headwater-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an endpoint answered; `error` is empty when it took the message."""

    status: int | None
    duration_ms: int
    error: str = ""
    retry_after: str = ""

    @property
    def good(self) -> bool:
        return not self.error


def body_of(payload: str) -> bytes:
    """What is sent for an event: `{type, timestamp, data}`, the same bytes at every attempt."""
    event = events.decode(payload.encode())
    return msgspec.json.encode({"type": event.type, "timestamp": event.time, "data": event.data})


def fetcher(settings: Webhooks) -> Fetcher:
    """The client for endpoints: it connects to public and configured addresses only."""
    return Fetcher(
        None,
        name="webhooks",
        timeout_s=settings.timeout_s,
        connect_timeout_s=settings.timeout_s,
        max_bytes=ANSWER_BYTES,
        private=settings.private_networks,
    )


class Sender:
    """Signs with the secrets that are valid now, and asks."""

    def __init__(self, fetcher: Fetcher, vault: Vault, clock: Clock) -> None:
        self._fetcher = fetcher
        self._vault = vault
        self._clock = clock

    async def send(self, endpoint: Any, message_id: str, body: bytes) -> Outcome:
        """One POST; a redirect is a failure, and so is what the guard refuses."""
        now_ms, begun_s = self._clock.now_ms(), self._clock.monotonic_s()
        sealed = [endpoint.secret_current]
        if endpoint.secret_previous is not None and now_ms < endpoint.previous_until_ms:
            sealed.append(endpoint.secret_previous)
        keys = [self._vault.open(endpoint.id, text) for text in sealed]
        headers = signed(keys, message_id, now_ms // 1_000, body)
        status, error, retry_after = None, "", ""
        try:
            answer = await self._fetcher.post(endpoint.url, body, {**headers, "User-Agent": AGENT})
            status, retry_after = answer.status, answer.headers.get("retry-after", "")
            error = "" if 200 <= status < 300 else f"status {status}"
        except FetchError as refused:
            error = refused.code
        duration_ms = round(1_000 * (self._clock.monotonic_s() - begun_s))
        return Outcome(status, duration_ms, error, retry_after)
