"""Times of XMLTV: `YYYYMMDDhhmmss` or its first digits, then a zone (XMLTV DTD, "date format").

Digits that are missing are the smallest; BST is +0100 and no zone is UTC by the DTD, and no zone
may mean another one by the source (CTL-49).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

TIME = re.compile(r"([0-9]{4}(?:[0-9]{2}){0,5})\s*([+-][0-9]{4}|[A-Za-z]{1,5})?", re.ASCII)
OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
FIRST_YEAR, LAST_YEAR = 1970, 2199

# Minutes east of UTC. Names that mean different zones in different places (IST) are left out.
# fmt: off
NAMED: Mapping[str, int] = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0,
    "BST": 60, "WEST": 60, "CET": 60, "MET": 60,       # BST by the DTD
    "CEST": 120, "MEST": 120, "EET": 120, "SAST": 120,
    "EEST": 180, "MSK": 180,
    "AWST": 480, "JST": 540, "KST": 540, "ACST": 570, "AEST": 600, "AEDT": 660,
    "NZST": 720, "NZDT": 780,
    "NST": -210, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300,
    "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
}
# fmt: on


@lru_cache(maxsize=256)
def zone(text: str) -> tzinfo | None:
    """A zone by offset or name, else by its IANA name; None for one nobody knows."""
    known = _written(text)
    if known is not None or "/" not in text:
        return known
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return None


@lru_cache(maxsize=8_192)
def epoch_ms(text: str, unzoned: tzinfo = UTC) -> int | None:
    """Milliseconds since 1970; None for what is not a time. `unzoned` is meant by no zone. All
    channels of a guide have the same few times.
    """
    match = TIME.fullmatch(text.strip())
    if match is None:
        return None
    digits, name = match[1], match[2]
    where = unzoned if name is None else _written(name)
    if where is None:
        return None
    return _epoch_ms(digits, where)


def _epoch_ms(digits: str, where: tzinfo) -> int | None:
    parts = [int(digits[at : at + 2]) for at in range(4, len(digits), 2)]
    month, day, hour, minute, second = (*parts, *(1, 1, 0, 0, 0)[len(parts) :])
    year = int(digits[:4])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=where)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000


@lru_cache(maxsize=256)
def _written(name: str) -> tzinfo | None:
    """What may stand behind a time: an offset or a name of the table."""
    match = OFFSET.fullmatch(name)
    if match is None:
        minutes = NAMED.get(name.upper())
        return None if minutes is None else timezone(timedelta(minutes=minutes))
    hours, rest = int(match[2]), int(match[3])
    if hours > 14 or rest > 59:
        return None
    minutes = hours * 60 + rest
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
