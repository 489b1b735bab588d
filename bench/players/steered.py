"""A viewer that obeys steering: session start, polls by TTL, segments from where it is told, CMCD.

It never fails over by itself: what moves it is the router. Transport and time are the caller's.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SEGMENT_S = 4.0

# Method, URL, body, headers and a name to count by, to status, body and seconds.
Send = Callable[[str, str, bytes, Mapping[str, str], str], tuple[int, bytes, float]]


@dataclass
class SteeredPlayer:
    """`router` is its base URL, `content` a path that the CDNs have, asked for with `query`."""

    send: Send
    now_s: Callable[[], float]
    sleep: Callable[[float], object]
    router: str
    content: str
    session_id: str
    query: str = ""
    switches: int = 0
    failed: int = 0
    lead: str = ""

    def watch(self, for_s: float) -> None:
        """Play so long; what is refused is counted and played over."""
        until_s = self.now_s() + for_s
        bases, reload_uri = self._start()
        poll_at_s = self.now_s()
        events: list[str] = []
        while bases and (now_s := self.now_s()) < until_s:
            if now_s >= poll_at_s:
                ttl_s, reload_uri = self._poll(reload_uri, bases)
                poll_at_s = self.now_s() + ttl_s
                events = self._report(events)
            url = bases[self.lead] + self.content
            status, body, took_s = self.send("GET", url + self.query, b"", {}, "segment")
            self.failed += status != 200
            events.append(self._event(url, status, len(body), took_s))
            self.sleep(max(0.0, SEGMENT_S - took_s))

    def _start(self) -> tuple[dict[str, str], str]:
        body = json.dumps({"session_id": self.session_id, "content": self.content}).encode()
        kind = {"Content-Type": "application/json"}
        status, answer, _ = self.send("POST", f"{self.router}/v1/decisions", body, kind, "start")
        if status != 200:
            return {}, ""
        decision = json.loads(answer)
        self.lead = decision["pathways"][0]["id"]
        bases = {each["id"]: each["base_url"] for each in decision["pathways"]}
        return bases, decision["steering"]["hls"]

    def _poll(self, reload_uri: str, bases: Mapping[str, str]) -> tuple[float, str]:
        """Ask; the order's first that the session knows is played from now on (ST-12, ST-23)."""
        target = urlsplit(reload_uri)
        url = f"{self.router}{target.path}?{target.query}&_HLS_pathway={self.lead}"
        status, body, _ = self.send("GET", url, b"", {}, "steer")
        if status != 200:
            return 5.0, reload_uri
        manifest = json.loads(body)
        lead = next((each for each in manifest["PATHWAY-PRIORITY"] if each in bases), self.lead)
        self.switches += lead != self.lead
        self.lead = lead
        return float(manifest["TTL"]), manifest["RELOAD-URI"]

    def _event(self, url: str, status: int, size: int, took_s: float) -> str:
        """A response received, CTA-5004-B section 4.3; no newline ends it."""
        at_ms, took_ms = int(self.now_s() * 1000), max(1, int(took_s * 1000))
        rate_kbps = size * 8 // took_ms
        return (
            f"e=rr,mtp=({rate_kbps}),ot=v,rc={status},sf=h,"
            f'sid="{self.session_id}",sta=p,ts={at_ms},ttlb={took_ms},url="{url}",v=2'
        )

    def _report(self, events: list[str]) -> list[str]:
        """Tell the batch; it is forgotten whatever became of it."""
        if events:
            kind = {"Content-Type": "application/cmcd"}
            body = "\n".join(events).encode()
            self.send("POST", f"{self.router}/cmcd", body, kind, "cmcd")
        return []
