"""POSIX extended regular expressions (IEEE 1003.1-2017, 9.4), searched unanchored in linear time
(CAT-44).

A pattern becomes a Thompson automaton (Russ Cox, "Regular Expression Matching Can Be Simple And
Fast", 2007) and is run with its subset states cached as they appear. Work is counted: above
`BUDGET` the answer is None, "cannot be evaluated here". What POSIX leaves undefined and Perl
defines (`\\d`, lookaround, lazy quantifiers, back-references) is ill-formed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits, punctuation

from cat.errors import CatError

MAX_STATES = 1024
MAX_REPEAT = 255  # RE_DUP_MAX
MAX_DEPTH = 32
BUDGET = 60_000  # states visited while subset states are built

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


class EreError(CatError):
    """Not a POSIX extended regular expression."""


class _TooLarge(CatError):
    """The automaton would pass MAX_STATES."""


@dataclass(slots=True)
class _State:
    """Consumes a character (`chars` set), asserts an edge (`anchor`), or is a fork to each of
    `out`.
    """

    chars: frozenset[str] | None = None
    negated: bool = False
    anchor: str = ""
    out: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Program:
    states: list[_State]
    start: int
    accept: int


def well_formed(pattern: str) -> bool:
    try:
        _compile(pattern)
    except EreError:
        return False
    except _TooLarge:
        return True
    return True


def search(pattern: str, subject: str) -> bool | None:
    """Whether the pattern occurs in the subject; None when that would cost too much."""
    try:
        return _Run(_compile(pattern)).search(subject)
    except _TooLarge:
        return None


@lru_cache(256)
def _compile(pattern: str) -> _Program:
    return _Compiler(pattern).program()


class _Compiler:
    """Recursive descent that emits states; a fragment is (entry state, exit state)."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self.states: list[_State] = []

    def program(self) -> _Program:
        start, accept = self.alternation()
        if self.at != len(self.pattern):
            raise EreError("unmatched )")
        return _Program(self.states, start, accept)

    def peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def next(self) -> str:
        char = self.peek()
        if not char:
            raise EreError("pattern ends early")
        self.at += 1
        return char

    def state(self, *out: int, **members: object) -> int:
        if len(self.states) >= MAX_STATES:
            raise _TooLarge
        self.states.append(_State(out=list(out), **members))  # type: ignore[arg-type]
        return len(self.states) - 1

    def alternation(self) -> tuple[int, int]:
        branches = [self.branch()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.branch())
        end = self.state()
        for _, leave in branches:
            self.states[leave].out.append(end)
        return self.state(*(enter for enter, _ in branches)), end

    def branch(self) -> tuple[int, int]:
        enter, leave = self.piece()
        while self.peek() not in ("", "|", ")"):
            following, end = self.piece()
            self.states[leave].out.append(following)
            leave = end
        return enter, leave

    def piece(self) -> tuple[int, int]:
        begin = self.at
        fragment = self.atom()
        end = self.at
        if self.peek() not in _QUANTIFIERS:
            return fragment
        if self.pattern[begin] in "^$":
            raise EreError("an anchor cannot be repeated")
        low, high = self.bounds()
        if self.peek() and self.peek() in _QUANTIFIERS:
            raise EreError("a doubled or lazy quantifier")
        after = self.at
        copies = [fragment] + [self.again(begin, end) for _ in range(max(low, high or 0, 1) - 1)]
        self.at = after
        return self.repeat(copies, low, high)

    def again(self, begin: int, end: int) -> tuple[int, int]:
        """One more copy of the atom that stands at begin..end."""
        self.at = begin
        fragment = self.atom()
        assert self.at == end
        return fragment

    def repeat(self, copies: list[tuple[int, int]], low: int, high: int | None) -> tuple[int, int]:
        exit_ = self.state()
        if high == 0:
            return exit_, exit_
        enter = self.state()
        here = enter
        for index, (begin, end) in enumerate(copies):
            if index >= low:
                self.states[here].out.append(exit_)
            self.states[here].out.append(begin)
            here = end
        if high is None:
            loop = self.state(copies[-1][0], exit_)
            self.states[here].out.append(loop)
        else:
            self.states[here].out.append(exit_)
        return enter, exit_

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

    def atom(self) -> tuple[int, int]:
        char = self.next()
        if char == "(":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise EreError("groups too deep")
            fragment = self.alternation()
            if self.next() != ")":
                raise EreError("unmatched (")
            self.depth -= 1
            return fragment
        if char in "^$":
            return self.single(anchor=char)
        if char == ".":
            return self.single(chars=frozenset(), negated=True)
        if char == "[":
            return self.bracket()
        if char == "\\":
            char = self.next()
            if char not in _SPECIAL:
                raise EreError("an escape POSIX does not define")
        elif char in "*+?{|)":
            raise EreError("a quantifier or branch with nothing before it")
        return self.single(chars=frozenset(char))

    def single(self, **members: object) -> tuple[int, int]:
        state = self.state(**members)
        return state, state

    def bracket(self) -> tuple[int, int]:
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
        return self.single(chars=frozenset(chars), negated=negated)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


class _Run:
    def __init__(self, program: _Program) -> None:
        self.program = program
        self.work = 0

    def search(self, subject: str) -> bool:
        program = self.program
        current, found = self.closure([program.start], first=True, last=not subject)
        steps: dict[tuple[frozenset[int], str, bool], tuple[frozenset[int], bool]] = {}
        for index, char in enumerate(subject):
            if found:
                return True
            last = index == len(subject) - 1
            key = (current, char, last)
            if key not in steps:
                steps[key] = self.step(current, char, last)
            current, found = steps[key]
        return found

    def step(self, current: frozenset[int], char: str, last: bool) -> tuple[frozenset[int], bool]:
        states = self.program.states
        after = [self.program.start]
        for number in current:
            state = states[number]
            if state.chars is not None and (char in state.chars) != state.negated:
                after += state.out
        return self.closure(after, first=False, last=last)

    def closure(self, seeds: Iterable[int], first: bool, last: bool) -> tuple[frozenset[int], bool]:
        """The consuming states reachable without a character, and whether the end is among the
        reachable.
        """
        seen: set[int] = set()
        stack = list(seeds)
        consuming: set[int] = set()
        found = False
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            self.work += 1
            if self.work > BUDGET:
                raise _TooLarge
            state = self.program.states[number]
            if state.chars is not None:
                consuming.add(number)
                continue
            if state.anchor and not (first if state.anchor == "^" else last):
                continue
            found = found or number == self.program.accept
            stack += state.out
        return frozenset(consuming), found
