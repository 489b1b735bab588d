"""Session state carried by RELOAD-URI, so that any node answers any session: signed, expiring.

Form: `v1.` payload `.` signature, both base64url; HMAC-SHA-256 over everything before the last dot,
cut to 128 bits (RFC 2104 section 5). Source: steering ST-53.
"""

import base64
import hmac
from binascii import b2a_base64

import msgspec

from native.crypto.mac import Mac

from .rules.rule import Who

VERSION = "v1"
MAX_CHARS = 1024
SIGNATURE_BYTES = 16
TO_URL = bytes.maketrans(b"+/", b"-_")  # RFC 4648 section 5


class State(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a poll needs: the session, the pathways its manifest declares, its number of polls; who
    watches, where it was told to be and since when.
    """

    session_id: str
    declared: tuple[str, ...]
    polls: int
    expires_s: int
    who: Who = Who()
    lead: str = ""
    moved_s: int = 0


ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(State)


class Signer:
    def __init__(self, key: bytes) -> None:
        self._mac = Mac(key)

    def seal(self, state: State) -> str:
        text = f"{VERSION}.{_encode(ENCODER.encode(state))}"
        return f"{text}.{self._signature(text)}"

    def open(self, text: str, now_s: float) -> State | None:
        """The state, or None when it is forged, altered, expired or of another form."""
        signed, _, signature = text.rpartition(".")
        version, _, payload = signed.partition(".")
        if len(text) > MAX_CHARS or version != VERSION or not text.isascii():
            return None
        if not hmac.compare_digest(self._signature(signed), signature):
            return None
        state: State = DECODER.decode(_decode(payload))
        return state if now_s < state.expires_s else None

    def _signature(self, text: str) -> str:
        return _encode(self._mac.digest(text.encode())[:SIGNATURE_BYTES])


def _encode(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(TO_URL, b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
