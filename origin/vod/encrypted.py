"""What a protected input says of each sample: its key, IV and ranges (ISO/IEC 23001-7, 7 and 8;
14496-12, 8.7.8, 8.7.9 and 8.9; PR-150..PR-153).

Theory of operation
    Samples are met in the order of `native.bmff`: those of moov, then those of each moof. How a
    sample is protected: seig of its group, else tenc of its sample entry. Its row of auxiliary data
    is in senc, or where saio points; where both are they must agree, with each other and with saiz.
"""

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple

from native.bmff import Box, BoxError, Track, walk
from native.bmff.model import SampleEntry
from native.bmff.write import box as written
from origin.codecs import VISUAL_BYTES
from origin.vod.entries import AUDIO_BYTES
from origin.vod.errors import VodError

SCHEMES = ("cenc", "cbcs")
PIFF_SENC = bytes.fromhex("a2394f525a9b4f14a2446c427c648df4")  # uuid of senc before it had a name
LOCAL = 0x10000  # group_description_index of the fragment's own sgpd, 8.9.4
SUBSAMPLES, AUX_TYPE = 2, 1  # flags of senc; of saiz and saio
BASE, DESCRIPTION = 0x1, 0x2  # tfhd, 8.8.7
Read = Callable[[int, int], bytes]


class Rule(NamedTuple):
    """How some samples are protected. `iv` is the constant one, empty where each has its own of
    `iv_bytes`.
    """

    kid: bytes
    scheme: str
    crypt: int
    skip: int
    iv_bytes: int
    iv: bytes


@dataclass(slots=True)
class Rows:
    """One row a sample; `rule` 0 is a clear one, others are numbers of `rules` from 1."""

    rules: list[Rule] = field(default_factory=list)
    rule: "array[int]" = field(default_factory=lambda: array("B"))
    ivs: bytearray = field(default_factory=bytearray)  # 16 octets each
    counts: "array[int]" = field(default_factory=lambda: array("H"))
    pairs: "array[int]" = field(default_factory=lambda: array("I"))  # clear, protected

    def add(self, rule: Rule | None, iv: bytes, pairs: Sequence[int]) -> None:
        if rule is not None and rule not in self.rules:
            self.rules.append(rule)
        self.rule.append(self.rules.index(rule) + 1 if rule is not None else 0)
        self.ivs += iv.ljust(16, b"\0")
        self.counts.append(len(pairs) // 2)
        self.pairs.extend(pairs)


class _Stretch(NamedTuple):
    """Samples whose boxes stand side by side: those of moov, or of one traf."""

    data: bytes
    boxes: list[Box]
    descriptions: list[int]  # of each sample
    runs: list[int]  # samples of each chunk or trun
    base: int  # place in the file that saio counts from
    place: int  # place in the file of data[0], -1 if unknown


def plain(entry: SampleEntry) -> SampleEntry:
    """The sample entry as it was before it was protected (8.12)."""
    if entry.protection is None:
        return entry
    fixed = _fixed(entry)
    kept = [entry.data[b.start : b.end] for b in walk(entry.data, fixed) if b.kind != "sinf"]
    return replace(entry, data=written(entry.fourcc, entry.data[8:fixed], *kept), protection=None)


def _fixed(entry: SampleEntry) -> int:
    return VISUAL_BYTES if entry.data[4:8] == b"encv" else AUDIO_BYTES


def rows_of(
    track: Track,
    tables: bytes,
    moofs: Sequence[tuple[int, bytes]],
    sizes: Sequence[int],
    read: Read,
) -> Rows:
    """The rows of a track's samples, of these sizes. `tables` is what `track.tables` points into,
    `moofs` come with their places. VodError `aux_info` or `encrypted`.
    """
    out = Rows()
    try:
        tenc = [_rule_of(entry) for entry in track.entries]
        scheme = next(e.protection.scheme for e in track.entries if e.protection is not None)
        whole = _in_moov(track, tables)
        shared = _sgpd(whole, scheme, 0)
        at = 0
        for part in [whole, *_in_moofs(track, moofs)]:
            groups = _sbgp(part, shared | (_sgpd(part, scheme, LOCAL) if part is not whole else {}))
            rules = [
                groups[n] if n in groups else tenc[d - 1] for n, d in enumerate(part.descriptions)
            ]
            _fill(out, part, rules, sizes[at : at + len(rules)], read)
            at += len(rules)
    except (struct.error, IndexError, BoxError) as error:
        raise _wrong(f"its boxes are cut short ({error})") from error
    if at != len(sizes):
        raise _wrong(f"{at} samples are described of {len(sizes)}")
    return out


def _wrong(what: str, code: str = "aux_info") -> VodError:
    return VodError(code, "protection", what)


def _rule_of(entry: SampleEntry) -> Rule | None:
    """tenc of a sample entry (23001-7, 8.2); None for a clear one."""
    if entry.protection is None:
        return None
    scheme = entry.protection.scheme
    if scheme not in SCHEMES:
        raise _wrong(f"the scheme {scheme} is not supported", "encrypted")
    data, start, end = entry.data, _fixed(entry), len(entry.data)
    for kind in ("sinf", "schi", "tenc"):
        found = next((box for box in walk(data, start, end) if box.kind == kind), None)
        if found is None:
            raise _wrong(f"no {kind} box")
        start, end = found.body, found.end
    return _described(data[start + 5 : end], scheme, data[start])


def _described(body: bytes, scheme: str, version: int = 1) -> Rule | None:
    """Pattern, whether protected, IV size, KID, constant IV: as in tenc and in seig."""
    pattern, protected, iv_bytes, kid = struct.unpack_from(">BBB16s", body)
    if protected > 1 or iv_bytes not in (0, 8, 16):
        raise _wrong(f"isProtected {protected}, IVs of {iv_bytes} bytes", "encrypted")
    if not protected:
        return None
    iv = b""
    if iv_bytes == 0:
        iv = body[20 : 20 + body[19]]
        if len(iv) not in (8, 16) or len(iv) != body[19]:
            raise _wrong("neither an IV of each sample nor a constant one")
    crypt, skip = divmod(pattern, 16) if version and scheme == "cbcs" else (0, 0)
    return Rule(kid, scheme, crypt or 1, skip, iv_bytes, iv.ljust(16, b"\0") if iv else b"")


def _in_moov(track: Track, tables: bytes) -> _Stretch:
    """The stretch of the sample tables (8.7.4)."""
    start, end = track.tables
    boxes = walk(tables, start, end)
    named = {box.kind: box for box in boxes}
    sizes = named.get("stsz") or named["stz2"]
    (count,) = struct.unpack_from(">I", tables, sizes.body + 8)
    chunks = next(box for box in boxes if box.kind in ("stco", "co64"))
    (chunk_count,) = struct.unpack_from(">I", tables, chunks.body + 4)
    (rows,) = struct.unpack_from(">I", tables, named["stsc"].body + 4)
    table = [
        struct.unpack_from(">3I", tables, named["stsc"].body + 8 + 12 * n) for n in range(rows)
    ]
    runs: list[int] = []
    descriptions: list[int] = []
    ends = [first for first, _, _ in table[1:]] + [chunk_count + 1]
    for (first, per_chunk, description), until in zip(table, ends, strict=False):
        runs += [per_chunk] * (until - first)
        descriptions += [description] * (per_chunk * (until - first))
    return _Stretch(tables, boxes, descriptions[:count], runs, 0, -1)


def _in_moofs(track: Track, moofs: Sequence[tuple[int, bytes]]) -> Iterator[_Stretch]:
    for place, moof in moofs:
        for traf in walk(moof, 8):
            boxes = walk(moof, traf.body, traf.end) if traf.kind == "traf" else []
            head = next((box for box in boxes if box.kind == "tfhd"), None)
            if head is None:
                continue
            flags, track_id = struct.unpack_from(">II", moof, head.body)
            if track_id != track.id:
                continue
            at, base, description = head.body + 8, place, track.defaults.description
            if flags & BASE:
                (base,) = struct.unpack_from(">Q", moof, at)
                at += 8
            if flags & DESCRIPTION:
                (description,) = struct.unpack_from(">I", moof, at)
            runs = [
                struct.unpack_from(">I", moof, box.body + 4)[0]
                for box in boxes
                if box.kind == "trun"
            ]
            yield _Stretch(moof, boxes, [description] * sum(runs), runs, base, place)


def _sgpd(part: _Stretch, scheme: str, above: int) -> dict[int, Rule | None]:
    """seig by index in group (8.9.3; 23001-7, 6)."""
    data, found = part.data, dict[int, Rule | None]()
    for box in part.boxes:
        if box.kind != "sgpd" or data[box.body + 4 : box.body + 8] != b"seig":
            continue
        length, rows = struct.unpack_from(">II", data, box.body + 8)
        at = box.body + 16
        for n in range(1, min(rows, box.end - at) + 1):
            own = length
            if not length:
                (own,) = struct.unpack_from(">I", data, at)
                at += 4
            if own < 20 or own > box.end - at:
                raise _wrong(f"a group of {own} bytes")
            found[above + n] = _described(data[at + 1 : at + own], scheme)
            at += own
    return found


def _sbgp(part: _Stretch, known: dict[int, Rule | None]) -> dict[int, Rule | None]:
    """What is known of the samples that are in a group (8.9.2)."""
    data, found = part.data, dict[int, Rule | None]()
    for box in part.boxes:
        if box.kind != "sbgp" or data[box.body + 4 : box.body + 8] != b"seig":
            continue
        at = box.body + 8 + (4 if data[box.body] else 0)
        (rows,) = struct.unpack_from(">I", data, at)
        sample = 0
        for n in range(min(rows, (box.end - at - 4) // 8)):
            count, index = struct.unpack_from(">II", data, at + 4 + 8 * n)
            until = min(sample + count, len(part.descriptions))
            if index and index not in known:
                raise _wrong(f"group {index} is nowhere described")
            if index:
                found |= dict.fromkeys(range(sample, until), known[index])
            sample = until
    return found


def _fill(
    out: Rows, part: _Stretch, rules: Sequence[Rule | None], sizes: Sequence[int], read: Read
) -> None:
    """The rows of one stretch."""
    octets, flags = _auxiliary(part, read)
    widths = _saiz(part)
    at = 0
    for n, (rule, size) in enumerate(zip(rules, sizes, strict=True)):
        began, pairs = at, ()
        own = rule.iv_bytes if rule is not None else 0
        iv = octets[at : at + own]
        at += own
        ranged = flags & SUBSAMPLES if flags >= 0 else widths[n : n + 1] > [own]
        if ranged:
            (count,) = struct.unpack_from(">H", octets, at)
            fields = struct.unpack_from(">" + "HI" * count, octets, at + 2)
            at += 2 + 6 * count
            if sum(fields) != size:
                raise _wrong(f"ranges of {sum(fields)} bytes in a sample of {size}")
            pairs = fields
        if at > len(octets) or (widths and n < len(widths) and widths[n] != at - began):
            raise _wrong(f"sample {len(out.rule)} has a row of another size than saiz tells")
        if rule is not None and not rule.iv and not iv:
            raise _wrong(f"sample {len(out.rule)} has no IV")
        out.add(rule, iv, pairs if rule is not None else ())
    if at != len(octets):
        raise _wrong(f"{len(octets) - at} bytes are left behind the last row")


def _auxiliary(part: _Stretch, read: Read) -> tuple[bytes, int]:
    """All rows, and senc's flags; -1 where saiz alone tells what a row has."""
    data, count = part.data, len(part.descriptions)
    told = _saio(part)
    for box in part.boxes:
        body = box.body + 16 if data[box.body : box.body + 16] == PIFF_SENC else box.body
        if box.kind != "senc" and body == box.body:
            continue
        flags, rows = struct.unpack_from(">II", data, body)
        if rows != count:
            raise _wrong(f"senc of {rows} samples, there are {count}")
        octets = data[body + 8 : box.end]
        elsewhere = [at for at, _ in told if part.place < 0 or at != part.place + body + 8]
        if elsewhere and b"".join(read(*each) for each in told) != octets:
            raise _wrong("senc and what saio points to differ")
        return octets, flags & 0xFFFFFF
    return b"".join(read(*each) for each in told), -1


def _saiz(part: _Stretch) -> list[int]:
    """Bytes of each sample's row (8.7.8); empty without one."""
    data = part.data
    for box in part.boxes:
        if box.kind == "saiz":
            at = box.body + (12 if data[box.body + 3] & AUX_TYPE else 4)
            default, count = struct.unpack_from(">BI", data, at)
            if count > len(part.descriptions) or (not default and count > box.end - at - 5):
                raise _wrong(f"saiz of {count} samples")
            return [default] * count if default else list(data[at + 5 : at + 5 + count])
    return []


def _saio(part: _Stretch) -> list[tuple[int, int]]:
    """Where in the file rows are, and how many bytes (8.7.9): of all samples, or of each run."""
    data, widths = part.data, _saiz(part)
    for box in part.boxes:
        if box.kind != "saio":
            continue
        at = box.body + (12 if data[box.body + 3] & AUX_TYPE else 4)
        (count,) = struct.unpack_from(">I", data, at)
        if count not in (1, len(part.runs)):
            raise _wrong(f"saio of {count} places for {len(part.runs)} runs")
        places = struct.unpack_from(f">{count}{'Q' if data[box.body] else 'I'}", data, at + 4)
        runs = part.runs if count > 1 else [len(widths)]
        ends = [0, *accumulate(runs)]
        return [
            (part.base + place, sum(widths[ends[n] : ends[n + 1]]))
            for n, place in enumerate(places)
        ]
    return []
