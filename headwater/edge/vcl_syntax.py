"""The part of Fastly's VCL that we write, read strictly into a tree (Fastly VCL reference, read
2026-08). Anything else raises BuildError, whether Fastly would take it or not.

Expressions: ("text", value), ("number", value), ("name", name), ("call", function, arguments),
("not", operand), ("join", parts), (operator, left, right). Statements: ("declare", name, type),
("set", name, expression), ("if", condition, then, otherwise), ("error", status, text),
("call", subroutine), ("return", action), ("synthetic", expression), ("macro", name).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headwater.edge.errors import BuildError

Node = tuple[Any, ...]
Block = list[Node]
_TOKEN: Final = re.compile(
    r"""\s+ | (?P<macro>\#FASTLY[ ](?P<hook>[a-z]+)$) | \#.*$
    | (?P<long>\{"[^"]*"\}) | (?P<text>"[^"%\n]*") | (?P<number>[0-9]+)
    | (?P<name>[A-Za-z_][A-Za-z0-9_.-]*) | (?P<sign>&&|\|\||==|!=|!~|[~!=(){},;])""",
    re.VERBOSE | re.MULTILINE,
)
_COMPARED: Final = ("==", "!=", "~", "!~")
_LOGIC: Final = ("&&", "||")  # both in one expression want brackets, which we do not write
_END: Final = ("end", "")


def parse(text: str) -> Mapping[str, Block]:
    """Subroutines by name."""
    return _Reader(_tokens(text)).subroutines()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise BuildError(f"VCL has no {text[at : at + 20]!r}")
        kind = token.lastgroup or ""
        if token["macro"]:
            found.append(("macro", token["hook"]))
        elif token["long"]:
            found.append(("text", token["long"][2:-2]))
        elif kind == "text":
            found.append(("text", token[0][1:-1]))
        elif kind:
            found.append((kind, token[0]))
        at = token.end()
    return [*found, _END]


class _Reader:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def subroutines(self) -> dict[str, Block]:
        found: dict[str, Block] = {}
        while self._tokens[self._at] != _END:
            self._want("sub")
            name = self._take("name")
            if name in found:
                raise BuildError(f"there are two subroutines {name}")
            found[name] = self._block()
        return found

    def _is(self, *signs: str) -> bool:
        kind, value = self._tokens[self._at]
        return kind in ("sign", "name") and value in signs

    def _take(self, kind: str) -> str:
        own, value = self._tokens[self._at]
        if own != kind:
            raise BuildError(f"VCL: {kind} expected before {value!r}")
        self._at += 1
        return value

    def _want(self, sign: str) -> None:
        if not self._is(sign):
            raise BuildError(f"VCL: {sign!r} expected before {self._tokens[self._at][1]!r}")
        self._at += 1

    def _block(self) -> Block:
        self._want("{")
        found = []
        while not self._is("}"):
            found.append(self._statement())
        self._want("}")
        return found

    def _statement(self) -> Node:
        if self._tokens[self._at][0] == "macro":
            return "macro", self._take("macro")
        word = self._take("name")
        if word == "if":
            return self._if()
        read = _STATEMENTS.get(word)
        if read is None:
            raise BuildError(f"VCL has no statement {word!r}")
        node = read(self)
        self._want(";")
        return node

    def _if(self) -> Node:
        self._want("(")
        condition = self.expression()
        self._want(")")
        then, otherwise = self._block(), []
        if self._is("else"):
            self._at += 1
            otherwise = self._block()
        return "if", condition, then, otherwise

    def declare(self) -> Node:
        self._want("local")
        return "declare", self._take("name"), self._take("name")

    def set(self) -> Node:
        name = self._take("name")
        self._want("=")
        return "set", name, self.expression()

    def error(self) -> Node:
        return "error", int(self._take("number")), self._take("text")

    def call(self) -> Node:
        return "call", self._take("name")

    def leave(self) -> Node:
        self._want("(")
        action = self._take("name")
        self._want(")")
        return "return", action

    def synthetic(self) -> Node:
        return "synthetic", self.expression()

    def expression(self) -> Node:
        left = self._comparison()
        sign = self._tokens[self._at][1]
        while sign in _LOGIC and self._is(sign):
            self._at += 1
            left = (sign, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._joined()
        if not self._is(*_COMPARED):
            return left
        sign = self._take("sign")
        return sign, left, self._joined()

    def _joined(self) -> Node:
        parts = [self._primary()]
        while self._tokens[self._at][0] in ("text", "number", "name"):
            parts.append(self._primary())
        return parts[0] if len(parts) == 1 else ("join", parts)

    def _primary(self) -> Node:
        if self._is("!"):
            self._at += 1
            return "not", self._primary()
        kind, value = self._tokens[self._at]
        if kind not in ("text", "number", "name"):
            raise BuildError(f"VCL: a value expected before {value!r}")
        self._at += 1
        if kind == "number":
            return kind, int(value)
        if kind == "name" and self._is("("):
            return "call", value, self._arguments()
        return kind, value

    def _arguments(self) -> list[Node]:
        self._want("(")
        found: list[Node] = []
        while not self._is(")"):
            if found:
                self._want(",")
            found.append(self.expression())
        self._want(")")
        return found


_STATEMENTS: Final = {
    "declare": _Reader.declare,
    "set": _Reader.set,
    "error": _Reader.error,
    "call": _Reader.call,
    "return": _Reader.leave,
    "synthetic": _Reader.synthetic,
}
