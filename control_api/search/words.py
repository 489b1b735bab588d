"""Words as search knows them: lower case, no diacritics, nothing but letters and digits."""

import re
import unicodedata
from collections.abc import Iterable

MAX_WORD = 40
WORD = re.compile(r"[^\W_]+")
ELIDED = re.compile(r"['\u2019](\w{3,})")  # l'avare, d'Am\u00e9lie, O'Brien
HYPHENED = re.compile(r"(?<!\w)\w++(?:[-\u2010\u2011]\w++)+")  # each letter is looked at once
# Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han (UAX 29 section 4).
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,40}"
)
# Letters that NFKD does not take apart.
PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "\u0131": "i"}
)


def folded(text: str) -> list[str]:
    """The words of a text in their order; what follows an apostrophe belongs to its word."""
    plain = text.casefold().replace("'", "")
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", plain.replace("\u2019", ""))
        plain = "".join(c for c in apart if not unicodedata.combining(c)).translate(PLAIN)
    return [word[:MAX_WORD] for word in WORD.findall(plain)]


def distinct(texts: Iterable[str]) -> list[str]:
    """All words of several texts, each once, in order of appearance."""
    return list(dict.fromkeys(word for text in texts for word in folded(text)))


def further(texts: Iterable[str]) -> list[str]:
    """Words that a name is found by beside its own: what stands behind an apostrophe, hyphened
    words as one, and every ending of a run of letters that knows no spaces, so that whatever part
    of it is asked for is the beginning of one.
    """
    found: list[str] = []
    for text in texts:
        found += ELIDED.findall(text)
        found += ("".join(WORD.findall(each)) for each in HYPHENED.findall(text))
        if not text.isascii():
            runs = UNSPACED.findall(text)
            found += (run[at:] for run in runs for at in range(1, len(run)))
    return distinct(found)


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
