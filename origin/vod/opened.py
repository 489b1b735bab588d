"""A protected input as if it were clear: samples are opened as they are read (TR-12, PR-150)."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from native.bmff.columns import Column, pack
from native.bmff.tables import Samples
from native.cenc import RangeError, cbcs_open, cenc_copy
from native.crypto import Aes
from origin.vod.encrypted import Rows, Rule
from origin.vod.errors import VodError
from origin.vod.reading import Identity, Reader, name_of

IV_WORDS = 4


class InputKeys(Protocol):
    """The keys of inputs that come protected. `leftover`: their whole blocks at a range's end are
    encrypted too (PR-17).
    """

    @property
    def leftover(self) -> bool: ...

    def find(self, kid: bytes, scheme: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Seals:
    """How every sample of an input's protected tracks is protected, in the order of the file."""

    rules: list[Rule]
    offset: "array[int]"
    size: "array[int]"
    rule: "array[int]"  # 0: clear, else a number of `rules` from 1
    ivs: "array[int]"  # four words each
    first: "array[int]"  # number of the first pair, and the end
    pairs: "array[int]"

    @classmethod
    def of(cls, tracks: Sequence[tuple[Samples, Rows]]) -> "Seals":
        rules = list(dict.fromkeys(rule for _, rows in tracks for rule in rows.rules))
        places = sorted(
            (offset, n, row)
            for n, (samples, _) in enumerate(tracks)
            for row, offset in enumerate(samples.offset)
        )
        offset, size, rule = array("q"), array("I"), array("B")
        ivs, pairs, counts = bytearray(), array("I"), array("H")
        ends = [[0, *accumulate(rows.counts)] for _, rows in tracks]
        for at, n, row in places:
            samples, rows = tracks[n]
            offset.append(at)
            size.append(samples.size[row])
            own = rows.rule[row]
            rule.append(rules.index(rows.rules[own - 1]) + 1 if own else 0)
            ivs += rows.ivs[16 * row : 16 * row + 16]
            counts.append(rows.counts[row])
            pairs.extend(rows.pairs[2 * ends[n][row] : 2 * ends[n][row + 1]])
        first = array("I", accumulate(counts, initial=0))
        return cls(rules, offset, size, rule, array("I", bytes(ivs)), first, pairs)

    def save(self) -> tuple[list[list[Any]], dict[str, bytes]]:
        """The rules as JSON, and the columns."""
        rules = [[r.kid.hex(), r.scheme, r.crypt, r.skip, r.iv_bytes, r.iv.hex()]
                 for r in self.rules]  # fmt: skip
        return rules, {name: pack(getattr(self, name)) for name in COLUMNS}

    @classmethod
    def load(cls, rules: Sequence[Sequence[Any]], columns: Mapping[str, Column]) -> "Seals":
        read = [
            Rule(bytes.fromhex(kid), scheme, crypt, skip, iv_bytes, bytes.fromhex(iv))
            for kid, scheme, crypt, skip, iv_bytes, iv in rules
        ]
        rows = {name: array(code, columns[name].slice(0, columns[name].rows))
                for name, code in COLUMNS.items()}  # fmt: skip
        return cls(read, **rows)

    def at(self, start: int, end: int) -> range:
        """The samples that lie in these bytes of the file, or begin or end there."""
        low = bisect_right(self.offset, start) - 1
        if low < 0 or self.offset[low] + self.size[low] <= start:
            low += 1
        return range(low, bisect_left(self.offset, end, low))


COLUMNS = {"offset": "q", "size": "I", "rule": "B", "ivs": "I", "first": "I", "pairs": "I"}


class OpenedReader:
    """Another reader's bytes, opened; everything but protected samples passes as it is."""

    def __init__(self, inner: Reader, seals: Seals, keys: InputKeys) -> None:
        self._inner = inner
        self._seals = seals
        self._leftover = keys.leftover
        self._keys = [self._key(keys, rule) for rule in seals.rules]
        self._last = (-1, b"")  # a sample that is read piece by piece

    def _key(self, keys: InputKeys, rule: Rule) -> Aes:
        key = keys.find(rule.kid, rule.scheme)
        if key is None:
            what = (
                f"it is protected ({rule.scheme}, KID {rule.kid.hex()}), and there is no such key"
            )
            raise VodError("no_key", name_of(self.location), what)
        return Aes(key)

    @property
    def location(self) -> str:
        return self._inner.location

    @property
    def near(self) -> bool:
        return self._inner.near

    @property
    def identity(self) -> Identity:
        return self._inner.identity

    def read(self, at: int, size: int) -> bytes:
        data = self._inner.read(at, size)
        out, end = bytearray(data), at + len(data)
        for n in self._seals.at(at, end):
            start = self._seals.offset[n]
            low, high = max(at, start), min(end, start + self._seals.size[n])
            out[low - at : high - at] = self._sample(n)[low - start : high - start]
        return bytes(out)

    def _sample(self, n: int) -> bytes:
        known, data = self._last
        if known != n:
            sealed = self._inner.read(self._seals.offset[n], self._seals.size[n])
            data = self._open(memoryview(sealed), range(n, n + 1))
            self._last = n, data
        return data

    def runs(
        self, out: bytes, at: int, starts: "array[int]", lengths: "array[int]", wait: bool
    ) -> bytes | None:
        sealed = self._inner.runs(out, at, starts, lengths, wait)
        if sealed is None:
            return None
        view, pieces = memoryview(sealed), [bytes(sealed[:at])]
        for start, length in zip(starts, lengths, strict=True):
            pieces += self._run(view[at : at + length], start)
            at += length
        return b"".join(pieces)

    def _run(self, view: memoryview, start: int) -> Iterator[bytes]:
        """A run, in stretches of samples under one rule."""
        s, done = self._seals, 0
        found = s.at(start, start + len(view))
        n = found.start
        while n < found.stop:
            first = n
            while n < found.stop and s.rule[n] == s.rule[first]:
                n += 1
            low, high = s.offset[first] - start, s.offset[n - 1] + s.size[n - 1] - start
            if low != done or high > len(view):
                raise VodError("unreadable", name_of(self.location), "samples are read in part")
            yield self._open(view[low:high], range(first, n))
            done = high
        if done < len(view):
            yield bytes(view[done:])

    def _open(self, data: memoryview, samples: range) -> bytes:
        """Samples of one rule, end to end."""
        s, first, stop = self._seals, samples.start, samples.stop
        if not s.rule[first]:
            return bytes(data)
        rule, key = s.rules[s.rule[first] - 1], self._keys[s.rule[first] - 1]
        sizes = s.size[first:stop].tobytes()
        counts = array("H", (s.first[n + 1] - s.first[n] for n in samples)).tobytes()
        pairs = s.pairs[2 * s.first[first] : 2 * s.first[stop]].tobytes()
        ivs = s.ivs[IV_WORDS * first : IV_WORDS * stop].tobytes()
        try:
            if rule.scheme == "cenc":
                own = rule.iv_bytes or 16
                each = [ivs[16 * n : 16 * n + own] for n in range(len(samples))]
                constant = rule.iv * len(samples)
                return cenc_copy(key, data, sizes, counts, pairs, constant or b"".join(each))
            pattern = (rule.crypt, rule.skip, self._leftover)
            if rule.iv:
                return cbcs_open(key, data, sizes, counts, pairs, rule.iv, *pattern)
            return b"".join(self._chained(key, data, samples, ivs, pattern))
        except RangeError as error:
            raise VodError("aux_info", name_of(self.location), str(error)) from error

    def _chained(
        self, key: Aes, data: memoryview, samples: range, ivs: bytes, pattern: tuple[int, int, bool]
    ) -> Iterator[bytes]:
        """cbcs with an IV of each sample's own."""
        s, at = self._seals, 0
        for k, n in enumerate(samples):
            size = s.size[n]
            pairs = s.pairs[2 * s.first[n] : 2 * s.first[n + 1]]
            counts = array("H", [len(pairs) // 2]).tobytes()
            yield cbcs_open(
                key, data[at : at + size], s.size[n : n + 1].tobytes(), counts, pairs.tobytes(),
                ivs[16 * k : 16 * k + 16], *pattern,
            )  # fmt: skip
            at += size

    def ahead(self, starts: "array[int]", lengths: "array[int]") -> None:
        self._inner.ahead(starts, lengths)

    def stale(self) -> bool:
        return self._inner.stale()

    def close(self) -> None:
        self._inner.close()
