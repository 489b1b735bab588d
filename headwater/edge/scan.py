"""JavaScript as tokens: as much of the language as the edge scripts use (ECMA-262, 12)."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from headwater.edge.errors import BuildError

_KEYWORDS = (
    "async await break case catch const continue default delete do else export false finally for "
    "from function if import in instanceof let new null return switch this throw true try typeof "
    "undefined var void while"
)
KEYWORDS: Final = frozenset(_KEYWORDS.split())
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<number>0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?)
    |(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<mark>=>|===|!==|>>>=?|<<=?|>>=?|\+\+|--|&&|\|\||\*\*|[<>=!+\-*%&|^/]=|[{}()\[\];,<>+\-*%&|^!~?:=.])
    """,
    re.X | re.S,
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_ENDS_VALUE = frozenset({")", "]", "}"})


class Token(NamedTuple):
    """`kind` is name, keyword, number, string, regex or mark."""

    kind: str
    text: str


def scan(source: str) -> Iterator[Token]:
    """The tokens without white space and comments. Raises BuildError outside the grammar."""
    at = 0
    last = Token("mark", ";")
    while at < len(source):
        is_value = last.kind in ("name", "number", "string") or last.text in _ENDS_VALUE
        if source[at] == "/" and source[at : at + 2] not in ("//", "/*"):
            match = None if is_value else _REGEX.match(source, at)
            last = Token("regex", match[0]) if match else Token("mark", "/")
            at += len(last.text)
            yield last
            continue
        match = _TOKEN.match(source, at)
        if match is None:
            raise BuildError(f"no token of the edge language at {source[at : at + 30]!r}")
        at = match.end()
        kind = match.lastgroup or ""
        if kind == "space":
            continue
        is_member = last.text == "."
        if kind == "name" and match[0] in KEYWORDS and not is_member:
            kind = "keyword"
        last = Token(kind, match[0])
        yield last


def closing(tokens: list[Token], at: int) -> int:
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind == "mark":
            depth += (tokens[index].text in "([{") - (tokens[index].text in ")]}")
            if depth == 0:
                return index
    raise BuildError("a bracket stays open")


def statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """The statements of a module: each up to its semicolon, or the brace that ends a function."""
    start = at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "mark" and token.text in "([{":
            at = closing(tokens, at)
            head = {t.text for t in tokens[start : start + 3] if t.kind == "keyword"}
            if tokens[at].text == "}" and "function" in head and "const" not in head:
                yield tokens[start : at + 1]
                start = at + 1
        elif token.text == ";" and token.kind == "mark":
            yield tokens[start : at + 1]
            start = at + 1
        at += 1
    if start != len(tokens):
        raise BuildError("the last statement of a module has no end")


def parts(tokens: list[Token]) -> Iterator[list[Token]]:
    """What commas separate at the top level of an expression list."""
    start = at = 0
    while at < len(tokens):
        if tokens[at].kind == "mark" and tokens[at].text in "([{":
            at = closing(tokens, at)
        elif tokens[at] == Token("mark", ","):
            yield tokens[start:at]
            start = at + 1
        at += 1
    if start < len(tokens):
        yield tokens[start:]
