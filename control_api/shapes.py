"""What a television, a telephone and a page show of the same answers: field sets, not copies.

A shape (CTL-30) chooses fields of the titles in lists (home: rails) and of one title (detail), and
the defaults of a playback start. `fields`, where it is given, has the last word.
"""

from collections.abc import Mapping
from typing import Literal

from control_api.types import Request

Shape = Literal["tv", "mobile", "web"]
Part = Literal["list", "detail"]

_CARD = "id,kind,title,artwork,duration_ms,min_age"
_FACTS = "synopsis,genres,rating,year,season_no,episode_no,parent_id,available_until"
FIELDS: Mapping[Part, Mapping[Shape, str]] = {
    "list": {
        "tv": f"{_CARD},synopsis,year,rating",  # the focused card tells its story
        "mobile": _CARD,
        "web": f"{_CARD},year,genres",
    },
    "detail": {
        "tv": f"{_CARD},{_FACTS},credits,audio_langs,subtitle_langs",
        "mobile": f"{_CARD},{_FACTS}",
        "web": f"{_CARD},{_FACTS},credits,audio_langs,subtitle_langs,orig_lang,updated_at",
    },
}


class StartQuery(Request):
    """Whose defaults a start takes; none: those of the path."""

    shape: Shape | None = None


def fields(part: Part, shape: Shape | None, named: str | None) -> str | None:
    """The fields to show; None leaves it to the operation."""
    return named if named is not None or shape is None else FIELDS[part][shape]
