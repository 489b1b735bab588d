"""Cut an endless stream of bytes into the units of a CMAF track."""

from typing import final

from native.bmff.model import Unit

@final
class Splitter:
    """Feed pieces of any size, get whole units: header (.. moov), chunk (.. mdat), end (mfra).

    Each byte is copied once at most. `max_bytes` bounds one unit and with it the memory held; a box
    that declares more is refused when its header arrives (`too_large`), a stream that does not look
    like CMAF as `bad_box`.
    """

    def __init__(self, max_bytes: int = 67108864) -> None: ...
    def feed(self, piece: bytes) -> list[Unit]:
        """Units completed by these bytes. After a BoxError the stream is lost."""

    def finish(self) -> None:
        """The stream has ended: BoxError `truncated` if a unit was cut (I14)."""

    @property
    def pending_bytes(self) -> int:
        """Bytes held for a unit that is not complete."""
