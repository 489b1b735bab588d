# cython: auto_pickle=False, boundscheck=False, wraparound=False, cdivision=True
"""One draw of a CDN by shares: the step that server and simulator have in common.

A session stays unless it must leave (urgent, not allowed) or may (settled, and its draw falls below
the chance to leave). Whoever starts or leaves is drawn by share among the allowed; where these have
no share, the best ranked takes it. Draws are SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
"""

from libc.stdint cimport uint64_t

cdef double UNIT = 1.0 / 4294967296.0

STARTED, STAYED, DRAWN, URGENT, REFUSED = range(5)


def noise(uint64_t origin, uint64_t step):
    return mix(origin + step)


cdef class Shares:
    def __init__(self, share, leave, urgent, ranked):
        cdef int index
        count = len(share)
        if not 0 < count <= CDNS_MAX or {len(leave), len(urgent), len(ranked)} != {count}:
            raise ValueError("one entry per CDN, 1..64 of them")
        if sorted(ranked) != list(range(count)):
            raise ValueError("ranked is a permutation")
        self.count = count
        self._everyone = (<uint64_t>-1) >> (CDNS_MAX - self.count)
        for index in range(self.count):
            self._share[index] = share[index]
            self._leave[index] = leave[index]
            self._ranked[index] = ranked[index]
            if urgent[index]:
                self._urgent |= <uint64_t>1 << index

    def lead(self, int current, bint settled, uint64_t allowed, uint64_t seed):
        cdef int step
        if not -1 <= current < self.count:
            raise ValueError("no such CDN")
        step = self.step(current, settled, allowed, seed)
        return step >> 3, step & 7

    cdef int step(self, int current, bint settled, uint64_t allowed, uint64_t seed) noexcept nogil:
        """The lead, shifted left by three, with how it came to be."""
        cdef uint64_t noise = mix(seed)
        cdef double which = (noise >> 32) * UNIT, whether = (noise & <uint64_t>0xFFFFFFFF) * UNIT
        cdef int how = 2, lead  # DRAWN
        allowed &= self._everyone
        if allowed == 0:
            allowed = self._everyone
        if current < 0:
            return self.drawn(allowed, which) << 3
        if not allowed >> current & 1:
            how = 4  # REFUSED
        elif self._urgent >> current & 1:
            how = 3  # URGENT
        elif not settled or whether >= self._leave[current]:
            return current << 3 | 1  # STAYED
        lead = self.drawn(allowed, which)
        return lead << 3 | (how if lead != current else 1)

    cdef int drawn(self, uint64_t allowed, double at) noexcept nogil:
        cdef int index, last = -1
        cdef double total = 0.0
        for index in range(self.count):
            if allowed >> index & 1:
                total += self._share[index]
        at *= total
        for index in range(self.count):
            if allowed >> index & 1 and self._share[index] > 0.0:
                last = index
                if at < self._share[index]:
                    return index
                at -= self._share[index]
        if last >= 0:
            return last
        for index in range(self.count):
            if allowed >> self._ranked[index] & 1:
                return self._ranked[index]
        return 0
