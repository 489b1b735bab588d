"""Locust users: the players of bench/players on real sockets (CONTRACT).

Run by `headwater bench load`, or by hand:
locust -f bench/locustfile.py --headless -u 20 --host http://localhost:8001 LivePlayer
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from urllib.parse import urljoin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

from bench import players
from bench.players.playing import Playing
from bench.players.report import Answer, Kind, Report, cause
from bench.players.tally import tally

FOREVER_S = 1e9
METHODS = ("GET", "POST", "DELETE")  # other rows are players' own figures
SEEN_BY_HTTP = ("connection", "server", "refused", "gone", "missing")
reports: list[Report] = []
shielded: Counter[str] = Counter()


@events.init_command_line_parser.add_listener
def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--live", default="/live/demo/master.m3u8", help="paths, comma between")
    parser.add_argument("--vod", default="/vod/film/master.m3u8", help="paths, comma between")
    parser.add_argument("--steered", default="/live/demo/master.m3u8", help="path on the CDNs")
    parser.add_argument("--token", default="", help="content token for it, where CDNs want one")
    parser.add_argument("--seed", type=int, default=1, help="of the users' random choices")
    parser.add_argument("--viewers", type=int, default=20, help="virtual clients of a CdnShield")
    parser.add_argument("--account", default="demo@headwater.example", help="of a ControlClient")
    parser.add_argument("--password", default="headwater-demo", help="of that account")
    parser.add_argument("--report", default="", help="file for the result, as JSON")


class Viewer(FastHttpUser):
    """What all users share: a fetch that Locust counts, and reports of players."""

    abstract = True
    wait_time = constant(0)
    connection_timeout = 5.0
    network_timeout = 30.0
    count: ClassVar[int] = 0

    def on_start(self) -> None:
        Viewer.count += 1
        self.number = Viewer.count
        self.random = Random(f"{self.option('seed')}-{self.number}")
        self.playing: list[Playing] = []

    def on_stop(self) -> None:
        for player in self.playing:
            report = player.finish()
            reports.append(report)
            tell(self.environment, report)
        self.playing = []

    def option(self, name: str) -> Any:
        options = self.environment.parsed_options
        return getattr(options, name)

    def urls(self, option: str) -> list[str]:
        return [urljoin(self.host or "", path) for path in self.option(option).split(",")]

    def fetch(self, url: str, kind: Kind, headers: Mapping[str, str]) -> Answer:
        name = f"{kind} (blocking)" if "_HLS_msn=" in url else kind
        with self.client.get(
            url, name=name, headers=dict(headers), catch_response=True
        ) as response:
            status = response.status_code or 0
            why = cause(status)
            if why is None:
                response.success()
            else:
                response.failure(why)
            named = {k.lower(): v for k, v in (response.headers or {}).items()}
            return Answer(status, named, response.content or b"")


class LivePlayer(Viewer):
    """Watches a live channel by segments."""

    @task
    def watch(self) -> None:
        player = players.LivePlayer(self.fetch, time.time, gevent.sleep)
        self.playing.append(player)
        player.watch(self.random.choice(self.urls("live")), FOREVER_S)
        self.on_stop()
        gevent.sleep(1)


class LowLatencyPlayer(Viewer):
    """Watches a live channel by parts, with blocking reloads."""

    @task
    def watch(self) -> None:
        player = players.LowLatencyPlayer(self.fetch, time.time, gevent.sleep)
        self.playing.append(player)
        player.watch(self.random.choice(self.urls("live")), FOREVER_S)
        self.on_stop()
        gevent.sleep(1)


class VodPlayer(Viewer):
    """Starts films, seeks in them and zaps between them."""

    @task
    def watch(self) -> None:
        player = players.VodPlayer(self.fetch, time.time, gevent.sleep, self.random)
        self.playing.append(player)
        player.tour(self.urls("vod"), FOREVER_S)
        self.on_stop()
        gevent.sleep(1)


class CdnShield(Viewer):
    """A cache with request collapsing in front of the origin, and its virtual clients.

    Only what the shield asks the origin for is counted as HTTP; its clients report as players.
    """

    @task
    def serve(self) -> None:
        shield = players.Shield(self.fetch, time.time, Event)
        urls = self.urls("live")
        for number in range(self.option("viewers")):
            kind = players.LowLatencyPlayer if number % 2 else players.LivePlayer
            self.playing.append(kind(shield.get, time.time, gevent.sleep))
        watching = [
            gevent.spawn(player.watch, self.random.choice(urls), FOREVER_S)
            for player in self.playing
        ]
        try:
            gevent.joinall(watching)
        finally:
            gevent.killall(watching)
            shielded.update(shield.counts)
            self.on_stop()
        gevent.sleep(1)


class Caller(Viewer):
    """A user of services: its report counts what it asked, and what it got that is not meant."""

    abstract = True
    kind: ClassVar[str]

    def on_start(self) -> None:
        super().on_start()
        self.report = Report(self.kind)

    def on_stop(self) -> None:
        reports.append(self.report)

    def ask(
        self, method: str, url: str, name: str, meant: tuple[int, ...] = (), **sent: Any
    ) -> tuple[int, bytes]:
        """Status and body; without `meant`, every 2xx and 304 is."""
        with self.client.request(method, url, name=name, catch_response=True, **sent) as response:
            status = response.status_code or 0
            why = cause(status)
            if meant:
                why = None if status in meant else why or f"status {status}"
            self.report.requests += 1
            if why is None:
                response.success()
            else:
                self.report.errors[why] += 1
                response.failure(why)
            return status, response.content or b""


class SteeredPlayer(Caller):
    """Obeys the router at --host: decision, polls, segments from where it is told, CMCD."""

    kind = "steered"

    @task
    def watch(self) -> None:
        session_id = f"locust-{self.number}-{self.random.getrandbits(48):012x}"
        router = (self.host or "").rstrip("/")
        token = self.option("token")
        player = players.SteeredPlayer(
            *(self.send, time.time, gevent.sleep, router, self.option("steered"), session_id),
            query=f"?CAT={token}" if token else "",
        )
        player.watch(FOREVER_S)
        gevent.sleep(1)

    def send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], name: str
    ) -> tuple[int, bytes, float]:
        begun_s = time.time()
        status, answer = self.ask(method, url, name, data=body or None, headers=dict(headers))
        return status, answer, time.time() - begun_s


class ControlClient(Caller):
    """A household's app at the control API: sign in, then home, a title, play, record, stop."""

    kind = "control"
    MEANT: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "start": (201, 403, 409, 429),
        "record": (200, 201, 403, 409, 422),
        "drop": (204, 404),
    }
    bearer = ""
    door: ClassVar[BoundedSemaphore] = BoundedSemaphore()  # all of them are one account

    @task
    def evening(self) -> None:
        if not self.bearer and not self.sign_in():
            return gevent.sleep(1)
        self.call("GET", "/v1/channels", "home: channels")
        self.call("GET", "/v1/rails", "home: rails")
        guide = self.call("GET", "/v1/epg/now", "home: now") or {}
        titles = (self.call("GET", "/v1/catalog/contents", "home: titles") or {}).get("items", [])
        for chosen in self.random.sample(titles, len(titles)):
            self.call("GET", f"/v1/catalog/contents/{chosen['id']}", "detail")
            if self.play(chosen["id"]):
                break
        on_now = [line["now"] for line in guide.get("channels", ()) if line.get("now")]
        if on_now:
            self.record(self.random.choice(on_now)["id"])
        gevent.sleep(1)

    def sign_in(self) -> bool:
        asked = {
            "grant_type": "password",
            "username": self.option("account"),
            "password": self.option("password"),
        }
        with self.door:
            told = self.call("POST", "/v1/auth/token", "sign in", asked) or {}
        self.bearer = told.get("access_token", "")
        return bool(self.bearer)

    def play(self, title: str) -> bool:
        """A session with three heartbeats, a second apart; false: the household may not."""
        asked = {"device": {"id": f"locust-{self.number}"}, "content_id": title}
        begun = self.call("POST", "/v1/playback/start", "start", asked) or {}
        if "session_id" not in begun:
            return False
        path = f"/v1/sessions/{begun['session_id']}"
        for second in range(3):
            told = {"position_ms": 1_000 * second, "state": "playing"}
            self.call("POST", f"{path}/heartbeat", "heartbeat", told)
            gevent.sleep(1)
        self.call("POST", f"{path}/stop", "stop")
        return True

    def record(self, event_id: str) -> None:
        """Ordered, and at once no longer wanted."""
        ordered = self.call("POST", "/v1/recordings", "record", {"event_id": event_id}) or {}
        if "id" in ordered:
            self.call("DELETE", f"/v1/recordings/{ordered['id']}", "drop")

    def call(self, method: str, path: str, name: str, body: Any = None) -> Any:
        """The decoded answer; a status that is not meant is a failure."""
        headers = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        meant = self.MEANT.get(name, (200, 204))
        _, raw = self.ask(method, path, name, meant, json=body, headers=headers)
        return json.loads(raw) if raw else None


def tell(environment: Environment, report: Report) -> None:
    """Put a player's own figures beside Locust's, in milliseconds."""
    for name, values in (
        ("startup", report.startups_s),
        ("seek", report.seeks_s),
        ("stall", report.stalls_s),
        ("latency to live", report.latencies_s),
    ):
        for seconds in values:
            environment.events.request.fire(
                request_type=report.player,
                name=name,
                response_time=seconds * 1000,
                response_length=0,
                exception=None,
                context={},
            )
    for why in (why for why in report.errors.elements() if why not in SEEN_BY_HTTP):
        environment.events.request.fire(
            request_type=report.player,
            name="error",
            response_time=0,
            response_length=0,
            exception=RuntimeError(why),
            context={},
        )


@events.quitting.add_listener
def _write(environment: Environment, **_: object) -> None:
    options = environment.parsed_options
    if options is None or not options.report:
        return
    entries = environment.stats.entries
    http = {
        name: {
            "requests": entry.num_requests,
            "failures": entry.num_failures,
            "p50_ms": entry.get_response_time_percentile(0.5),
            "p95_ms": entry.get_response_time_percentile(0.95),
            "p99_ms": entry.get_response_time_percentile(0.99),
        }
        for (name, method), entry in sorted(entries.items())
        if method in METHODS
    }
    result = {"players": tally(reports), "http": http, "shield": dict(shielded)}
    Path(options.report).write_text(json.dumps(result))
