"""Keys of films that come protected, from CPIX documents (PR-91, PR-150)."""

from pathlib import Path

from origin.protection import cpix
from origin.protection.cpix_source import document
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey, Scheme
from origin.settings import Protection


class InputKeys:
    """What opens the inputs of titles (origin.vod.opened). Documents are read when first asked, and
    once more for a KID that was not there.
    """

    def __init__(self, settings: Protection) -> None:
        self._settings = settings
        self._known: dict[bytes, ContentKey] = {}

    @property
    def leftover(self) -> bool:
        return self._settings.inputs.leftover

    def find(self, kid: bytes, scheme: str) -> bytes | None:
        """The 16 bytes of a key; ProtectionError for a document that cannot be read."""
        if kid not in self._known:
            for path in map(Path, self._settings.inputs.documents):
                self._known |= {key.kid: key for key in self._read(path, scheme).keys.values()}
        key = self._known.get(kid)
        return key.secret.reveal() if key is not None else None

    def _read(self, path: Path, scheme: str) -> cpix.Document:
        """A document is for one scheme (PR-92), be it the film's or another."""
        first: Scheme = "cenc" if scheme == "cenc" else "cbcs"
        try:
            return document(path, first, self._settings.cpix)
        except ProtectionError:
            return document(path, "cbcs" if first == "cenc" else "cenc", self._settings.cpix)
