"""Which video, audio and text a viewer is offered: rules over facts, the same for HLS and DASH.

A fact that a manifest does not tell excludes nothing. Source: manifest-proxy MP-1, MP-3.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from .tables import CODEC_FAMILIES

DynamicRange = Literal["SDR", "HLG", "PQ"]


class Span:
    """From `least` to `most`, both included; written `240..720`, `..720`, `240..` or `720`."""

    __slots__ = ("least", "most")

    def __init__(self, least: float = float("-inf"), most: float = float("inf")) -> None:
        self.least = least
        self.most = most

    def __str__(self) -> str:
        return f"{self.least}..{self.most}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self.least, self.most))

    @classmethod
    def parse(cls, text: str) -> "Span":
        """ValueError for anything else."""
        low, dots, high = text.partition("..")
        if not dots:
            high = low
        elif not low and not high:
            raise ValueError("a range names at least one end")
        span = cls(float(low or "-inf"), float(high or "inf"))
        if not span.least <= span.most:
            raise ValueError(f"{text!r} holds nothing")
        return span

    def __contains__(self, number: object) -> bool:
        return isinstance(number, (int, float)) and self.least <= number <= self.most

    def distance(self, number: float) -> float:
        """How far outside a number is, as a ratio of the end that it passes; 0 inside."""
        if number in self:
            return 0.0
        end = self.least if number < self.least else self.most
        return abs(number - end) / max(abs(end), 1.0)


class Facts(NamedTuple):
    """What a manifest tells of one rung or rendition; None or empty: it does not."""

    bandwidth: float | None = None  # bit/s
    height: float | None = None
    frame_rate: float | None = None
    codecs: tuple[str, ...] = ()
    dynamic_range: str | None = None
    language: str | None = None
    channels: float | None = None
    roles: frozenset[str] = frozenset()


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base: the numeric ranges and the lists of one kind of media."""

    def spans(self, facts: Facts) -> Iterable[tuple[Span, float | None]]:
        return ()

    def suits(self, facts: Facts) -> bool:
        """Whether everything but the numbers fits."""
        return True

    def fits(self, facts: Facts) -> bool:
        return self.suits(facts) and not self.distance(facts)

    def distance(self, facts: Facts) -> float:
        """How far the numbers are from what the rule asks."""
        return sum(span.distance(value) for span, value in self.spans(facts) if value is not None)


class VideoRule(Rule, frozen=True, forbid_unknown_fields=True):
    bandwidth: Span = msgspec.field(default_factory=Span)
    height: Span = msgspec.field(default_factory=Span)
    frame_rate: Span = msgspec.field(default_factory=Span)
    codecs: tuple[str, ...] = ()
    dynamic_range: tuple[DynamicRange, ...] = ()
    trick_play: bool = True

    def spans(self, facts: Facts) -> Iterable[tuple[Span, float | None]]:
        yield self.bandwidth, facts.bandwidth
        yield self.height, facts.height
        yield self.frame_rate, facts.frame_rate

    def suits(self, facts: Facts) -> bool:
        ranged = facts.dynamic_range or "SDR"  # the default of VIDEO-RANGE (4.4.6.2)
        return _codecs_fit(self.codecs, facts.codecs) and (
            not self.dynamic_range or ranged in self.dynamic_range
        )


class AudioRule(Rule, frozen=True, forbid_unknown_fields=True):
    bandwidth: Span = msgspec.field(default_factory=Span)
    channels: Span = msgspec.field(default_factory=Span)
    codecs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    without_roles: tuple[str, ...] = ()

    def spans(self, facts: Facts) -> Iterable[tuple[Span, float | None]]:
        yield self.bandwidth, facts.bandwidth
        yield self.channels, facts.channels

    def suits(self, facts: Facts) -> bool:
        return (
            _codecs_fit(self.codecs, facts.codecs)
            and speaks(self.languages, facts.language)
            and not facts.roles.intersection(self.without_roles)
        )


class TextRule(Rule, frozen=True, forbid_unknown_fields=True):
    keep: bool = True
    languages: tuple[str, ...] = ()
    without_roles: tuple[str, ...] = ()

    def suits(self, facts: Facts) -> bool:
        return (
            self.keep
            and speaks(self.languages, facts.language)
            and not facts.roles.intersection(self.without_roles)
        )


def speaks(ranges: Iterable[str], language: str | None) -> bool:
    """RFC 4647 section 3.3.1, basic filtering; no ranges allow every language."""
    tag = (language or "").lower() + "-"
    wanted = [one.lower() for one in ranges]
    return not wanted or not language or any(tag.startswith(f"{one}-") for one in wanted)


def _codecs_fit(wanted: Iterable[str], told: Iterable[str]) -> bool:
    """Each told format is of a wanted family or begins with a wanted format."""
    starts = [start for name in wanted for start in CODEC_FAMILIES.get(name.lower(), (name,))]
    return not starts or all(codec.lower().startswith(tuple(starts)) for codec in told)
