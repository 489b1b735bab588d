"""Batches of CMCD events into session records (CM-12, CM-30..CM-33, CM-40).

What a batch may cost is bounded before it is read: bytes by the listener, records here, records a
second by peer. What a session may weigh is bounded too: records beyond its rate are counted and
have no effect. Sessions that this router did not start live in a table of their own: made-up ids
push out no real record.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from native.cmcd import UNKNOWN, Batch
from runtime import logs

from .bucket import Buckets
from .cells.feed import Feed
from .cmcd.decode import ORDERLY, decode_line
from .cmcd.errors import CmcdError
from .cmcd.record import Data, upgrade
from .core import MAX_SESSION_ID_CHARS, is_session_id
from .errors import Busy, RequestError, TooLarge
from .feeds import Event
from .feeds_cmsd import in_duress
from .logs import Line
from .quality import CALM, MAX_BUFFER_MS, MAX_KBPS, MAX_START_MS, Cdns, Quality, report_of
from .sessions import Session, Sessions

MAX_BODY_BYTES = 256 << 10
MAX_RECORDS = 1_000
PEER_BURST_S = 10
SESSION_BURST_S = 30
MAX_PEERS = 10_000
MAX_LATE_MS = 900_000  # older lines of logs tell of another time
MIN_RATED_BYTES = 256 << 10  # what is smaller fits in buffers: its rate is not the network's
ABORTED = frozenset({0, 499})  # the viewer left

Keep = Callable[[bytes, str, int], None]  # body, peer, time of arrival; Busy when it may not

log = logs.get("cdn_router")


class Origin(NamedTuple):
    """Where a viewer is, as far as whoever tells of it knows."""

    address: str
    country: str = ""
    asn: int | None = None


class Hosts:
    """The CDN of a host, by configuration: the standard has no key for it (CM-40). A host that two
    CDNs share is nobody's, and that of a clone counts as its own CDN.
    """

    def __init__(self, base_urls: Mapping[str, str], more: Mapping[str, Iterable[str]]) -> None:
        named: dict[str, set[str]] = {}
        for cdn, url in base_urls.items():
            parts = urlsplit(url)
            for host in (parts.netloc, parts.hostname or "", *more.get(cdn, ())):
                named.setdefault(host.lower(), set()).add(cdn)
        self._ids = frozenset(base_urls)
        self._cdns = _only(named)
        self._clones: dict[str, str] = {}

    def cloned(self, clones: Iterable[tuple[str, str]]) -> None:
        """Hosts and ids of all clones there are; a host that manifests name stays what it is."""
        named: dict[str, set[str]] = {}
        for host, clone in clones:
            named.setdefault(host.lower(), set()).add(clone)
        self._clones = _only(named)

    def __call__(self, host: str) -> str:
        host = host.lower()
        name = host.partition(":")[0]
        return self._cdns.get(host) or self._cdns.get(name) or self._clones.get(name, UNKNOWN)

    def pathway(self, name: str) -> str:
        """The CDN that goes by its own name."""
        return name if name in self._ids else UNKNOWN


def _only(named: Mapping[str, set[str]]) -> dict[str, str]:
    return {host: next(iter(cdns)) for host, cdns in named.items() if len(cdns) == 1}


class Intake:
    """Takes batches; `records` and `notes` count what became of them and what was odd. With `feed`
    they become evidence, with `keep` a body is kept before it has any effect. One that cannot be
    kept is lost to the archive, and counted: sessions are steered by what players say, not by what
    disks take.
    """

    def __init__(
        self,
        sessions: Sessions,
        guests: Sessions,
        hosts: Hosts,
        *,
        per_peer: int,
        per_session: int,
        feed: Feed | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.guests = guests
        self.records: Counter[tuple[str, ...]] = Counter()
        self.notes: Counter[tuple[str, ...]] = Counter()
        self._sessions = sessions
        self._hosts = hosts
        self._feed = feed
        self._keep = keep
        self._losing = False
        self._peers = Buckets(per_peer, per_peer * PEER_BURST_S, MAX_PEERS)
        self._weights = Buckets(per_session, per_session * SESSION_BURST_S, sessions.capacity)
        self.batch = _batch(hosts)

    def cloned(self, clones: Iterable[tuple[str, str]]) -> None:
        """Know clones by their hosts from now on, in the place of those before."""
        self._hosts.cloned(clones)
        self.batch = _batch(self._hosts)  # the old one remembers whose a host was

    def take(self, body: bytes, peer: str, now_ms: int) -> None:
        """Take a batch in; RequestError when nothing in it is CMCD, Busy when it is too much."""
        if len(body) > MAX_BODY_BYTES or body.count(b"\n") > MAX_RECORDS:
            raise TooLarge("too_large", f"at most {MAX_BODY_BYTES} bytes and {MAX_RECORDS} records")
        batch = self.batch
        odd = batch.read(body)
        if not self._peers.take(peer, len(batch), now_ms):
            raise Busy("rate", "larger batches, or fewer")
        if len(batch) == 1 and body.endswith(b"\n"):
            self.notes["trailing_lf",] += 1
        read = len(batch) - len(odd) + sum(self._read(place) for place in odd)
        if not read:
            raise RequestError("no_record", "no line is CMCD")
        if self._keep is not None:
            try:
                self._keep(body, peer, now_ms)
            except Busy as error:
                self._lost(read, error.detail)
            else:
                self._kept()
        suffering = self._suffering() if batch.cmsd else {}
        for session_id, places in batch.groups().items():
            if session_id is None:
                self.records["no_session",] += len(places)
            else:
                told = suffering.get(session_id, CALM)
                self._observe(session_id, places, peer, now_ms, told)

    def _lost(self, count: int, reason: str) -> None:
        self.records["not_kept",] += count
        if not self._losing:
            self._losing = True
            log.error("archive_takes_nothing", reason=reason)

    def _kept(self) -> None:
        if self._losing:
            self._losing = False
            log.warning("archive_takes_again")

    def _suffering(self) -> dict[str | None, frozenset[str]]:
        """The CDNs that say in responses to a session that they are in duress (CM-52)."""
        found: dict[str | None, frozenset[str]] = {}
        for place, told in self.batch.cmsd:
            if in_duress(told):
                session_id, cdn = self.batch.of(place)
                found[session_id] = found.get(session_id, CALM) | {cdn}
                self.records["duress",] += 1
        return found

    def _read(self, place: int) -> bool:
        """Read a record that the kernel left."""
        try:
            record = decode_line(self.batch.line(place).decode())
        except UnicodeDecodeError:
            raise CmcdError("encoding", "a body is UTF-8") from None
        except CmcdError as error:
            self.records[error.code,] += 1
            return False
        for note in record.notes:
            self.notes[note.code,] += 1
        data = upgrade(record.data) if record.version == 1 else record.data
        session_id = data.get("sid")
        fit = isinstance(session_id, str) and is_session_id(session_id)
        self.batch.put(place, str(session_id) if fit else None, report_of(data, self._hosts))
        if isinstance(told := data.get("cmsdd"), str):
            self.batch.cmsd.append((place, told.encode()))
        return True

    def _observe(
        self,
        session_id: str,
        places: list[int],
        peer: str,
        now_ms: int,
        suffering: frozenset[str],
    ) -> None:
        """Show a session's records to its witness, as many as it may weigh."""
        count = len(places)
        if not self._weights.take(session_id, count, now_ms):
            places = [p for p in places if self._weights.take(session_id, 1, now_ms)]
            self.records["over_weight",] += count - len(places)
        if not places:
            return
        session = self._session(session_id, now_ms)
        quality = session.quality = session.quality or Quality()
        quality.suffering |= suffering
        taken, rate_kbps = self.batch.observe(quality, places, now_ms)
        self.records["taken",] += taken
        if taken < len(places):
            self.records["double",] += len(places) - taken
        if rate_kbps:
            session.measured(quality.throughput(rate_kbps, quality.last_ms))
        if self._feed is not None:
            viewer = session.viewer
            cell = self._feed.cell(
                peer, viewer.country, viewer.asn, viewer.device_class, viewer.content
            )
            self._feed.note(session_id, quality, cell, peer, now_ms)

    def logged(self, cdn: str, line: Line, now_ms: int) -> str:
        """Take a line of a CDN's log in; what became of it. Failures are those of the server alone
        (RT-1): what a viewer asks in vain says nothing of the CDN. Without a session the viewer's
        address is the voice (RT-22).
        """
        if now_ms - line.at_ms > MAX_LATE_MS:
            return "late"
        if line.method not in {"", "GET"} or line.status in ABORTED:
            return "no_evidence"
        sid = line.data.get("sid")
        then_ms = min(line.at_ms, now_ms)
        origin = Origin(line.peer, line.country, line.asn)
        told = told_by(line, then_ms)
        return self._hear(sid, told, lambda _: cdn, origin, then_ms, now_ms)

    def told(self, event: Event, address: str, now_ms: int) -> str:
        """Take in an event of a session that somebody else heard of; what became of it."""
        if now_ms - event.at_ms > MAX_LATE_MS:
            return "late"
        then_ms = min(event.at_ms, now_ms)
        told = event.told(then_ms)
        return self._hear(
            event.session_id, told, self._hosts.pathway, Origin(address), then_ms, now_ms
        )

    def _hear(
        self, sid: object, told: Data, cdns: Cdns, origin: Origin, then_ms: int, now_ms: int
    ) -> str:
        session_id = sid if isinstance(sid, str) and is_session_id(sid) else ""
        voice = session_id or origin.address
        if not self._weights.take(session_id or f"@{voice}", 1, now_ms):
            return "over_weight"
        session = self._session(session_id, now_ms) if session_id else Session("", now_ms)
        quality = session.quality = session.quality or Quality()
        rate_kbps = quality.observe_report(*report_of(told, cdns))
        if rate_kbps > 0:
            session.measured(quality.throughput(rate_kbps, quality.last_ms))
        if self._feed is not None:
            viewer = session.viewer
            asn = origin.asn if viewer.asn is None else viewer.asn
            country = viewer.country or origin.country
            cell = self._feed.cell(
                origin.address, country, asn, viewer.device_class, viewer.content
            )
            self._feed.note(voice, quality, cell, origin.address, now_ms, then_ms)
        return "taken"

    def _session(self, session_id: str, now_ms: int) -> Session:
        known = self._sessions.get(session_id) is not None
        return (self._sessions if known else self.guests).seen(session_id, now_ms)


def _batch(hosts: Hosts) -> Batch:
    return Batch(
        ORDERLY,
        hosts,
        room=MAX_RECORDS + 1,
        max_kbps=MAX_KBPS,
        max_buffer_ms=MAX_BUFFER_MS,
        max_start_ms=MAX_START_MS,
        max_sid=MAX_SESSION_ID_CHARS,
    )


def told_by(line: Line, at_ms: int) -> Data:
    """A line of a log as the event of a response; its CMCD without the count of requests, which is
    not that of events (CM-22).
    """
    told: Data = {name: value for name, value in line.data.items() if name != "sn"}
    told |= {"e": "rr", "ts": at_ms, "ttlb": line.took_ms, "url": ""}
    if not 400 <= line.status < 500:
        told["rc"] = line.status
    if "mtp" not in told and line.size_bytes >= MIN_RATED_BYTES:
        told["mtp"] = [line.rate_kbps]
    return told
