"""A producer for Kafka and what speaks its protocol; needs the extra `kafka` (components, events).

The driver is imported when a producer starts, so that nobody else needs it.
"""

import asyncio
import importlib
import ssl
from collections.abc import Sequence
from typing import Any, Literal

Acks = Literal["leader", "all"]


class KafkaError(Exception):
    """`code`: missing (the extra is not installed), unavailable, refused."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class KafkaProducer:
    """A part. `servers` are host:port; a message counts as sent when `acks` of it say so."""

    def __init__(
        self,
        servers: Sequence[str],
        *,
        acks: Acks = "all",
        tls: bool = False,
        timeout_ms: int = 5_000,
        client_id: str = "headwater",
    ) -> None:
        self.name = "kafka"
        self._servers = list(servers)
        self._acks = acks
        self._tls = tls
        self._timeout_ms = timeout_ms
        self._client_id = client_id
        self._producer: Any = None
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        """Nothing is connected yet: brokers that are away keep no process from starting."""
        _driver()

    def ready(self) -> str | None:
        return None

    async def drain(self) -> None:
        """Stays usable."""

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def send(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Send one message and wait for the broker's word. Raises KafkaError; one that is
        `unavailable` may be tried again.
        """
        driver, errors = _driver()
        try:
            async with self._connecting:
                if self._producer is None:
                    self._producer = await self._connected(driver)
            await self._producer.send_and_wait(topic, value, key=key, headers=list(headers))
        except errors.KafkaError as error:
            code = "unavailable" if error.retriable or _lost(errors, error) else "refused"
            raise KafkaError(code, type(error).__name__) from None

    async def _connected(self, driver: Any) -> Any:
        producer = driver.AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id=self._client_id,
            acks="all" if self._acks == "all" else 1,
            request_timeout_ms=self._timeout_ms,
            security_protocol="SSL" if self._tls else "PLAINTEXT",
            ssl_context=ssl.create_default_context() if self._tls else None,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer


def _lost(errors: Any, error: Exception) -> bool:
    return isinstance(error, errors.KafkaConnectionError)


def _driver() -> tuple[Any, Any]:
    try:
        return importlib.import_module("aiokafka"), importlib.import_module("aiokafka.errors")
    except ImportError:
        raise KafkaError("missing", "install headwater[kafka]") from None
