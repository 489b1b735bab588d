"""HLS AES-128: whole objects of a title's transport streams (RFC 8216, 5.2; PR-145, TR-97).

The key is one of its own, so that none of a DRM system leaves through a key URL for old devices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from origin.hls.keys import aes128_line
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.protection.secret import KEY_BYTES, Secret
from origin.tracks import Segment

NUMBER_BITS, LENGTH_BITS = 15, 32  # of what an object holds, within its IV


@dataclass(frozen=True, slots=True)
class Lock:
    """The key of a title's transport streams. `numbers` tell its tracks apart by their names; a
    file that takes another's place has numbers of its own.
    """

    key: ContentKey
    key_uri: str
    numbers: Mapping[str, int]

    def line(self, tracks: Sequence[str], segment: Segment, *, frame: bool) -> str:
        """The KEY line in front of an object: pictures or sound, and what is beside them, over the
        segment's time, or the I frame that stands for it.
        """
        return aes128_line(self.key_uri, self._iv(tracks, segment, frame))

    def close(self, data: bytes, tracks: Sequence[str], segment: Segment, *, frame: bool) -> bytes:
        return encrypt(self.key.secret, self._iv(tracks, segment, frame), data)

    def _iv(self, tracks: Sequence[str], segment: Segment, frame: bool) -> bytes:
        """Named by all that makes objects of one time differ: tracks, length, form."""
        main, beside = [*(self.numbers[name] for name in tracks), -1][:2]
        if max(main, beside + 1) >> NUMBER_BITS or segment.duration >> LENGTH_BITS:
            raise ProtectionError("overflow", "a track's number or a length does not fit the IV")
        lane = (frame << NUMBER_BITS | main) << NUMBER_BITS | beside + 1
        return segment_iv(lane << LENGTH_BITS | segment.duration, segment.start)


def encrypt(key: Secret, iv: bytes, segment: bytes) -> bytes:
    """AES-128-CBC with PKCS#7; each segment is a chain of its own."""
    pad = KEY_BYTES - len(segment) % KEY_BYTES
    cipher = Cipher(algorithms.AES(key.reveal()), modes.CBC(iv)).encryptor()
    return cipher.update(segment) + cipher.update(bytes([pad]) * pad)


def segment_iv(track: int, time: int) -> bytes:
    """The IV of an object by what it holds and its media time in ticks, unique per key."""
    if not 0 <= track < 1 << 64 or not 0 <= time < 1 << 64:
        raise ProtectionError("overflow", "the track or time does not fit the IV")
    return track.to_bytes(8, "big") + time.to_bytes(8, "big")
