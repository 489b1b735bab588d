"""Which key a track takes: usage rules of CPIX (specs/protection.md PR-95, PR-96)."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from lxml import etree

from origin.protection.errors import ProtectionError
from origin.protection.markup import local


@dataclass(frozen=True, slots=True)
class Period:
    """A ContentKeyPeriod: by its times in seconds since 1970, half open, else by index or label."""

    index: int | None = None
    label: str = ""
    start_s: float | None = None
    end_s: float | None = None

    def holds(self, context: "Context") -> bool:
        if self.start_s is not None and self.end_s is not None:
            return context.time_s is not None and self.start_s <= context.time_s < self.end_s
        if self.index is not None:
            return context.period == self.index
        return bool(self.label) and self.label in context.labels


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule looks at: one track, in one crypto period."""

    kind: Literal["video", "audio"]
    width: int = 0
    height: int = 0
    frame_rate: Fraction = Fraction(0)
    channels: int = 0
    bitrate: int = 0
    labels: frozenset[str] = frozenset()
    period: int | None = None  # its index
    time_s: float | None = None  # when it begins


Test = Callable[[Context, Fraction], bool]

# PR-95: attribute -> whether a context passes; maxima and minima are inclusive, minFps is not
VIDEO: Mapping[str, Test] = {
    "minPixels": lambda c, v: c.width * c.height >= v,
    "maxPixels": lambda c, v: c.width * c.height <= v,
    "minFps": lambda c, v: c.frame_rate > v,
    "maxFps": lambda c, v: c.frame_rate <= v,
}
AUDIO: Mapping[str, Test] = {
    "minChannels": lambda c, v: c.channels >= v,
    "maxChannels": lambda c, v: c.channels <= v,
}
BITRATE: Mapping[str, Test] = {
    "minBitrate": lambda c, v: c.bitrate >= v,
    "maxBitrate": lambda c, v: c.bitrate <= v,
}
NUMBERS = {"VideoFilter": VIDEO, "AudioFilter": AUDIO, "BitrateFilter": BITRATE}
TEXTS = {"LabelFilter": "label", "KeyPeriodFilter": "periodId"}
IGNORED = frozenset(["wcg", "hdr"])  # of VideoFilter (PR-103)


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a rule."""

    kind: str
    numbers: tuple[tuple[Test, Fraction], ...] = ()
    text: str = ""

    def passes(self, context: Context, periods: Mapping[str, Period]) -> bool:
        if self.kind == "LabelFilter":
            return self.text in context.labels
        if self.kind == "KeyPeriodFilter":
            period = periods.get(self.text)
            return period is not None and period.holds(context)
        wanted = {"VideoFilter": "video", "AudioFilter": "audio"}.get(self.kind, context.kind)
        return context.kind == wanted and all(test(context, v) for test, v in self.numbers)


@dataclass(frozen=True, slots=True)
class Rule:
    """Filters of one kind are alternatives; of several kinds, one of each must pass."""

    kid: uuid.UUID
    track_type: str
    filters: tuple[Filter, ...]

    def covers(self, context: Context, periods: Mapping[str, Period]) -> bool:
        kinds = dict.fromkeys(f.kind for f in self.filters)
        return all(
            any(f.passes(context, periods) for f in self.filters if f.kind == kind)
            for kind in kinds
        )


def read_rules(elements: Iterable[etree._Element]) -> tuple[Rule, ...]:
    """All rules, or ProtectionError: one that cannot be understood makes all useless (PR-95)."""
    rules = []
    for element in elements:
        try:
            kid = uuid.UUID(element.get("kid") or "")
        except ValueError:
            raise ProtectionError("bad_document", "ContentKeyUsageRule@kid is no UUID") from None
        filters = tuple(_filter(child) for child in element)
        rules.append(Rule(kid, element.get("intendedTrackType") or "", filters))
    return tuple(rules)


def _filter(element: etree._Element) -> Filter:
    kind = local(element)
    if kind in TEXTS:
        return Filter(kind, text=element.get(TEXTS[kind]) or "")
    if kind not in NUMBERS:
        raise ProtectionError("bad_document", f"a usage rule with an unknown {kind}")
    numbers = []
    for name, value in element.attrib.items():
        if kind == "VideoFilter" and name in IGNORED:
            continue
        test = NUMBERS[kind].get(str(name))
        if test is None:
            raise ProtectionError("bad_document", f"a {kind} with an unknown {name!r}")
        try:
            numbers.append((test, Fraction(str(value))))
        except (ValueError, ZeroDivisionError):
            raise ProtectionError("bad_document", f"{kind}@{name} is not a number") from None
    return Filter(kind, tuple(numbers))


def choose(
    rules: Sequence[Rule],
    kids: Sequence[uuid.UUID],
    periods: Mapping[str, Period],
    context: Context,
) -> uuid.UUID | None:
    """The key of a context; None: no rule covers it. ProtectionError when two do (PR-95)."""
    if not rules:
        if len(kids) != 1:
            raise ProtectionError("bad_document", f"{len(kids)} keys and no usage rule")
        return kids[0]
    found = {rule.kid for rule in rules if rule.covers(context, periods)}
    if len(found) > 1:
        raise ProtectionError("bad_document", "two keys match one track")
    return found.pop() if found else None
