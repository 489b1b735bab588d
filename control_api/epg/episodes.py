"""Episode numbers and programme ids of `<episode-num>` (CTL-56).

Source: XMLTV DTD, element episode-num; RFC 4078 section 3 (CRID).
"""

import re
from collections.abc import Collection
from typing import NamedTuple

MAX_NUMBER = 1_000_000
NUMBER = re.compile(r"([0-9]{1,7})")
CRID = re.compile(r"crid://[A-Za-z0-9.-]{1,128}/[\x21-\x7e]{1,110}", re.IGNORECASE)
EXT_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Ids(NamedTuple):
    """Who a programme is; numbers count from 1."""

    season_no: int | None = None
    episode_no: int | None = None
    ext_id: str | None = None
    crid: str | None = None
    series_crid: str | None = None


UNKNOWN = Ids()


def identify(numbers: Collection[tuple[str, str]]) -> Ids:
    """The first of each system wins; forms that break their own rules are left out."""
    if not numbers:
        return UNKNOWN
    found: dict[str, str] = {}
    for system, text in numbers:
        if CRID.fullmatch(text):
            found.setdefault("series_crid" if "series" in system else "crid", text)
        elif system == "dd_progid" and EXT_ID.fullmatch(text):
            found.setdefault("ext_id", text)
        elif system == "xmltv_ns":
            found.setdefault("xmltv_ns", text)
    season_no, episode_no = xmltv_ns(found.pop("xmltv_ns", ""))
    return Ids(season_no, episode_no, **found)


def xmltv_ns(text: str) -> tuple[int | None, int | None]:
    """Season and episode of `season/seasons . episode/episodes . part/parts`, written from 0.

    Totals are not stored, so that those of 0 or below their number do no harm.
    """
    season, _, rest = text.partition(".")
    return _number(season), _number(rest.partition(".")[0])


def _number(text: str) -> int | None:
    match = NUMBER.fullmatch(text.partition("/")[0].strip())
    if match is None or int(match[1]) >= MAX_NUMBER:
        return None
    return int(match[1]) + 1
