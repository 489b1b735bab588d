"""The protection of one live channel's media, made as it is served (PR-16, PR-43, PR-160, PR-161).

Theory of operation
1. The log holds clear media. A chunk is sealed once, when it is first wanted; parts, segments and
   segments in the making are the same sealed chunks end to end, so that parts concatenated are the
   segment (HLS-19).
2. What is sealed is a function of the clear bytes, the key and the period table (periods.py), so
   that equal origins and processes answer equal bytes. The numbers that tell tracks apart under one
   key (PR-16) follow from their names; who meets a number that is taken gets the next, for ever.
3. No key, no media: ProtectionError `no_key` (503), and the key is asked for (PR-43).
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from hashlib import blake2b
from typing import Literal

from native.cenc import State
from origin import metrics
from origin.hls.forms import MAP, W3C, Form
from origin.hls.keys import ClearKey, turning_lines
from origin.hls.multivariant import multivariant
from origin.live import iframes
from origin.live.channel import LiveChannel
from origin.live.records import INDEPENDENT
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.live.turns import Turns
from origin.protection.errors import ProtectionError
from origin.protection.keys import TRACK_BITS, ContentKey, Scheme
from origin.protection.offers import moov_boxes, offer
from origin.protection.periods import (
    Slot,
    first_of,
    period_of,
    terms_at,
)
from origin.protection.ring import Question, Ring
from origin.protection.sealer import Sealer
from origin.protection.source import Grant
from origin.settings import Settings
from origin.systems import Protected
from origin.tracks import Rendition
from runtime import logs

EARLY_S = 60  # media of a period that begins before it does: never so long
AHEAD_S, AHEAD_SEGMENTS = 30, 3  # keys are in hand so long before their period (PR-53)
SEALERS = 256  # of a channel in memory
WANTED = 64  # periods that requests may wait for
CHUNK_BYTES, SAMPLE_BYTES = 128, 24  # what protection adds to a chunk and to a sample, at most

log = logs.get("keys")


@dataclass(slots=True)
class _Run:
    """A segment's chunks, sealed as far as anybody wanted."""

    stored: Stored
    state: State | None  # what later chunks are read by
    sealed: list[bytes] = field(default_factory=list)


class Sealing(Turns):
    """What a channel's media and manifests need to know of keys; `beside`: those under the other
    scheme (PR-170), which follow what the first ones have settled.
    """

    def __init__(
        self, channel: LiveChannel, settings: Settings, ring: Ring, *, beside: bool = False
    ) -> None:
        configured = settings.channels.get(channel.name)
        asked = configured.protection if configured is not None else None
        super().__init__(channel, asked, settings.protection.speke, beside=beside)
        self._settings = settings.protection
        self._ring = ring
        self._shown: dict[bytes, Protected] = {}
        self._sealers: OrderedDict[tuple[str, Slot], Sealer] = OrderedDict()
        self._runs: dict[tuple[str, int], _Run] = {}
        self._wanted: dict[Question, None] = {}

    @property
    def session_keys(self) -> bool:
        return (self._asked is None or self._asked.session_keys) and not self.rotates()

    def open(self, track: LiveTrack, number: int) -> None:
        """Media of this number came to its writer. The first of a period decides whether its key is
        in hand; if not, the key before stays in force to its end (PR-43).
        """
        kept, duration_s = self._channel.kept, self._channel.duration_s
        terms = terms_at(kept.terms, number)
        if self._beside or terms is None or not terms.scheme or duration_s is None:
            return
        if terms.contract.role(track.rendition):
            self._number(track.rendition.name)
        if not terms.rotation_s:
            return
        period = period_of(number, duration_s, terms.rotation_s)
        if period <= kept.opened:
            return
        kept.opened = period
        before = self.slot(max(terms.number, first_of(period, duration_s)) - 1)
        here = self.slot(number)
        if here is not None and before is not None and self._stands(before, here, terms.beside):
            kept.stood[period] = before.period
            metrics.KEYS_STOOD.inc()
            log.error("key_stood", channel=self._channel.name, period=period, key=before.period)
        self._channel.dirty = True
        self._channel.save_if_dirty()

    def pieces(
        self, track: LiveTrack, stored: Stored, first: int = 0, end: int | None = None
    ) -> list[bytes]:
        """The octets of a segment, or of some of its chunks, as players get them."""
        slot = self.slot(stored.number)
        if slot is None or not slot.contract.role(track.rendition):
            return track.pieces(stored, first, end)
        sealer = self._sealer(track, slot)
        end = len(stored.parts) if end is None else end
        run = self._runs.get((track.rendition.name, stored.number))
        if run is None or run.stored is not stored:
            run = _Run(stored, sealer.begin())
            if stored.number >= self._channel.edge:
                self._runs[track.rendition.name, stored.number] = run
        for at in range(len(run.sealed), end):
            volume, record = stored.parts[at]
            data = track.log.read(volume, record)
            telling = at == 0 or bool(record.flags & INDEPENDENT)
            if slot.clear:
                run.sealed.append(sealer.clear(data))
            else:
                run.sealed.append(b"".join(sealer.seal(data, telling=telling, state=run.state)))
        return run.sealed[first:end]

    def whole(self, track: LiveTrack, stored: Stored) -> tuple[list[bytes], str | None]:
        """A segment, and its tag where that is known without reading it."""
        slot = self.slot(stored.number)
        clear = slot is None or not slot.contract.role(track.rendition)
        return self.pieces(track, stored), stored.tag if clear else None

    def iframe(self, track: LiveTrack, stored: Stored) -> list[bytes]:
        """The I frame of a segment: the same bytes as in the segment (PR-32)."""
        clear = iframes.segment(track, stored)
        slot = self.slot(stored.number)
        if slot is None or not slot.contract.role(track.rendition):
            return [clear]
        sealer = self._sealer(track, slot)
        if slot.clear:
            return [sealer.clear(clear)]
        return [b"".join(sealer.seal(clear, sealer.sample(stored.start)))]

    def published(self) -> None:
        """Forget the chunks of segments that are whole, and in the hot window."""
        edge = self._channel.edge
        for key in [key for key in self._runs if key[1] < edge]:
            del self._runs[key]

    def plain(self, track: LiveTrack) -> bool:
        """Whether players ever get this track's header as it came."""
        return not self.on or any(
            not terms.scheme or not terms.contract.role(track.rendition)
            for terms in self._channel.kept.terms
        )

    def header(self, track: LiveTrack, leaf: str) -> bytes | None:
        """The protected header of this name; None when there is no such one (PR-51)."""
        channel, duration_s = self._channel, self._channel.duration_s
        at = leaf.removesuffix(".mp4").split("-")
        if duration_s is None or len(at) != 3 or not at[2].isdigit() or len(at[2]) > 12:
            return None
        for number in self._headed(int(at[2]), duration_s):
            slot = self.slot(number)
            ahead = number <= channel.edge + 1 + self._ahead(duration_s)
            if slot is None or slot.init != leaf or not ahead:
                continue
            if slot.contract.role(track.rendition):
                return self._sealer(track, replace(slot, period=slot.header)).init()
        return None

    def dressed(self, r: Rendition, number: int) -> Rendition:
        """The rendition as manifests tell of it where this number is."""
        slot = self.slot(number)
        if slot is None or not slot.contract.role(r):
            return r
        grant = self._grant(r, slot, slot.header)
        return replace(r, protected=self._offer(grant), header=slot.init)

    def keyed(self, r: Rendition, number: int) -> Protected | None:
        """The key in force in this number; None for clear media."""
        slot = self.slot(number)
        if slot is None or slot.clear or not slot.contract.role(r):
            return None
        return self._offer(self._grant(r, slot, slot.period))

    def lines(self, r: Rendition, number: int, form: Form, *, head: bool = False) -> list[str]:
        """KEY and MAP lines in front of this number: where keys change, or as it heads a playlist
        of this form (PR-51, PR-62).
        """
        changes = self.changes(number)
        if not self.on or MAP not in form.head or head == changes:
            return []
        slot = self.slot(number) or self.slot(number - 1)
        if slot is None or not slot.contract.role(r):
            return [MAP] if head else []
        return turning_lines(self.keyed(r, number), self.dressed(r, number).header, form.clearkey)

    def multivariant(self, renditions: Sequence[Rendition], leaf: str) -> str:
        """The multivariant playlist of this name, with SESSION-KEY where keys last (PR-63)."""
        edge = self._channel.edge
        shown = [self.dressed(r, edge) for r in renditions]
        clearkey: ClearKey = "w3c" if leaf.endswith(W3C) else "identity"
        return multivariant(shown, clearkey=clearkey, session_keys=self.session_keys)

    def turns(self, edge: int) -> Iterator[int]:
        """The numbers behind this one that have headers of their own, whose keys are in hand: the
        next, and all that are near (PR-53).
        """
        duration_s, at = self._channel.duration_s, edge
        while duration_s is not None and (turn := self.turn(at)) is not None:
            near = AHEAD_SEGMENTS if at > edge else self._ahead(duration_s)
            slot = self.slot(turn)
            if turn > edge + near or (slot and not self._ring.has(self._question(slot))):
                return
            if self.splits(turn):
                yield turn
            at = turn

    def coming(self, r: Rendition) -> str | None:
        """The header that players need next, while the number before it is made (PR-53)."""
        edge = self._channel.edge
        turn = self.turn(edge)
        if turn is None or turn > edge + 2:
            return None
        with suppress(ProtectionError):
            return self.dressed(r, turn).header
        return None

    def weighed(self, r: Rendition) -> Rendition:
        """The rendition with what protection adds to its bit rate, at most."""
        if not self.on or r.kind not in ("audio", "video"):
            return r
        samples = r.frame_rate if r.kind == "video" else Fraction(r.sample_rate, 1024)
        chunks = 1 / (self._channel.part_s or self._channel.duration_s or Fraction(1))
        more = int(8 * ((samples or 0) * SAMPLE_BYTES + 3 * chunks * CHUNK_BYTES))
        average = r.average_bandwidth + more if r.average_bandwidth else 0
        return replace(r, bandwidth=r.bandwidth + more, average_bandwidth=average)

    def wanted(self, first: int) -> list[Question]:
        """What must be in hand: the keys of the window from `first` on and of what comes next, and
        of what was asked for besides (PR-53).
        """
        channel, duration_s = self._channel, self._channel.duration_s
        questions: dict[Question, None] = {}
        newest = max((t.newest.number for t in channel.tracks.values() if t.newest), default=-1)
        if self.on and duration_s is not None and newest >= 0:
            number: int | None = first if channel.edge >= 0 else newest
            last = newest + 1 + self._ahead(duration_s)
            while number is not None and number <= last:
                slot = self.slot(number)
                if slot is not None:
                    for period in {slot.period, slot.header}:
                        questions[self._question(slot, period)] = None
                number = self.turn(number)
        questions.update(self._wanted)
        self._wanted = {q: None for q in self._wanted if not self._ring.has(q)}
        return [question for question in questions if not self._ring.has(question)]

    def _ahead(self, duration_s: Fraction) -> int:
        overlap_s = self._asked.overlap_s if self._asked is not None else 0
        return max(AHEAD_SEGMENTS, int(-(-max(AHEAD_S, overlap_s) // duration_s)))

    def _headed(self, period: int, duration_s: Fraction) -> list[int]:
        """Numbers whose header may be told by this period."""
        kept = self._channel.kept
        stood = [p for p, kept_period in kept.stood.items() if kept_period == period]
        firsts = [first_of(p, duration_s) for p in (period, *stood)]
        return [*firsts, *(max(terms.number, kept.first) for terms in kept.terms)]

    def _stands(self, before: Slot, here: Slot, beside: Literal["", Scheme]) -> bool:
        """Whether the key before takes the place of one that did not come, of either scheme."""
        same = (before.scheme, before.content_id) == (here.scheme, here.content_id)
        schemes = [here.scheme, beside] if beside else [here.scheme]
        come = all(self._ring.has(self._question(here.under(scheme))) for scheme in schemes)
        if not same or before.period == here.period or come:
            return False
        questions = [self._question(before.under(scheme)) for scheme in schemes]
        grants = [self._ring.get(q.of(role)) for q in questions for role in q.roles]
        return all(
            grant is not None and (not grant.valid_until_s or here.period <= grant.valid_until_s)
            for grant in grants
        )

    def _question(self, slot: Slot, period: int | None = None) -> Question:
        roles = {slot.contract.role(t.rendition) for t in self._channel.tracks.values()} - {""}
        source = self._asked.source if self._asked is not None else "file"
        at = slot.period if period is None else period
        return Question(source, slot.content_id, slot.scheme, at, tuple(sorted(roles)))

    def _grant(self, r: Rendition, slot: Slot, period: int) -> Grant:
        question = self._question(slot, period)
        role = slot.contract.role(r)
        grant = self._ring.get(question.of(role))
        if grant is None:
            if len(self._wanted) < WANTED:
                self._wanted[question] = None
            raise ProtectionError("no_key", f"{slot.content_id}: no key of {role} yet (PR-43)")
        return grant

    def _offer(self, grant: Grant) -> Protected:
        """What players are told of a key: by the settings, but where its source knows better."""
        key: ContentKey = grant.key
        if key.kid not in self._shown:
            asked = self._asked.systems if self._asked is not None else None
            names = asked or self._settings.systems
            if self._beside and key.scheme == "cenc":
                names = [name for name in names if name != "fairplay"]  # it plays cbcs only
            shown = offer(key, names, self._settings.urls)
            given = {system.name: system for system in grant.systems}
            systems = tuple(given.pop(s.name, s) for s in shown.systems)
            if len(self._shown) >= SEALERS:
                self._shown.clear()
            self._shown[key.kid] = replace(shown, systems=(*systems, *given.values()))
        return self._shown[key.kid]

    def _sealer(self, track: LiveTrack, slot: Slot) -> Sealer:
        name = track.rendition.name
        found = self._sealers.get((name, slot))
        if found is None:
            grant = self._grant(track.rendition, slot, slot.period)
            since_s = max(slot.period - EARLY_S, 0)
            found = self._sealers[name, slot] = Sealer(
                track.header,
                grant.key,
                number=self._number(name),
                since=since_s * track.timescale,
                boxes=moov_boxes(self._offer(grant)),
                inband=slot.inband,
                lead=slot.lead,
            )
            while len(self._sealers) > SEALERS:
                self._sealers.popitem(last=False)
        return found

    def _number(self, name: str) -> int:
        """The track's number under its keys (PR-16)."""
        numbers = self._channel.kept.numbers
        if name not in numbers:
            if self._channel.read_only:
                raise ProtectionError("no_key", f"{name}: its writer has not numbered it yet")
            wanted = int.from_bytes(blake2b(name.encode(), digest_size=4).digest())
            taken, most = set(numbers.values()), 1 << TRACK_BITS
            free = ((wanted + step) % most for step in range(most))
            numbers[name] = next(number for number in free if number not in taken)
            self._channel.dirty = True
            self._channel.save_if_dirty()
        return numbers[name]
