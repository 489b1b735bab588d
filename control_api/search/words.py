"""Words as search knows them: lower case, no diacritics, nothing but letters and digits."""

import re
import unicodedata
from collections.abc import Iterable

MAX_WORD = 40
WORD = re.compile(r"[^\W_]+")
# Letters that NFKD does not take apart.
PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "\u0131": "i"}
)


def folded(text: str) -> list[str]:
    """The words of a text in their order; what follows an apostrophe belongs to its word."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("'", "").replace("\u2019", ""))
    plain = "".join(c for c in apart if not unicodedata.combining(c)).translate(PLAIN)
    return [word[:MAX_WORD] for word in WORD.findall(plain)]


def distinct(texts: Iterable[str]) -> list[str]:
    """All words of several texts, each once, in order of appearance."""
    return list(dict.fromkeys(word for text in texts for word in folded(text)))


def one_typo(a: str, b: str) -> bool:
    """At most one letter more, less, other, or two neighbours swapped."""
    if a == b:
        return True
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[at:] == b[at + 1 :]
    return a[at + 1 :] == b[at + 1 :] or (
        a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]
    )
