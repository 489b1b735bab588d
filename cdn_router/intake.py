"""Batches of CMCD events into session records (CM-12, CM-30..CM-33, CM-40).

What a batch may cost is bounded before it is read: bytes by the listener, records here, records a
second by peer. What a session may weigh is bounded too: records beyond its rate are counted and
have no effect. Sessions that this router did not start live in a table of their own: made-up ids
push out no real record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from .bucket import Buckets
from .cmcd.decode import decode_line, lines
from .cmcd.errors import CmcdError
from .cmcd.record import Record, upgrade
from .core import is_session_id
from .errors import Busy, RequestError, TooLarge
from .quality import Quality
from .sessions import Session, Sessions
from .stalls import UNKNOWN

MAX_BODY_BYTES = 256 << 10
MAX_RECORDS = 1_000
PEER_BURST_S = 10
SESSION_BURST_S = 30
MAX_PEERS = 10_000


class Hosts:
    """The CDN of a host, by configuration: the standard has no key for it (CM-40)."""

    def __init__(self, base_urls: Mapping[str, str], more: Mapping[str, Iterable[str]]) -> None:
        named: dict[str, set[str]] = {}
        for cdn, url in base_urls.items():
            parts = urlsplit(url)
            for host in (parts.netloc, parts.hostname or "", *more.get(cdn, ())):
                named.setdefault(host.lower(), set()).add(cdn)
        self._cdns = {host: next(iter(cdns)) for host, cdns in named.items() if len(cdns) == 1}

    def __call__(self, host: str) -> str:
        host = host.lower()
        return self._cdns.get(host) or self._cdns.get(host.partition(":")[0], UNKNOWN)


class Intake:
    """Takes batches; `records` and `notes` count what became of them and what was odd."""

    def __init__(
        self, sessions: Sessions, guests: Sessions, hosts: Hosts, *, per_peer: int, per_session: int
    ) -> None:
        self.guests = guests
        self.records: Counter[tuple[str, ...]] = Counter()
        self.notes: Counter[tuple[str, ...]] = Counter()
        self._sessions = sessions
        self._hosts = hosts
        self._peers = Buckets(per_peer, per_peer * PEER_BURST_S, MAX_PEERS)
        self._weights = Buckets(per_session, per_session * SESSION_BURST_S, sessions.capacity)

    def take(self, body: bytes, peer: str, now_ms: int) -> None:
        """Take a batch in; RequestError when nothing in it is CMCD, Busy when it is too much."""
        if len(body) > MAX_BODY_BYTES or body.count(b"\n") > MAX_RECORDS:
            raise TooLarge("too_large", f"at most {MAX_BODY_BYTES} bytes and {MAX_RECORDS} records")
        found = lines(body)
        if not self._peers.take(peer, len(found), now_ms):
            raise Busy("rate", "larger batches, or fewer")
        if len(found) == 1 and body.endswith(b"\n"):
            self.notes["trailing_lf",] += 1
        read = [record for line in found if (record := self._read(line)) is not None]
        if not read:
            raise RequestError("no_record", "no line is CMCD")
        for record in sorted(read, key=_when):
            self.records[self._observe(record, now_ms),] += 1

    def _read(self, line: str) -> Record | None:
        try:
            record = decode_line(line)
        except CmcdError as error:
            self.records[error.code,] += 1
            return None
        for note in record.notes:
            self.notes[note.code,] += 1
        return record

    def _observe(self, record: Record, now_ms: int) -> str:
        """What became of a record, in a word."""
        data = upgrade(record.data) if record.version == 1 else record.data
        session_id = data.get("sid")
        if not isinstance(session_id, str) or not is_session_id(session_id):
            return "no_session"
        if not self._weights.take(session_id, 1, now_ms):
            return "over_weight"
        session = self._session(session_id, now_ms)
        session.quality = session.quality or Quality()
        doubles = session.quality.doubles
        session.measured(session.quality.observe(data, self._hosts, now_ms))
        return "double" if session.quality.doubles > doubles else "taken"

    def _session(self, session_id: str, now_ms: int) -> Session:
        known = self._sessions.get(session_id) is not None
        return (self._sessions if known else self.guests).seen(session_id, now_ms)


def _when(record: Record) -> tuple[int, int]:
    """The order in which things happened: by time, then by number."""
    at_ms, number = record.data.get("ts"), record.data.get("sn")
    return at_ms if isinstance(at_ms, int) else 0, number if isinstance(number, int) else 0
