"""Where spans go: an OpenTelemetry collector (OTLP over HTTP), in batches that nobody waits for."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime import logs, tracing
from runtime.sections import Telemetry
from runtime.service import Part

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_S = 1.0  # within the second and a half that stopping may take (runtime.service)

log = logs.get("telemetry")


class Exporter:
    """A part that collects the process's spans from its start to its stop."""

    name = "telemetry"

    def __init__(self, service: str, settings: Telemetry) -> None:
        self._service = service
        self._settings = settings
        self._provider: TracerProvider | None = None

    async def start(self) -> None:
        self._provider = _provider(self._service, self._settings)
        tracing.collect(self._provider.get_tracer("headwater"))

    def ready(self) -> str | None:
        return None if self._provider is not None else "not started"

    async def drain(self) -> None:
        """The parts above still have something to tell."""

    async def stop(self) -> None:
        tracing.collect(None)
        provider = self._provider
        if provider is None:
            return
        self._provider = None
        flushed, loop = asyncio.Event(), asyncio.get_running_loop()

        def flush() -> None:
            provider.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waited for so long
                loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=flush, name="last-spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_S):
                await flushed.wait()
        except TimeoutError:
            log.warning("spans_lost", service=self._service)


def parts(service: str, settings: Telemetry) -> Sequence[Part]:
    """What a process starts first: nothing, where spans go nowhere."""
    return (Exporter(service, settings),) if settings.otlp_url else ()


def _provider(service: str, settings: Telemetry) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError:
        raise RuntimeError("telemetry.otlp_url is set: install the telemetry extra") from None
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_url,
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        timeout=settings.timeout_s,
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
        resource=Resource({"service.name": f"headwater-{service}"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=settings.delay_ms)
    )
    return provider
