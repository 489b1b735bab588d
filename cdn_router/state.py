"""Session state carried by RELOAD-URI, so that any node answers any session: signed, expiring.

Source: steering ST-53.
"""

import msgspec

from native.router.seal import Seal

from .bodies import UNREADABLE
from .rules.rule import Who

MAX_CHARS = 6_144  # what the settings and texts of a start allow, in base64


class State(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
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
        self._seal = Seal(key)

    def seal(self, state: State) -> str:
        return self._seal.sealed(ENCODER.encode(state))

    def open(self, text: str, now_s: float) -> State | None:
        """The state, or None when it is forged, altered, expired or of another form."""
        payload = self._seal.opened(text) if len(text) <= MAX_CHARS else None
        if payload is None:
            return None
        try:
            state = DECODER.decode(payload)
        except UNREADABLE:  # signed by a node of another version
            return None
        return state if now_s < state.expires_s else None
