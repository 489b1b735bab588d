# cython: auto_pickle=False, boundscheck=False, wraparound=False, cdivision=True
"""A crowd of simulated players, one tick at a time (specs routing.md SW-3..SW-7).

Rules of the file
1. It knows the true path and capacity; policies see only what players report: scores at heartbeats,
   failures, stalls and falls to a lower rung at once, each charged to the CDN in use when it happened (CM-41).
2. What viewers do (`arrive`) comes from outside; what a policy draws has a seed of its own (SW-8).
3. A tick: who polls is drawn by the cell's Shares, players choose a rung by rate, capacity scales
   everyone on it down alike, buffers drain, what was seen is reported.
4. Reports are in two parts: what one of `nodes` routers is told, and what its peers are.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.math cimport exp2, fmax, fmin, log
from libc.stdint cimport uint64_t

from native.router.shares cimport Shares, mix

cdef enum:
    RUNGS = 13
    HELD = 16  # CDNs with a penalty of their own in a player

cdef enum:  # columns of sums
    N, TOTAL, FAILURES, RECENT_N, RECENT, THERE, COLUMNS

cdef enum:  # kinds of outcomes
    GOOD, FAILED, STALLED, VOICES, KINDS

cdef double[RUNGS] LADDER = [
    235, 375, 560, 750, 1050, 1750, 2350, 3000, 4300, 5800, 8100, 11600, 16800
]  # kbit/s, SW-5
cdef double BUFFER_S = 30.0, START_S = 4.0, SAFETY = 0.8, FIRST_KBPS = 1000.0
cdef double PENALTY_S = 300.0  # steering.md section 5, hls.js
cdef double RECENT_S = 5.0  # policies.face
cdef double SEGMENT_S = 4.0
cdef double UNIT = 1.0 / 4294967296.0


cdef struct Player:
    uint64_t id
    int cell
    int cdn
    int sample
    int first
    int end
    int liar
    int part  # 0: reports to this node, 1: to its peers
    int polls
    int started
    int fell  # to a lower rung, which event mode tells at once (e=bc)
    double until_s
    double poll_s
    double beat_s
    double moved_s
    double buffer_s
    double rate_kbps  # as the player estimates it
    double asked_kbps
    double link_kbps
    double rung_kbps
    double seen
    double seen_n
    double penalty_s[HELD]


cdef class Crowd:
    cdef readonly int cells, cdns, regions, size
    cdef readonly double qoe, waited_s, blamed_s, played_s, kbit
    cdef readonly long moves, samples, overloads, spots
    cdef int _room, _failover, _rows, _nodes
    cdef double _tick_s, _ttl_s, _beat_s, _half_life_s, _dwell_s
    cdef uint64_t _seed
    cdef Player *_players
    cdef list _shares
    cdef int[::1] _region
    cdef float[::1] _links
    cdef double[::1] _sums  # by part, column and row
    cdef uint64_t[::1] _outcomes  # by part, region, CDN and kind
    cdef int[::1] _sent  # by region: the CDN that one session is to try, plus one
    cdef double[::1] load, traffic

    def __init__(self, int[::1] region, int regions, int cdns, float[::1] links, *, double tick_s,
                 double ttl_s, double heartbeat_s, double half_life_s, double dwell_s,
                 bint failover, uint64_t seed, object make, int nodes=1):
        if not 0 < cdns <= HELD:
            raise ValueError("1..16 CDNs")
        self.cells, self.regions, self.cdns = region.shape[0], regions, cdns
        self._region, self._links = region, links
        self._tick_s, self._ttl_s, self._beat_s = tick_s, ttl_s, heartbeat_s
        self._half_life_s, self._dwell_s = half_life_s, dwell_s
        self._failover, self._seed = failover, seed
        self._rows, self._nodes = (self.cells + regions + 1) * cdns, nodes
        self._sums = make("d", 2 * COLUMNS * self._rows)
        self._outcomes = make("Q", 2 * regions * cdns * KINDS)
        self._sent = make("i", regions)
        self.load, self.traffic = make("d", regions * cdns), make("d", cdns)

    def __dealloc__(self):
        PyMem_Free(self._players)

    def steer(self, list shares):
        """One Shares for each cell, from now on."""
        if len(shares) != self.cells or any(each.count != self.cdns for each in shares):
            raise ValueError("one Shares per cell")
        self._shares = shares

    def arrive(self, uint64_t ident, int cell, int first, int end, int sample, double until_s,
               double now_s, bint liar):
        """A viewer starts: its link is `links[first:end]`, entered at `sample`, round and round."""
        cdef Player *p
        cdef int index
        if not (0 <= cell < self.cells and 0 <= first <= sample < end <= self._links.shape[0]):
            raise ValueError("no such cell or link")
        if self.size == self._room:
            self._room = max(1024, self._room * 2)
            p = <Player *>PyMem_Realloc(self._players, self._room * sizeof(Player))
            if p == NULL:
                raise MemoryError
            self._players = p
        p = &self._players[self.size]
        self.size += 1
        p.id, p.cell, p.first, p.end, p.sample, p.liar = ident, cell, first, end, sample, liar
        p.part = mix(~ident) % <uint64_t>self._nodes > 0
        p.until_s, p.moved_s, p.polls, p.started, p.fell = until_s, now_s, 0, 0, 0
        p.buffer_s, p.rate_kbps, p.seen, p.seen_n = 0.0, FIRST_KBPS, 0.0, 0.0
        p.asked_kbps = p.link_kbps = p.rung_kbps = 0.0
        for index in range(HELD):
            p.penalty_s[index] = 0.0
        p.poll_s = now_s + self._ttl_s * self._unit(p)
        p.beat_s = now_s + self._beat_s * (mix(ident) >> 32) * UNIT
        p.cdn = (<Shares>self._shares[cell]).step(-1, True, 0, self._draw(p)) >> 3

    def send(self, int region, int cdn):
        """Let the next of a region who polls elsewhere try a CDN: the probe of a half-open circuit."""
        if not (0 <= region < self.regions and 0 <= cdn < self.cdns):
            raise ValueError("no such region or CDN")
        self._sent[region] = cdn + 1

    cdef uint64_t _draw(self, Player *p) noexcept nogil:
        p.polls += 1
        return mix(self._seed ^ mix(p.id) + <uint64_t>p.polls)

    cdef double _unit(self, Player *p) noexcept nogil:
        return (mix(mix(p.id) + <uint64_t>p.polls) >> 32) * UNIT

    def tick(self, double now_s, double[::1] path_kbps, double[::1] capacity_kbps):
        """From `now_s` to the next tick: true path by cell and CDN, capacity by region and CDN."""
        if path_kbps.shape[0] != self.cells * self.cdns:
            raise ValueError("one path per cell and CDN")
        if capacity_kbps.shape[0] != self.regions * self.cdns:
            raise ValueError("one capacity per region and CDN")
        self._decay()
        self._poll(now_s)
        self._ask(now_s, path_kbps)
        self._serve(now_s, path_kbps, capacity_kbps)
        self._leave(now_s + self._tick_s)

    cdef void _decay(self) noexcept:
        cdef int part, column, row
        cdef double[COLUMNS] keep
        keep[N] = keep[TOTAL] = exp2(-self._tick_s / self._half_life_s)
        keep[FAILURES] = keep[RECENT_N] = keep[RECENT] = exp2(-self._tick_s / RECENT_S)
        keep[THERE] = 0.0
        for part in range(2):
            for column in range(COLUMNS):
                for row in range(self._rows):
                    self._sums[(part * COLUMNS + column) * self._rows + row] *= keep[column]
        self._outcomes[:] = 0
        self.load[:] = 0.0

    cdef void _poll(self, double now_s) noexcept:
        cdef Player *p
        cdef int index, lead, sent
        for index in range(self.size):
            p = &self._players[index]
            while p.poll_s < now_s + self._tick_s:
                settled = p.poll_s - p.moved_s >= self._dwell_s
                lead = (<Shares>self._shares[p.cell]).step(p.cdn, settled, 0, self._draw(p)) >> 3
                sent = self._sent[self._region[p.cell]]
                if sent and sent != p.cdn + 1:
                    lead, self._sent[self._region[p.cell]] = sent - 1, 0
                if lead != p.cdn and not (self._failover and p.penalty_s[lead] > p.poll_s):
                    self._move(p, lead, p.poll_s)
                p.poll_s += self._ttl_s * (0.9 + 0.2 * self._unit(p))  # ST-52

    cdef void _move(self, Player *p, int lead, double at_s) noexcept nogil:
        self._report(p)
        p.cdn, p.moved_s = lead, at_s
        self.moves += 1

    cdef void _ask(self, double now_s, double[::1] path_kbps) noexcept:
        cdef Player *p
        cdef int index, rung, at, spot
        cdef double access
        for index in range(self.size):
            p = &self._players[index]
            access = self._links[p.sample]
            p.link_kbps = fmin(access, path_kbps[p.cell * self.cdns + p.cdn])
            rung = RUNGS - 1
            while rung > 0 and LADDER[rung] > SAFETY * p.rate_kbps:
                rung -= 1
            p.fell = LADDER[rung] < p.rung_kbps
            p.rung_kbps = LADDER[rung]
            p.asked_kbps = fmin(
                p.link_kbps,
                p.rung_kbps * (self._tick_s + BUFFER_S - p.buffer_s) / self._tick_s,
            )
            self.load[self._region[p.cell] * self.cdns + p.cdn] += p.asked_kbps

    cdef void _serve(self, double now_s, double[::1] path, double[::1] capacity) noexcept:
        cdef Player *p
        cdef int index, spot
        cdef bint playing
        cdef double scale, got, access, waiting, ready, top, value, score
        for spot in range(self.regions * self.cdns):
            self.spots += 1
            self.overloads += self.load[spot] > capacity[spot]
        self.traffic[:] = 0.0
        for index in range(self.size):
            p = &self._players[index]
            spot = self._region[p.cell] * self.cdns + p.cdn
            scale = fmin(1.0, capacity[spot] / fmax(self.load[spot], 1.0))
            got = p.asked_kbps * scale
            access = self._links[p.sample]
            self.traffic[p.cdn] += got
            self.kbit += got * self._tick_s
            ready = p.buffer_s + got * self._tick_s / p.rung_kbps
            waiting = 0.0
            playing = p.started
            if not playing:
                p.started = ready >= START_S
                waiting = fmin(1.0, START_S * p.rung_kbps / fmax(got, 1.0) / self._tick_s)
            waiting = fmax(waiting, fmin(1.0, (self._tick_s - ready) / self._tick_s))
            p.buffer_s = fmin(BUFFER_S, fmax(0.0, ready - self._tick_s * (1.0 - waiting)))
            p.rate_kbps = 0.3 * p.rate_kbps + 0.7 * p.link_kbps * scale
            top = fmax(fmin(SAFETY * access, LADDER[RUNGS - 1]), 400.0)
            value = fmin(1.0, log(p.rung_kbps / LADDER[0]) / log(top / LADDER[0]))
            score = 100.0 * fmin(1.0, fmax(0.0, value * (1.0 - waiting) - waiting))
            self.qoe += score
            self.samples += 1
            self.waited_s += waiting * self._tick_s
            self.played_s += self._tick_s
            if p.link_kbps * scale < access:
                self.blamed_s += waiting * self._tick_s
            self._count(THERE, p, 1.0)
            self._see(p, score, waiting, playing, path[p.cell * self.cdns + p.cdn] <= 0.0, now_s)
            p.sample += 1
            if p.sample == p.end:
                p.sample = p.first

    cdef void _see(self, Player *p, double score, double waiting, bint playing, bint dead,
                   double now_s) noexcept:
        """What the player notes, and reports when it is time or something is wrong (SW-6)."""
        cdef int other
        cdef uint64_t segments = <uint64_t>(self._tick_s / SEGMENT_S)
        if p.liar:
            score = 0.0 if p.cdn == 0 else 100.0
            dead = p.cdn == 0
        p.seen += score
        p.seen_n += 1.0
        if dead:
            self._count(FAILURES, p, self._tick_s / SEGMENT_S)
            self._tell(p, FAILED, segments)
        else:
            self._tell(p, GOOD, segments)
            if waiting > 0.0 and playing:
                self._tell(p, STALLED, 1)
        if now_s + self._tick_s >= p.beat_s or dead or waiting > 0.0 or p.fell:
            self._report(p)
            if now_s + self._tick_s >= p.beat_s:
                p.beat_s += self._beat_s
        if dead and self._failover and not p.liar:
            p.penalty_s[p.cdn] = now_s + PENALTY_S
            for other in range(self.cdns):
                if p.penalty_s[other] <= now_s:
                    self._move(p, other, now_s + self._tick_s)
                    break

    cdef void _report(self, Player *p) noexcept nogil:
        if p.seen_n > 0.0:
            self._count(N, p, p.seen_n)
            self._count(TOTAL, p, p.seen)
            self._count(RECENT_N, p, p.seen_n)
            self._count(RECENT, p, p.seen)
            p.seen = p.seen_n = 0.0

    cdef inline void _count(self, int column, Player *p, double value) noexcept nogil:
        """Add to the cell, its region and the whole."""
        cdef int first = (p.part * COLUMNS + column) * self._rows + p.cdn
        self._sums[first + p.cell * self.cdns] += value
        self._sums[first + (self.cells + self._region[p.cell]) * self.cdns] += value
        self._sums[first + (self.cells + self.regions) * self.cdns] += value

    cdef inline void _tell(self, Player *p, int kind, uint64_t count) noexcept nogil:
        """An outcome; whoever tells of a bad one is a voice (RT-22)."""
        cdef int spot = (p.part * self.regions + self._region[p.cell]) * self.cdns + p.cdn
        self._outcomes[spot * KINDS + kind] += count
        if kind != GOOD:
            self._outcomes[spot * KINDS + VOICES] |= <uint64_t>1 << (mix(p.id) & 63)

    cdef void _leave(self, double now_s) noexcept nogil:
        cdef int index = 0
        while index < self.size:
            if self._players[index].until_s <= now_s:
                self.size -= 1
                self._players[index] = self._players[self.size]
            else:
                index += 1

    def rows(self, int part):
        """What a part was told, by row (cells, regions, the whole) and CDN: n, total, failures,
        recent_n, recent, there.
        """
        cdef int first = part * COLUMNS * self._rows
        if part not in (0, 1):
            raise ValueError("0: this node, 1: its peers")
        return list(zip(*(self._sums[first + column * self._rows:first + (column + 1) * self._rows]
                          for column in range(COLUMNS))))

    def outcomes(self, int part):
        """What a part was told in the last tick, by region and CDN: good, failed, stalled, and 64
        bits of those who spoke of bad ones.
        """
        cdef int spots = self.regions * self.cdns
        if part not in (0, 1):
            raise ValueError("0: this node, 1: its peers")
        return [tuple(self._outcomes[(part * spots + spot) * KINDS:(part * spots + spot + 1) * KINDS])
                for spot in range(spots)]

    def there(self):
        """Viewers by cell and CDN, in truth."""
        cdef int row, first = THERE * self._rows, second = (COLUMNS + THERE) * self._rows
        return [self._sums[first + row] + self._sums[second + row]
                for row in range(self.cells * self.cdns)]

    def loads(self):
        """kbit/s asked in the last tick, by region and CDN."""
        return list(self.load)

    def carried(self):
        """kbit/s carried in the last tick, by CDN."""
        return list(self.traffic)

    def prospects(self, double[::1] path_kbps):
        """For oracles: by cell, how many play, what they ask of an unbounded path in kbit/s, and the
        mean score each CDN's path would give them alone.
        """
        cdef int index, cdn
        cdef double top, rate
        cdef Player *p
        if path_kbps.shape[0] != self.cells * self.cdns:
            raise ValueError("one path per cell and CDN")
        cdef list counts = [0] * self.cells, asked = [0.0] * self.cells
        cdef list sums = [0.0] * (self.cells * self.cdns)
        for index in range(self.size):
            p = &self._players[index]
            top = fmax(fmin(SAFETY * self._links[p.sample], LADDER[RUNGS - 1]), 400.0)
            counts[p.cell] += 1
            asked[p.cell] += top
            for cdn in range(self.cdns):
                rate = fmax(LADDER[0], fmin(top, SAFETY * path_kbps[p.cell * self.cdns + cdn]))
                if path_kbps[p.cell * self.cdns + cdn] > 0.0:
                    sums[p.cell * self.cdns + cdn] += (
                        100.0 * fmin(1.0, log(rate / LADDER[0]) / log(top / LADDER[0])))
        scores = [
            [sums[cell * self.cdns + cdn] / max(1, counts[cell]) for cdn in range(self.cdns)]
            for cell in range(self.cells)
        ]
        return counts, asked, scores
