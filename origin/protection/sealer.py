"""Encrypt one track under one key: header and fragments (PR-5..PR-9, PR-13..PR-20, PR-52).

Nothing here depends on what was sealed before: any fragment, on any day and origin, comes out the
same (PR-160). Chunks that no random access point begins are read by those of their segment before
them, which are always the same.
"""

import struct
from collections.abc import Iterator, Sequence

from native.bmff import BoxError, Track, parse_init, walk
from native.bmff.widen import widen
from native.bmff.write import full
from native.cenc import (
    Finder,
    SampleError,
    State,
    auxiliary,
    cbcs_copy,
    cbcs_fresh,
    cenc_copy,
    cenc_fresh,
)
from native.crypto import Aes
from origin.protection.errors import ProtectionError
from origin.protection.fragment import Fragment, read
from origin.protection.init import PATTERN, protect_init, seig
from origin.protection.keys import ContentKey, sample_iv
from origin.protection.lead import clear_lead

LAYOUT = 1  # version of what is written: part of a segment's ETag (PR-160)
WHOLE = frozenset(["mp4a", "ac-3", "ec-3", "Opus", "fLaC", "alac"])  # every byte (PR-26)
RANGED = {
    "avc1": "avcC", "avc3": "avcC", "hvc1": "hvcC", "hev1": "hvcC",
    "dvh1": "hvcC", "dvhe": "hvcC", "av01": "av1C",
}  # fmt: skip
RANGES_MOST = {"cenc": 40, "cbcs": 42}  # with IVs of 8 bytes, and none (PR-6)
IN_FRAGMENT = 0x10001  # group_description_index of the fragment's own sgpd, 8.9.4
_SAIO_HEAD = 16  # from the start of senc to its first row (PR-7)


class Sealer:
    """One clear track and the key that protects it.

    `number` is the track's number within the key, `source` its input (PR-16), `since` the decode
    time from which samples that are named by theirs are counted. `inband` writes the
    key into every fragment, with `boxes`, its pssh, in each that opens a segment or a random access
    (PR-52). `empty_senc` False leaves out what cbcs audio does not need (PR-8). With `lead` some of
    the track's media stays clear (PR-33).
    """

    def __init__(
        self,
        init: bytes,
        key: ContentKey,
        *,
        number: int = 0,
        source: int = 0,
        since: int = 0,
        boxes: Sequence[bytes] = (),
        inband: bool = False,
        empty_senc: bool = True,
        lead: bool = False,
    ) -> None:
        self.key = key
        self.spared = 0  # ranges left clear, so that their sample's row fits (PR-34)
        self._track = _one_track(init)
        self._init = init
        self._aes = Aes(key.secret.reveal())
        self._finder = _finder(self._track, key.scheme)
        self._base_iv = sample_iv(number, source, 0)
        self._since = since
        crypt, skip = PATTERN[self._track.handler]
        self._pattern = key.constant_iv, crypt or 1, skip
        self._boxes = list(boxes)
        self._inband = inband
        self._empty_senc = empty_senc
        self._lead = lead

    def init(self) -> bytes:
        """The protected header."""
        handler = self._track.handler
        return protect_init(self._init, self.key, handler, self._boxes, lead=self._lead)

    def clear(self, data: bytes) -> bytes:
        """A segment, part or chunk of the lead (PR-33)."""
        try:
            return clear_lead(data, self._track)
        except BoxError as error:
            raise ProtectionError("bad_box", str(error)) from error

    def sample(self, decode_time: int) -> int:
        """The name of the sample of this decode time."""
        return decode_time - self._since

    def begin(self) -> State | None:
        """What chunks of one segment are read by, sealed one after the other (PR-30, PR-161)."""
        return self._finder.begin() if self._finder is not None else None

    def seal(
        self,
        data: bytes,
        first_sample: int | None = None,
        *,
        telling: bool = True,
        state: State | None = None,
    ) -> list[bytes]:
        """A segment, part or chunk, in pieces: heads and media by turns.

        `first_sample` is the name of its first sample, its index in the source for VOD; None names
        samples by their decode time. `telling` False: a chunk that players do not begin with, which
        needs no pssh. `state`, for a chunk that lies within its segment: what was given with the
        chunks before it. ProtectionError; nothing clear is ever answered (PR-43).
        """
        try:
            return list(self._pieces(data, first_sample, telling, state or self.begin()))
        except (BoxError, SampleError) as error:
            raise self._refusal(error) from error

    def seal_fresh(self, head: bytes, sizes: bytes, media: bytes, first_sample: int) -> list[bytes]:
        """`seal` of one fragment that our own packager has made, and that nobody has seen: `media`
        is encrypted in place (PR-163). `head` is all before it, `sizes` u32 per sample.
        """
        samples = len(sizes) // 4
        try:
            counts, ranges = self._ranges(media, sizes)
            ivs = b""
            if self.key.scheme == "cenc":
                ivs = self._named(range(first_sample, first_sample + samples))
                cenc_fresh(self._aes, media, sizes, counts, ranges, ivs)
            else:
                cbcs_fresh(self._aes, media, sizes, counts, ranges, *self._pattern)
            extra, aux_at = self._boxes_of(counts, ranges, ivs)
            tail = b"".join(self._boxes) if self._inband else b""
            return [widen(head, extra, aux_at, tail), media]
        except (BoxError, SampleError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: BoxError | SampleError) -> ProtectionError:
        if isinstance(error, BoxError):
            return ProtectionError("bad_box", str(error))
        code = "slice_header" if error.code != "partition" else "unsupported"
        return ProtectionError(code, f"track {self._track.id}: {error}")

    def _ranges(
        self, media: bytes | memoryview, sizes: bytes, state: State | None = None
    ) -> tuple[bytes, bytes]:
        """Counts and pairs as the ciphers take them."""
        if self._finder is None:
            return bytes(len(sizes) // 2), b""
        most = RANGES_MOST[self.key.scheme]
        counts, ranges, spared = self._finder.find(media, 0, sizes, most, state)
        self.spared += spared
        return counts, ranges

    def _pieces(
        self, data: bytes, first_sample: int | None, telling: bool, state: State | None
    ) -> Iterator[bytes]:
        boxes = walk(data)
        view = memoryview(data)
        head = bytearray()
        for found, following in zip(boxes, [*boxes[1:], None], strict=True):
            if found.kind == "sidx":
                continue  # optional (8.16.3), and its sizes would lie
            if found.kind != "moof":
                if found.kind != "mdat":
                    head += view[found.start : found.end]
                continue
            if following is None or following.kind != "mdat":
                raise ProtectionError("bad_box", "a moof without its mdat")
            fragment = read(data, found, following, self._track.defaults)
            moof, media = self._fragment(view, fragment, first_sample, telling, state)
            if first_sample is not None:
                first_sample += len(fragment.sizes)
            head += moof
            head += view[following.start : following.body]
            yield bytes(head)
            yield media
            head = bytearray(view[following.body + fragment.media_bytes : following.end])
        if head:
            yield bytes(head)

    def _fragment(
        self,
        view: memoryview,
        fragment: Fragment,
        first_sample: int | None,
        telling: bool,
        state: State | None,
    ) -> tuple[bytes, bytes]:
        """The new moof, and the media."""
        samples = len(fragment.sizes)
        sizes = struct.pack(f"={samples}I", *fragment.sizes)
        media = view[fragment.media : fragment.media + fragment.media_bytes]
        counts, ranges = self._ranges(media, sizes, state)
        if self.key.scheme == "cenc":
            ivs = self._ivs(fragment, first_sample)
            sealed = cenc_copy(self._aes, media, sizes, counts, ranges, ivs)
        else:
            ivs = b""
            sealed = cbcs_copy(self._aes, media, sizes, counts, ranges, *self._pattern)
        extra, aux_at = self._boxes_of(counts, ranges, ivs)
        behind = self._boxes if self._inband and telling else ()
        return fragment.moof(extra, behind, aux_at), sealed

    def _ivs(self, fragment: Fragment, first_sample: int | None) -> bytes:
        """PR-16: one IV a sample, 8 bytes each."""
        if first_sample is None:
            names: Sequence[int] = [self.sample(time) for time in fragment.times]
            if 0 in fragment.durations[:-1]:
                raise ProtectionError("overflow", "two samples have the same decode time")
        else:
            names = range(first_sample, first_sample + len(fragment.sizes))
        return self._named(names)

    def _named(self, names: Sequence[int]) -> bytes:
        """The IVs of samples that rise by name."""
        if names:
            sample_iv(0, 0, names[0])
            sample_iv(0, 0, names[-1])
        base = self._base_iv
        return struct.pack(f">{len(names)}Q", *[base | name for name in names])

    def _boxes_of(self, counts: bytes, ranges: bytes, ivs: bytes) -> tuple[bytes, int]:
        """What protection adds to a traf."""
        samples = len(counts) // 2
        groups = self._groups(samples) if self._inband else b""
        listed = counts if self._finder is not None else b""
        return self._auxiliary(groups, listed, ranges, ivs, samples)

    def _groups(self, samples: int) -> bytes:
        """sbgp and sgpd of the key in force (PR-52)."""
        entry = seig(self.key, self._track.handler)
        run = struct.pack(">4s3I", b"seig", 1, samples, IN_FRAGMENT)
        described = struct.pack(">4s2I", b"seig", len(entry), 1)
        return full("sbgp", 0, 0, run) + full("sgpd", 1, 0, described, entry)

    def _auxiliary(
        self, groups: bytes, counts: bytes, ranges: bytes, ivs: bytes, samples: int
    ) -> tuple[bytes, int]:
        """sbgp, sgpd, saiz, saio, senc (PR-9), and where saio's offset is."""
        if not counts and not ivs:
            senc = full("senc", 0, 0, struct.pack(">I", samples)) if self._empty_senc else b""
            return groups + senc, -1
        widths, rows = auxiliary(counts, ranges, ivs, samples)
        even = samples and widths.count(widths[0]) == samples
        default = widths[0] if even else 0
        saiz = full("saiz", 0, 0, struct.pack(">BI", default, samples), b"" if even else widths)
        start = len(groups) + len(saiz)
        saio = full("saio", 0, 0, struct.pack(">II", 1, start + 20 + _SAIO_HEAD))
        senc = full("senc", 0, 2 if counts else 0, struct.pack(">I", samples), rows)
        return groups + saiz + saio + senc, start + 16


def _one_track(init: bytes) -> Track:
    try:
        tracks = parse_init(init).tracks
    except BoxError as error:
        raise ProtectionError("bad_box", str(error)) from error
    if len(tracks) != 1:
        raise ProtectionError("bad_box", f"a header of {len(tracks)} tracks")
    if any(entry.protection is not None for entry in tracks[0].entries):
        raise ProtectionError("double", "the track is protected already (PR-153)")
    return tracks[0]


def _finder(track: Track, scheme: str) -> Finder | None:
    """The rules of the track's codec; None when every byte is protected."""
    entry = track.entry
    if track.handler == "soun" and entry.fourcc in WHOLE:
        return None
    if track.handler != "vide" or RANGED.get(entry.fourcc) != entry.config_kind:
        raise ProtectionError("unsupported", f"no rule of protection covers {entry.fourcc}")
    try:
        return Finder(entry.config_kind, entry.config, scheme)
    except (SampleError, ValueError) as error:
        raise ProtectionError("slice_header", str(error)) from error
