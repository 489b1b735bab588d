"""A manifest compiled to bytes with holes: what differs per viewer is filled in by one join.

Source: manifest-proxy MP-40, MP-44.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final


class Hole(Enum):
    """What a viewer's copy fills in."""

    TOKEN = "token"  # the viewer's access token; many per playlist
    SESSION = "session"  # the steering session; one per manifest


Piece = bytes | Hole
TOKEN: Final = Hole.TOKEN
SESSION: Final = Hole.SESSION


class Compiled:
    """One origin version for one cohort: chunks between token holes."""

    __slots__ = ("_chunks", "_sessions", "size")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        # Runs between token holes, inside them runs between session holes, inside them raw bytes.
        runs: list[list[list[bytes]]] = [[[]]]
        for piece in pieces:
            if piece is TOKEN:
                runs.append([[]])
            elif piece is SESSION:
                runs[-1].append([])
            elif isinstance(piece, bytes):
                runs[-1][-1].append(piece)
        texts = [[b"".join(raw) for raw in run] for run in runs]
        self._chunks = [run[0] for run in texts]
        self._sessions = [(at, run) for at, run in enumerate(texts) if len(run) > 1]
        self.size = sum(len(text) for run in texts for text in run)

    def render(self, token: bytes = b"", session: bytes = b"") -> bytes:
        """The viewer's copy. Both values hold base64url or id characters only."""
        chunks = self._chunks
        if self._sessions:
            chunks = chunks.copy()
            for at, run in self._sessions:
                chunks[at] = session.join(run)
        return token.join(chunks)

    @property
    def holes(self) -> int:
        """How many tokens a copy carries."""
        return len(self._chunks) - 1
