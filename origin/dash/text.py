"""The lexical forms of an MPD: durations, dates, attributes (ISO/IEC 23009-1 Annex B; XML 1.0)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from xml.sax.saxutils import escape, quoteattr

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Attributes = Iterable[tuple[str, object]]


def duration(seconds: Fraction) -> str:
    """xs:duration in seconds with microseconds at most (D12)."""
    return f"PT{decimal(seconds)}S"


def decimal(value: Fraction) -> str:
    """A decimal with six places at most, half up."""
    micros = (2 * 10**6 * value.numerator + value.denominator) // (2 * value.denominator)
    return f"{micros // 10**6}.{micros % 10**6:06d}".rstrip("0").rstrip(".")


def utc(epoch_ms: int) -> str:
    """xs:dateTime; milliseconds only where there are some."""
    when = EPOCH + timedelta(milliseconds=epoch_ms)
    text = when.isoformat(timespec="milliseconds" if epoch_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def tag(name: str, attributes: Attributes, *, close: bool = False) -> str:
    """A start tag, or an empty element. Attributes that are None are left out."""
    said = "".join(
        f" {key}={quoteattr(str(value))}" for key, value in attributes if value is not None
    )
    return f"<{name}{said}{'/' if close else ''}>\n"


def element(name: str, attributes: Attributes, text: str) -> str:
    """An element that holds text only."""
    return f"{tag(name, attributes)[:-1]}{escape(text)}</{name}>\n"
