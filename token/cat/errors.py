"""Errors of `cat`.

CatError
├── Refused      a token is not accepted; carries the reason code of CAT section 11
├── IssueError   claims or key cannot make a token; says what to change
├── SignError    a CDN's own token cannot be made (`cat.signers`); says what to change
└── KeyFileError a key set cannot be read; never quotes key material
"""

from cat.tables import REASONS


class CatError(Exception):
    """Anything this package raises on purpose."""


class Refused(CatError):
    """`step` is how far the token came in the order of evaluation (CAT section 10)."""

    def __init__(self, reason: str, step: int, claim: str | None = None) -> None:
        super().__init__(reason if claim is None else f"{reason} ({claim})")
        self.reason = reason
        self.step = step
        self.claim = claim

    @property
    def status(self) -> int:
        """HTTP status hint."""
        return REASONS[self.reason].status


class IssueError(CatError):
    """The token was not issued."""


class SignError(CatError):
    """A CDN's own token was not made; never quotes key material."""


class KeyFileError(CatError):
    """The key set was not loaded."""
