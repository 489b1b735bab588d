"""One playback start as a collector of spans sees it: W3C Trace Context, OpenTelemetry (CTL-9)."""

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from control_api.streams import SINCE
from runtime import telemetry, tracing
from runtime.sections import Telemetry
from runtime.sql import Database
from runtime.store.remote import RedisStore
from runtime.web import Web

pytest.importorskip("opentelemetry.sdk")

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = CALLER.split("-")[1]
PARENT = CALLER.split("-")[2]
ROW = "INSERT INTO playback_session"
QUIET = CALLER[:-1] + "0"  # not sampled by the caller


class Collector:
    """What OTLP over HTTP brought."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.keys: set[str] = set()
        self.asked: list[str] = []
        app = web.Application()
        app.router.add_post("/v1/traces", self.take)
        app.router.add_post("/v1/decisions", self.decide)
        self.listener = Web("collector", app, host="127.0.0.1", port=0)

    async def take(self, request: web.Request) -> web.Response:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        assert request.content_type == "application/x-protobuf"
        self.keys.add(request.headers.get("api-key", ""))
        told = ExportTraceServiceRequest.FromString(await request.read())
        for resource in told.resource_spans:
            self.services |= {each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response()

    async def decide(self, request: web.Request) -> web.Response:
        """A router that is asked, and is away."""
        self.asked.append(request.headers["traceparent"])
        return web.Response(status=503)

    def of(self, trace_id: str) -> list[Any]:
        return [each for each in self.spans if each.trace_id.hex() == trace_id]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    found = Collector()
    await found.listener.start()
    yield found
    await found.listener.stop()


@pytest.fixture
async def exporter(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[telemetry.Exporter]:
    monkeypatch.setattr(telemetry, "FLUSH_S", 60)  # the collector is on this loop
    settings = Telemetry(
        otlp_url=f"{collector.listener.url}/v1/traces",
        headers={"api-key": "hunter2"},
        delay_ms=60_000,
    )
    [part] = telemetry.parts("control", settings)
    assert isinstance(part, telemetry.Exporter)
    await part.start()
    yield part
    await part.stop()


def told(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.fixture
async def shelf(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, timeout_ms=10_000)
    await store.start()
    yield store
    await store.stop()


@pytest.mark.twin
@pytest.mark.parametrize("since_ms", [b"1", None], ids=["warm", "cold"])
async def test_a_start_is_one_trace_from_its_caller_to_the_router(
    collector: Collector,
    exporter: telemetry.Exporter,
    kept: Database,
    shelf: RedisStore,
    make_api: Any,
    since_ms: bytes | None,
) -> None:
    """Item 8: traceparent in, spans for request, SQL, Redis, router and token, traceparent out."""
    await (shelf.put(SINCE, since_ms) if since_ms else shelf.delete(SINCE))
    router_url = collector.listener.url
    api = await make_api(kept, router="http", router_url=router_url, store=shelf, router_ms=30_000)
    body = {"channel_id": "ch_demo", "device": {"id": "one"}}
    status, answer = await api.send(
        "POST", "/v1/playback/start", body, headers={"traceparent": CALLER}
    )
    assert (status, answer["decision"]["reason"]) == (201, "router_unavailable")
    lost = await api.send("GET", "/v1/recordings/rec_none", headers={"traceparent": QUIET})
    assert lost[1]["trace_id"] == TRACE
    await exporter.stop()
    assert collector.services >= {"headwater-control"} and collector.keys == {"hunter2"}
    found = collector.of(TRACE)
    spans = {each.name: each for each in found}
    by_id = {each.span_id: each for each in collector.spans}
    request = spans["POST /v1/playback/start"]
    assert (request.parent_span_id.hex(), request.kind) == (PARENT, 2)
    assert told(request)["http.response.status_code"] == 201
    [insert] = [each for each in found if ROW in told(each).get("db.query.text", "")]
    select = spans[f"SELECT {kept.dialect}"]
    for above in (spans["token.issue"], spans["POST"], select, insert, spans["EVALSHA"]):
        while above.span_id != request.span_id:
            above = by_id[above.parent_span_id]
    router = next(each for each in collector.spans if each.span_id.hex() in collector.asked[0])
    assert (router.name, told(router)["url.path"]) == ("POST", "/v1/decisions")
    assert collector.asked[0] == f"00-{TRACE}-{router.span_id.hex()}-01"
    assert insert.name.endswith(f" {kept.dialect}")
    assert answer["token"] not in repr(collector.spans), "what is told is not what was given"


async def test_spans_end_with_their_errors_and_begin_where_nobody_called(
    collector: Collector, exporter: telemetry.Exporter, kept: Any, make_api: Any
) -> None:
    api = await make_api(kept)
    with capture_logs() as lines:
        await api.send("GET", "/v1/catalog/contents/cnt_none")
        await api.send("GET", "/v1/catalog/contents/cnt_none", headers={"traceparent": QUIET})
    with pytest.raises(ValueError, match="hunter2"), tracing.span("outer"):
        raise ValueError("hunter2")
    await exporter.stop()
    outer = next(each for each in collector.spans if each.name == "outer")
    assert (outer.status.code, told(outer)) == (2, {"error.type": "ValueError"})
    assert "hunter2" not in repr(collector.spans)
    [root] = [each for each in collector.spans if each.name.startswith("GET /v1/catalog")]
    assert root.parent_span_id == b"", "what its caller does not sample is not collected"
    logged = [line["traceparent"] for line in lines if line["event"] == "request"]
    assert logged[0] == f"00-{root.trace_id.hex()}-{root.span_id.hex()}-{logged[0][-2:]}"
    assert logged[1].split("-")[1::2] == [TRACE, "00"]
    with tracing.span("later"):
        pass
    assert not tracing.on() and "later" not in {each.name for each in collector.spans}


async def test_a_collector_that_is_away_holds_nobody_up() -> None:
    [part] = telemetry.parts(
        "control", Telemetry(otlp_url="http://127.0.0.1:9/v1/traces", timeout_s=0.2)
    )
    await part.start()
    with tracing.span("alone"):
        assert tracing.on()
    await part.stop()
    assert not tracing.on() and part.ready() == "not started"


def test_nothing_is_loaded_while_spans_go_nowhere() -> None:
    """A driver of Redis loads it by itself where it is installed; we do not."""
    assert telemetry.parts("control", Telemetry()) == ()
    assert tracing.span("a") is tracing.span("b"), "one object for all"
    program = (
        "import sys, runtime.web, runtime.fetch, runtime.statements, runtime.telemetry;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    [part] = telemetry.parts("control", Telemetry(otlp_url="http://127.0.0.1:9/v1/traces"))
    with pytest.raises(RuntimeError, match="telemetry extra"):
        await part.start()
