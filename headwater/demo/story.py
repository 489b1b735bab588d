"""What the strip on the demo page tells: five boxes, each with a state, one number and a note.

The numbers come from the services' own listeners, as an operator would read them: Prometheus text
of the origin, the edges' state, the router's pathways and moves. `tell` is pure; `Story` polls.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from prometheus_client.parser import text_string_to_metric_families

INTERVAL_S = 0.5
TIMEOUT = ClientTimeout(total=0.8)
LATE_EDGE_S = 6.0  # a live edge older than this means the encoder is silent

NOTHING = "\N{EN DASH}"

Samples = Mapping[str, float]  # metric name -> sum over its labels


@dataclass(frozen=True)
class Box:
    """state: ok, warn, bad or idle; the page shows shape and colour for it."""

    state: str
    value: str
    note: str
    mode: str = ""


@dataclass(frozen=True)
class Sources:
    """Where to ask; `edges` maps a pathway id to the URL of its admin listener."""

    origin: str
    router: str
    edges: Mapping[str, str]


@dataclass(frozen=True)
class Answers:
    """What the services said, None where one was silent."""

    origin: Samples | None
    pathways: Sequence[Mapping[str, Any]] | None
    moves: Sequence[Mapping[str, Any]] = ()
    edges: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


def tell(answers: Answers) -> dict[str, Any]:
    """The story as the page reads it."""
    health = {pathway["id"]: pathway for pathway in answers.pathways or ()}
    return {
        "encoder": asdict(_encoder(answers.origin)),
        "origin": asdict(_origin(answers.origin)),
        "edges": {
            name: asdict(_edge(state, health.get(name))) for name, state in answers.edges.items()
        },
        "moves": [
            {"at": move["at_ms"], "sentence": move["sentence"], "reason": move["reason"]}
            for move in answers.moves[:10]
        ],
    }


def _encoder(samples: Samples | None) -> Box:
    age_s = None if samples is None else samples.get("headwater_origin_live_edge_age_seconds")
    if age_s is None:
        return Box("idle", NOTHING, "no live segment yet")
    if age_s > LATE_EDGE_S:
        return Box("bad", f"{age_s:.0f} s", "since its last segment")
    return Box("ok", f"{age_s:.1f} s", "age of the live edge")


def _origin(samples: Samples | None) -> Box:
    if samples is None:
        return Box("bad", NOTHING, "no answer")
    chunks = samples.get("headwater_origin_ingest_chunks_total", 0.0)
    return Box("ok", f"{chunks:.0f}", "chunks taken in")


def _edge(state: Mapping[str, Any] | None, health: Mapping[str, Any] | None) -> Box:
    if state is None:
        return Box("bad", NOTHING, "no answer")
    requests = state["hits"] + state["misses"]
    value = f"{100 * state['hits'] / requests:.0f} % hits" if requests else "no requests"
    mode, seen = state["mode"], health["health"] if health else "unknown"
    mood = {"up": "ok", "slow": "warn", "out": "bad"}.get(seen, "idle")
    note = f"router: {seen}" + (f" ({health['why']})" if health and health["why"] else "")
    return Box(mood, value, note, mode)


class Story:
    """Polls the services and hands each new telling to whoever listens."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._told = asyncio.Condition()
        self._text = json.dumps(tell(Answers(None, None, edges=dict.fromkeys(sources.edges))))

    async def forever(self) -> None:
        async with ClientSession(timeout=TIMEOUT) as session:
            while True:
                text = json.dumps(tell(await self._ask(session)))
                async with self._told:
                    if text != self._text:
                        self._text = text
                        self._told.notify_all()
                await asyncio.sleep(INTERVAL_S)

    async def next(self, seen: str | None) -> str:
        """The newest telling, as soon as it differs from `seen`."""
        async with self._told:
            await self._told.wait_for(lambda: self._text != seen)
            return self._text

    async def _ask(self, session: ClientSession) -> Answers:
        async def json_of(url: str) -> Any:
            text = await _text(session, url)
            return None if text is None else json.loads(text)

        names = list(self._sources.edges)
        metrics, pathways, moves, *edges = await asyncio.gather(
            _text(session, f"{self._sources.origin}/metrics"),
            json_of(f"{self._sources.router}/v1/pathways"),
            json_of(f"{self._sources.router}/v1/moves"),
            *(json_of(f"{self._sources.edges[name]}/state") for name in names),
        )
        return Answers(
            None if metrics is None else _sums(metrics),
            None if pathways is None else pathways["pathways"],
            () if moves is None else moves["moves"],
            dict(zip(names, edges, strict=True)),
        )


async def _text(session: ClientSession, url: str) -> str | None:
    try:
        async with session.get(url) as answer:
            return await answer.text() if answer.status == 200 else None
    except (ClientError, TimeoutError):
        return None


def _sums(text: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
