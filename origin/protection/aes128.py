"""HLS AES-128: whole segments (RFC 8216, 5.2; specs/protection.md PR-145)."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from origin.protection.errors import ProtectionError
from origin.protection.secret import KEY_BYTES, Secret

HEADER_SAMPLE = (1 << 64) - 1  # names the header among a track's IVs


def encrypt(key: Secret, iv: bytes, segment: bytes) -> bytes:
    """AES-128-CBC with PKCS#7; each segment is a chain of its own."""
    pad = KEY_BYTES - len(segment) % KEY_BYTES
    cipher = Cipher(algorithms.AES(key.reveal()), modes.CBC(iv)).encryptor()
    return cipher.update(segment) + cipher.update(bytes([pad]) * pad)


def segment_iv(track: int, time: int) -> bytes:
    """The IV of a segment by its track within the key and its media time in ticks, unique per key;
    the header takes HEADER_SAMPLE for a time.
    """
    if not 0 <= track < 1 << 64 or not 0 <= time < 1 << 64:
        raise ProtectionError("overflow", "the track or time does not fit the IV")
    return track.to_bytes(8, "big") + time.to_bytes(8, "big")
