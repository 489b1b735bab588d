"""Words as search knows them: lower case, without accents, nothing but letters, digits and the
marks that words are spelt with: vowel signs, viramas, tones. They are kept taken apart (NFKD), so
that a syllable of Hangul is found from its first letter on, and one letter of it may be mistyped.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

MAX_WORD = 40
ELIDED = re.compile("'([^-' ]{3,})")  # l'avare, d'am\u00e9lie, o'brien
HYPHENED = re.compile("(?<![^-' ])[^-' ]++(?:-[^-' ]++)+")  # each letter is looked at once
# Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han (UAX 29 section 4).
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff"
    "\U00020000-\U0003ffff]+"
)
# What nobody sees: a joiner of graphemes, tatweels, inherent vowels of Khmer, variants of a glyph;
# inside words of India and South-East Asia what joins letters or ends a line.
HIDDEN = re.compile(
    "[\u034f\u0640\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
    "|[\u200b-\u200d](?<=[\u0900-\u109f\u1780-\u17ff\u200b-\u200d].)"
)
REMEMBERED = 0x20000
# Letters that NFKD does not take apart, and what stands in words.
PLAIN = {"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "\u0131": "i"} | {
    **dict.fromkeys("'\u2019", "'"),
    **dict.fromkeys("-\u2010\u2011", "-"),
}


class _Letters(dict[int, str]):
    """What becomes of a letter, by code point, found out when it is met first."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        if letter in PLAIN:
            plain = PLAIN[letter]
        elif unicodedata.category(letter) in ("Mn", "Mc"):
            plain = letter if _spells(letter) else ""
        else:
            plain = letter if letter.isalnum() else " "
        if code < REMEMBERED:
            self[code] = plain
        return plain


LETTERS = _Letters()


def folded(text: str) -> list[str]:
    """The words of a text in their order; what follows an apostrophe belongs to its word."""
    return [word[:MAX_WORD] for word in _words(_plain(text))]


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
        plain = _plain(text)
        found += ELIDED.findall(plain)
        if "-" in plain:
            found += (_without("-", each) for each in HYPHENED.findall(plain))
        if UNSPACED.search(plain):
            found += (ending for word in _words(plain) for ending in _endings(word))
    return list(dict.fromkeys(word[:MAX_WORD] for word in found))


def _plain(text: str) -> str:
    """A text in plain letters, with its apostrophes and hyphens and nothing else than spaces."""
    plain = text.casefold()
    if not plain.isascii():
        plain, hidden = HIDDEN.subn("", unicodedata.normalize("NFKD", plain))
        if hidden:
            plain = unicodedata.normalize("NFKD", plain)
    return plain.translate(LETTERS)


def _words(plain: str) -> list[str]:
    if "'" in plain:
        plain = _without("'", plain)
    return plain.replace("-", " ").split()


def _without(letter: str, plain: str) -> str:
    """The marks that meet now are in their order (Unicode 14 section 3.11)."""
    return unicodedata.normalize("NFKD", plain.replace(letter, ""))


def _endings(word: str) -> Iterator[str]:
    """From each letter of its unspaced runs on, and from behind them; none begins with a mark."""
    for run in UNSPACED.finditer(word):
        for at in range(max(run.start(), 1), run.end() + 1):
            if word[at : at + 1].isalnum():
                yield word[at : at + MAX_WORD]


def _spells(mark: str) -> bool:
    """Whether the word would be another without the mark. Accents do not spell (combining classes
    1 and 200 and over), nor do the points of Hebrew, Arabic and Syriac (10 to 36) and nuktas (7),
    which many leave out (Unicode 14 section 4.3).
    """
    order = unicodedata.combining(mark)
    return order in (0, 8, 9) or 36 < order < 200


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
