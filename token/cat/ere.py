"""POSIX extended regular expressions (IEEE 1003.1-2017, 9.4), searched unanchored and
leftmost-longest in linear time (CAT-44).

A pattern is read here and written anew for RE2, which never backtracks. What POSIX leaves undefined
and Perl defines (`\\d`, lookaround, lazy quantifiers, back-references) is ill-formed. RE2 finds the
leftmost-longest match as POSIX wants it; of the ways to divide it among groups it takes the first
that a backtracking search would find. Both agree where no quantified group holds a quantifier and
no two branches can begin alike (and none is empty); other patterns answer None, "cannot be
evaluated here", as soon as a group matters.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits, punctuation
from typing import Any, Final, NamedTuple

import re2  # type: ignore[import-untyped]

from cat.errors import CatError

MAX_REPEAT: Final = 255  # RE_DUP_MAX
MAX_DEPTH: Final = 32
MEMORY_BYTES: Final = 1 << 20  # of one pattern; a larger one cannot be evaluated
CACHED: Final = 128

_CLASSES = {
    "alpha": ascii_letters,
    "digit": digits,
    "alnum": ascii_letters + digits,
    "upper": ascii_uppercase,
    "lower": ascii_lowercase,
    "xdigit": hexdigits,
    "punct": punctuation,
    "space": " \t\n\r\v\f",
    "blank": " \t",
}
_SPECIAL = frozenset("\\^$.[]()|*+?{}")
_QUANTIFIERS = frozenset("*+?{")
_OTHER = ""  # stands for every character beyond ASCII
_ANY = frozenset([*map(chr, range(128)), _OTHER])


class EreError(CatError):
    """Not a POSIX extended regular expression."""


class _Part(NamedTuple):
    """A piece of pattern for RE2: what it can begin with, whether it can be empty, whether it holds
    a quantifier, and whether its groups are the same by either rule.
    """

    text: str
    first: frozenset[str] = frozenset()
    nullable: bool = False
    quantified: bool = False
    settled: bool = True


class _Program(NamedTuple):
    regex: Any
    groups: int
    settled: bool


def well_formed(pattern: str) -> bool:
    try:
        _Reader(pattern).whole()
    except EreError:
        return False
    return True


def search(pattern: str, subject: str, wanted: Sequence[str | None] = ()) -> bool | None:
    """Whether the pattern occurs in the subject, with these texts in its groups (None: any); None
    where that cannot be told.
    """
    program = _compile(pattern)
    if program is None:
        return None
    found = program.regex.search(subject)
    if found is None:
        return False
    asked = [(number, text) for number, text in enumerate(wanted, 1) if text is not None]
    if any(number > program.groups for number, _ in asked):
        return False
    if asked and not program.settled:
        return None
    return all(found.group(number) == text for number, text in asked)


@lru_cache(CACHED)
def _compile(pattern: str) -> _Program | None:
    part = _Reader(pattern).whole()
    options = re2.Options()
    options.longest_match = True
    options.log_errors = False
    options.max_mem = MEMORY_BYTES
    try:
        regex = re2.compile(part.text, options=options)
    except re2.error:
        return None
    return _Program(regex, regex.groups, part.settled)


class _Reader:
    """Recursive descent, one method a production of 9.5.3."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def whole(self) -> _Part:
        part = self.alternation()
        if self.at != len(self.pattern):
            raise EreError("unmatched )")
        return part

    def peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def next(self) -> str:
        char = self.peek()
        if not char:
            raise EreError("pattern ends early")
        self.at += 1
        return char

    def alternation(self) -> _Part:
        branches = [self.branch()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.branch())
        if len(branches) == 1:
            return branches[0]
        apart = sum(len(branch.first) for branch in branches) == len(
            frozenset().union(*(branch.first for branch in branches))
        )
        return _Part(
            f"(?:{'|'.join(branch.text for branch in branches)})",
            frozenset().union(*(branch.first for branch in branches)),
            any(branch.nullable for branch in branches),
            any(branch.quantified for branch in branches),
            apart and all(branch.settled and not branch.nullable for branch in branches),
        )

    def branch(self) -> _Part:
        pieces = [self.piece()]
        while self.peek() not in ("", "|", ")"):
            pieces.append(self.piece())
        return reduce(_joined, pieces)

    def piece(self) -> _Part:
        is_anchor = self.peek() in ("^", "$")
        atom = self.atom()
        if self.peek() not in _QUANTIFIERS:
            return atom
        if is_anchor:
            raise EreError("an anchor cannot be repeated")
        low, high = self.bounds()
        if self.peek() and self.peek() in _QUANTIFIERS:
            raise EreError("a doubled or lazy quantifier")
        top = "" if high is None else str(high)
        return _Part(
            f"(?:{atom.text}){{{low},{top}}}",
            atom.first if high != 0 else frozenset(),
            atom.nullable or low == 0,
            True,
            atom.settled and not atom.quantified,
        )

    def bounds(self) -> tuple[int, int | None]:
        char = self.next()
        if char != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        end = self.pattern.find("}", self.at)
        text = self.pattern[self.at : end] if end >= 0 else ""
        self.at = end + 1
        low, comma, high = text.partition(",")
        if not _is_count(low) or (high and not _is_count(high)):
            raise EreError("a malformed interval")
        top = int(high) if high else None if comma else int(low)
        if int(low) > MAX_REPEAT or (top is not None and not int(low) <= top <= MAX_REPEAT):
            raise EreError("an interval out of range")
        return int(low), top

    def atom(self) -> _Part:
        char = self.next()
        if char == "(":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise EreError("groups too deep")
            inner = self.alternation()
            if self.next() != ")":
                raise EreError("unmatched (")
            self.depth -= 1
            return inner._replace(text=f"({inner.text})")
        if char in "^$":
            return _Part("\\A" if char == "^" else "\\z", nullable=True)
        if char == ".":
            return _Part("[\\x{0}-\\x{10ffff}]", _ANY)
        if char == "[":
            return self.bracket()
        if char == "\\":
            char = self.next()
            if char not in _SPECIAL:
                raise EreError("an escape POSIX does not define")
        elif char in "*+?{|)":
            raise EreError("a quantifier or branch with nothing before it")
        return _Part(_escaped(char), frozenset([char if char.isascii() else _OTHER]))

    def bracket(self) -> _Part:
        """9.3.5; ranges in code point order, classes of the POSIX locale, no collating elements."""
        negated = self.peek() == "^"
        self.at += negated
        chars: set[str] = set()
        first = True
        while first or self.peek() != "]":
            first = False
            if self.pattern.startswith("[:", self.at):
                end = self.pattern.find(":]", self.at)
                name = self.pattern[self.at + 2 : end]
                if end < 0 or name not in _CLASSES:
                    raise EreError("an unknown character class")
                chars |= set(_CLASSES[name])
                self.at = end + 2
                continue
            if self.pattern.startswith(("[.", "[="), self.at):
                raise EreError("a collating element")
            low = self.next()
            high = low
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.next()
            if not low <= high or ord(high) > 0x7F:
                raise EreError("a range out of order or beyond ASCII")
            chars |= {chr(code) for code in range(ord(low), ord(high) + 1)}
        self.at += 1
        text = f"[{'^' if negated else ''}{''.join(map(_escaped, sorted(chars)))}]"
        return _Part(text, _ANY - chars if negated else frozenset(chars))


def _joined(before: _Part, after: _Part) -> _Part:
    return _Part(
        before.text + after.text,
        before.first | after.first if before.nullable else before.first,
        before.nullable and after.nullable,
        before.quantified or after.quantified,
        before.settled and after.settled,
    )


def _escaped(char: str) -> str:
    return f"\\x{{{ord(char):x}}}"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3
