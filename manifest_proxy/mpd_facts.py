"""What an MPD tells of its AdaptationSets and Representations, with inheritance applied.

Source: ISO/IEC 23009-1:2022 sections 5.3.3, 5.3.5, 5.3.7, 5.8.5.
"""

from collections.abc import Iterator
from fractions import Fraction

from native.mpd import Element

from .mpd import Document
from .selection import Facts
from .tables import (
    CHANNEL_COUNT_SCHEMES,
    CHANNEL_SCHEMES,
    CHANNELS,
    ROLE_SCHEME,
    TEXT_FORMATS,
    TRANSFER_SCHEME,
    TRANSFERS,
    TRICK_MODES,
    VIDEO_FORMATS,
)

PROPERTIES = ("EssentialProperty", "SupplementalProperty")


class Reader:
    """Answers for one representation, asking it first and then its set."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def value(self, name: bytes, *holders: Element) -> str | None:
        for holder in holders:
            if (value := self.document.attribute(holder, name)) is not None:
                return value
        return None

    def number(self, name: bytes, *holders: Element) -> float | None:
        text = self.value(name, *holders)
        try:
            return float(Fraction(text)) if text and len(text) < 32 else None
        except (ValueError, ZeroDivisionError):
            return None

    def descriptors(self, *holders: Element) -> Iterator[tuple[str, str, str]]:
        """Name, scheme and value of the descriptors there."""
        for holder in holders:
            for child in holder.children:
                if (scheme := self.document.attribute(child, b"schemeIdUri")) is not None:
                    yield child.name, scheme, self.document.attribute(child, b"value") or ""

    def kind(self, adaptation: Element) -> str:
        """video, audio, text, image, or what the set calls itself."""
        inner = adaptation.named("Representation")
        holders = (adaptation, *inner[:1])
        told = self.value(b"contentType", *holders, *adaptation.named("ContentComponent"))
        major, _, minor = (self.value(b"mimeType", *holders) or "").partition("/")
        codecs = (self.value(b"codecs", *holders) or "").lower()
        if told or major in ("video", "audio", "text", "image"):
            return told or major
        if codecs.startswith(TEXT_FORMATS) or minor.startswith("ttml"):
            return "text"
        return "video" if codecs.startswith(VIDEO_FORMATS) else major

    def is_trick(self, adaptation: Element) -> bool:
        return any(
            name in PROPERTIES and scheme in TRICK_MODES
            for name, scheme, _ in self.descriptors(adaptation)
        )

    def facts(self, adaptation: Element, representation: Element) -> Facts:
        holders = (representation, adaptation)
        found = list(self.descriptors(*holders))
        return Facts(
            bandwidth=self.number(b"bandwidth", representation),
            height=self.number(b"height", *holders),
            frame_rate=self.number(b"frameRate", *holders),
            codecs=tuple(filter(None, (self.value(b"codecs", *holders) or "").split(","))),
            dynamic_range=next(
                (TRANSFERS.get(v) for n, s, v in found if n in PROPERTIES and s == TRANSFER_SCHEME),
                None,
            ),
            language=self.value(b"lang", adaptation),
            channels=next((c for n, s, v in found if (c := _channels(n, s, v))), None),
            roles=frozenset(
                v for n, s, v in found if n in ("Role", "Accessibility") and s == ROLE_SCHEME
            ),
        )


def _channels(name: str, scheme: str, value: str) -> int | None:
    if name != "AudioChannelConfiguration":
        return None
    if scheme in CHANNEL_COUNT_SCHEMES and value.isdigit() and len(value) < 4:
        return int(value)
    return CHANNELS.get(value) if scheme in CHANNEL_SCHEMES else None
