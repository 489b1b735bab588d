"""Nodes tell each other their sums and outcomes over the shared store (RT-15).

Theory of operation
1. Twice a second a node publishes the rows that changed and the outcomes of the last seconds, as
   they stand: its cost goes with cells and not with events. More than `TOLD_ROWS` of either go in
   several messages, between which requests are answered.
2. A node that begins to listen says so, and everybody tells the whole: after a partition all know
   the same within a round. The whole counts from its last message on, and takes the place of what
   was told before; one of which a message is lost counts row by row.
3. Messages are numbered. Whoever misses one asks for the whole as if it began to listen.
4. A node hears itself. When it does not for `DEAF_S`, its subscription is renewed.
5. A message has its node's time. A node whose clock is more than `SKEW_S` off counts by its own
   clock (`lead`); when that is put right, what it told before is forgotten and it is asked for the
   whole.
6. The store may be away: `tell` and `listen` then end with StoreError within its time limit, and
   the node goes on alone. Nothing here is on the path of a request.

What arrives is held to shape and range; a node of other CDNs is heard for those that both know.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec

from runtime import logs
from runtime.store import Store

from ..bodies import UNREADABLE
from ..policies.face import Cell
from .circuits import Second
from .lead import led
from .state import Part, State, counts
from .sums import COLUMNS, HOUR_S, MAX_ROWS, SKEW_S, Key, Sums

CHANNEL = "router:cells:4"
MAX_BYTES = 8 << 20
MAX_SECONDS = 4_096  # of a message, and of regions and CDNs in a second of a node
MAX_AHEAD_S = 1e10  # a clock that never was set is half a century off
MAX_PEERS = 64
TOLD_ROWS = 256  # or seconds, in a message: about a millisecond to make, and to take
TOLD_S = 3  # outcomes of so many seconds are told again
DEAF_S = 3.0
WARN_S = 60.0  # between two words about clocks
BITMAP = (1 << 64) - 1
MAX_NUMBER = 1 << 53

log = logs.get("cdn_router")


Outcomes = tuple[int, str, int, int, int, int, int, int]


class Told(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A message. `rows`: cell and CDN by their place, then the columns; `seconds`: epoch second,
    region, CDN, good, failed, stalled, bitmaps of sessions and networks; then the number of the
    round, that of the message in it, whether it is the round's last, and its node's time (older
    tapes have none).
    """

    node: str
    hello: bool = False
    whole: bool = False
    landmark_s: float = 0.0
    cdns: tuple[str, ...] = ()
    cells: list[Cell] = []
    rows: list[tuple[int, int, tuple[float, ...]]] = []
    seconds: list[Outcomes] = []
    round: int = 0
    at: int = 0
    last: bool = True
    at_s: float = 0.0


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Told)


class Exchange:
    """The messages of one node; `heard_s` is when it last heard itself."""

    def __init__(self, state: State, node: str) -> None:
        self.node = node
        self.heard_s = 0.0
        self.refused = 0
        self._state = state
        self._whole = True
        self._missed = False
        self._round = 0
        self._warned_s = -math.inf
        self._mine = ENCODER.encode(Told(node))[: 1 + len(ENCODER.encode(node))]

    # -- what is told ------------------------------------------------------------------------------

    def hello(self) -> bytes:
        return ENCODER.encode(Told(self.node, hello=True))

    def messages(self, now_s: float) -> Iterator[bytes]:
        """What changed since the last ones, or the whole when somebody asked for it; each is made
        when it is taken, of what stands then. Before them a question, when one was missed.
        """
        if self._missed:
            self._missed = False
            yield self.hello()
        own, whole = self._state.own, self._whole
        own.sums.turn(now_s)
        changed = own.sums.changed()
        keys = list(own.sums.rows) if whole else changed
        since_s = -math.inf if whole else now_s - TOLD_S
        seconds = [
            (at_s, *where, s.good, s.failed, s.stalled, s.sessions, s.networks)
            for at_s, wheres in own.seconds.items()
            if at_s >= since_s and counts(at_s, now_s)
            for where, s in wheres.items()
        ]
        self._whole = False
        self._round += 1
        count = max(1, -(-max(len(keys), len(seconds)) // TOLD_ROWS))
        for at in range(count):
            some = slice(at * TOLD_ROWS, (at + 1) * TOLD_ROWS)
            yield self._told(keys[some], whole, seconds[some], at, at + 1 == count, now_s)

    def _told(
        self,
        keys: Sequence[Key],
        whole: bool,
        seconds: list[Outcomes],
        at: int,
        last: bool,
        now_s: float,
    ) -> bytes:
        sums = self._state.own.sums
        places: dict[Cell, int] = {}
        rows = [
            (places.setdefault(key[0], len(places)), key[1], tuple(row))
            for key in keys
            if (row := sums.rows.get(key)) is not None
        ]
        told = Told(
            self.node,
            whole=whole,
            landmark_s=sums.landmark_s,
            cdns=tuple(cdn.id for cdn in self._state.cdns),
            cells=list(places),
            rows=rows,
            seconds=seconds,
            round=self._round,
            at=at,
            last=last,
            at_s=now_s,
        )
        return ENCODER.encode(told)

    # -- what is heard -----------------------------------------------------------------------------

    def take(self, body: bytes, now_s: float) -> None:
        """Take a message in; one that is not ours to understand is counted and has no effect."""
        if body.startswith(self._mine):
            self.heard_s = now_s
            return
        try:
            told = DECODER.decode(body) if len(body) <= MAX_BYTES else None
        except UNREADABLE:
            told = None
        if told is None or not _sound(told, now_s):
            self.refused += 1
        elif told.hello:
            self._whole = True
        else:
            if self._state.tape is not None:
                self._state.tape.heard(body, now_s)
            self._heard(told, now_s)

    def _heard(self, told: Told, now_s: float) -> None:
        peers = self._state.peers
        part = peers.get(told.node)
        if part is None:
            if len(peers) >= MAX_PEERS:
                self.refused += 1
                return
            part = peers[told.node] = Part(Sums(told.landmark_s))
            self._whole = True  # it may not have heard of us
        self._timed(part, told, now_s)
        self._missed |= not part.follows(told.whole, told.round, told.at, told.last)
        part.heard_s = now_s
        known = {cdn.id: at for at, cdn in enumerate(self._state.cdns)}
        ours = [known.get(name) for name in told.cdns]
        sums = part.coming if told.whole and part.coming is not None else part.sums
        sums.update(
            told.landmark_s,
            {
                (told.cells[cell], at): row
                for cell, cdn, row in told.rows
                if (at := ours[cdn]) is not None
            },
        )
        for at_s, region, cdn, *outcome in told.seconds:
            here_s = at_s - round(part.sums.ahead_s)
            if (at := ours[cdn]) is not None and counts(here_s, now_s):
                wheres = part.seconds.setdefault(here_s, {})
                if len(wheres) < MAX_SECONDS or (region, at) in wheres:
                    wheres[region, at] = Second(*outcome)
        if told.last and sums is part.coming:
            part.came()

    def _timed(self, part: Part, told: Told, now_s: float) -> None:
        """How far the node's clock is ahead; other than before, nothing of before counts."""
        ahead_s = 0.0
        if told.at_s:
            part.lead = led(part.lead, told.at_s, now_s)
            ahead_s = part.lead.ahead_s
        if abs(ahead_s - part.sums.ahead_s) <= SKEW_S:
            return
        self._missed |= bool(part.sums.rows or part.seconds) or part.coming is not None
        losses, part.sums, part.coming = part.sums.losses, Sums(told.landmark_s), None
        part.sums.losses, part.sums.ahead_s = losses + 1, ahead_s if abs(ahead_s) > SKEW_S else 0.0
        part.seconds.clear()
        if abs(now_s - self._warned_s) >= WARN_S:
            self._warned_s = now_s
            log.warning("peer_clock", node=told.node, ahead_s=round(ahead_s, 1))

    # -- over the store ----------------------------------------------------------------------------

    async def tell(self, store: Store, now_s: float) -> None:
        """One round; StoreError when the store is away, and then the next tells the whole."""
        done = False
        try:
            for body in self.messages(now_s):
                await store.publish(CHANNEL, body)
            done = True
        finally:
            self._whole |= not done


def _sound(told: Told, now_s: float) -> bool:
    """Whether every number is one, every place exists and the times are of our time."""
    return (
        0 < len(told.node) <= 64
        and len(told.rows) <= MAX_ROWS
        and len(told.seconds) <= MAX_SECONDS
        and 0 <= told.round < MAX_NUMBER
        and 0 <= told.at < MAX_NUMBER
        and abs((told.at_s or now_s) - now_s) <= MAX_AHEAD_S
        and (told.hello or -SKEW_S <= (told.at_s or now_s) - told.landmark_s < 2 * HOUR_S)
        and all(
            0 <= cell < len(told.cells) and 0 <= cdn < len(told.cdns) and _sums(row)
            for cell, cdn, row in told.rows
        )
        and all(
            0 <= cdn < len(told.cdns) and min(counts) >= 0 and max(bitmaps) <= BITMAP
            for _, _, cdn, *counts in told.seconds
            if (bitmaps := counts[3:])
        )
    )


def _sums(row: Sequence[float]) -> bool:
    return len(row) == len(COLUMNS) and all(0 <= value < math.inf for value in row)
