"""When the keys of a channel change, by the table that it keeps (origin/protection/periods.py)."""

from origin.live.channel import LiveChannel
from origin.protection.keys import SCHEMES, Scheme
from origin.protection.periods import Slot, Terms, agreed, next_after, slot_at, terms_at
from origin.settings import LiveProtection, Speke

SLOTS = 4096  # numbers whose slot is remembered


class Turns:
    """The period table of one channel; `asked` is what its settings want from now on, `server` the
    key server's. `beside`: as the presentation under the other scheme sees it.
    """

    def __init__(
        self, channel: LiveChannel, asked: LiveProtection | None, server: Speke, *, beside: bool
    ) -> None:
        self._channel = channel
        self._asked = asked
        self._server = server
        self._beside = beside
        self._slots: dict[int, Slot | None] = {}
        self._known: object = None  # what the slots follow from

    @property
    def on(self) -> bool:
        """Whether any media was or will be protected."""
        return bool(self._channel.kept.terms)

    def settle(self) -> None:
        """This process writes the channel: take over what the settings ask for, from the first
        number that nobody has seen.
        """
        kept, asked = self._channel.kept, self._asked
        wanted = Terms(0) if asked is None else _terms(self._channel.name, asked, self._server)
        edge = self._channel.edge
        table = agreed(kept.terms, wanted, edge + 2 if edge >= 0 else 0)
        if table is not None:
            kept.terms = table
            self._channel.dirty = True
            self._channel.save_if_dirty()

    def slot(self, number: int) -> Slot | None:
        """What protects this number; None for clear media."""
        kept, duration_s = self._channel.kept, self._channel.duration_s
        if not kept.terms or duration_s is None:
            return None
        known = (len(kept.terms), kept.terms[-1], len(kept.stood), kept.first)
        if known != self._known or len(self._slots) > SLOTS:
            self._known, self._slots = known, {}
        if number not in self._slots:
            slot = slot_at(kept.terms, kept.stood, duration_s, number, kept.first)
            terms = terms_at(kept.terms, number)
            if self._beside and slot is not None and terms is not None and terms.beside:
                slot = slot.under(terms.beside)
            self._slots[number] = slot
        return self._slots[number]

    def begins(self, number: int) -> int:
        """The first number under the same header as this one; -1 for always."""
        slot = self.slot(number)
        terms = terms_at(self._channel.kept.terms, number)
        if terms is None:
            return -1
        if slot is None or slot.inband:
            return terms.number
        while (before := self.slot(slot.first - 1)) is not None and before.init == slot.init:
            slot = before
        return slot.first

    def splits(self, number: int) -> bool:
        """Whether this number has another header than the one before."""
        return self.changes(number) and self.begins(number) == number

    def changes(self, number: int) -> bool:
        """Whether other keys are in force in this number than in the one before."""
        return self.on and self.slot(number) != self.slot(number - 1)

    def turn(self, number: int) -> int | None:
        """The next number under other keys, once they are known to come."""
        kept, duration_s = self._channel.kept, self._channel.duration_s
        if not self.on or duration_s is None:
            return None
        return next_after(kept.terms, duration_s, number, kept.first)

    def rotates(self) -> bool:
        """Whether keys change by themselves: what is said of a key is stale at once (PR-63)."""
        return any(terms.rotation_s for terms in self._channel.kept.terms[-1:])


def _terms(channel: str, asked: LiveProtection, server: Speke) -> Terms:
    presets = server if asked.source == "speke" else asked
    return Terms(
        0,
        asked.scheme,
        asked.content_id or channel,
        asked.rotation_s,
        asked.mode,
        asked.shared,
        asked.clear_lead_s,
        presets.video,
        presets.audio,
        other(asked.scheme) if asked.both else "",
    )


def other(scheme: Scheme) -> Scheme:
    """The scheme beside this one."""
    return next(each for each in SCHEMES if each != scheme)
