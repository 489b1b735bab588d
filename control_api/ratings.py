"""From which age a rating lets one watch (control-api CTL-77).

Numbers, with or without a board's name (`FSK-16`, `12+`, `15A`), are ages themselves; letters are
those of MPA (US films), the TV Parental Guidelines (US) and BBFC (UK), at the ages that the boards
give for them.
"""

import re
from typing import Final

STRICTEST: Final = 18
OLDEST: Final = 21  # that editors may say
LETTERS: Final = {
    "g": 0,  # MPA
    "pg": 8,  # MPA, BBFC
    "pg-13": 13,  # MPA
    "r": 17,  # MPA
    "nc-17": 18,  # MPA
    "u": 0,  # BBFC
    "uc": 0,  # BBFC
    "12a": 12,  # BBFC
    "r18": 18,  # BBFC
    "tv-y": 0,  # TV Parental Guidelines
    "tv-y7": 7,  # TV Parental Guidelines
    "tv-g": 0,  # TV Parental Guidelines
    "tv-pg": 8,  # TV Parental Guidelines
    "tv-14": 14,  # TV Parental Guidelines
    "tv-ma": 17,  # TV Parental Guidelines
}
_NUMBER: Final = re.compile(r"(?:[a-z]+[-_.]?)?([0-9]{1,2})[a-z+]?")


def age_of(rating: str) -> int | None:
    """The age; None for a rating of no board that we know."""
    word = rating.casefold()
    if word in LETTERS:
        return LETTERS[word]
    number = _NUMBER.fullmatch(word)
    return min(int(number[1]), STRICTEST) if number else None


def title_age(min_age: int | None, rating: str | None) -> int:
    """From which age a title is: what editors say, else its rating; one that nobody knows is for
    grown-ups, none at all for everybody.
    """
    if min_age is not None:
        return min_age
    if rating is None:
        return 0
    known = age_of(rating)
    return STRICTEST if known is None else known
