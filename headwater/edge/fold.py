"""Rewrites that keep the meaning: numbers where their names stood, functions as arrows.

An async function stays a function: CloudFront's runtime has no async closures.
"""

from collections import Counter

from headwater.edge.link import Script, Unit, is_key
from headwater.edge.scan import Token, closing, parts


def fold(script: Script) -> Script:
    """The script with constants folded and plain functions as constants that hold an arrow."""
    numbers: dict[str, Token] = {}
    uses = Counter(token.text for unit in script.units for token in unit.tokens)
    members: dict[tuple[str, str], Token] = {}
    units = []
    for unit in script.units:
        tokens = unit.tokens
        value = tokens[3:-1] if unit.name and tokens[0].text == "const" else []
        if _is_number(value) or (_is_literal(value) and uses[unit.name] == 2):
            numbers[unit.name] = tokens[3]
            continue
        if unit.name and tokens[0].text == "const" and tokens[3].text == "{":
            pairs = list(parts(tokens[4 : closing(tokens, 3)]))
            if pairs and all(len(p) == 3 and p[2].kind == "number" for p in pairs):
                members |= {(unit.name, p[0].text.strip("'\"")): p[2] for p in pairs}
        units.append(Unit(unit.name, _arrow(tokens)))
    return Script(
        script.imports, [Unit(u.name, _inlined(u.tokens, numbers, members)) for u in units]
    )


def _is_number(value: list[Token]) -> bool:
    return len(value) == 1 and value[0].kind == "number"


def _is_literal(value: list[Token]) -> bool:
    return len(value) == 1 and value[0].kind in ("string", "regex")


def _inlined(
    tokens: list[Token], numbers: dict[str, Token], members: dict[tuple[str, str], Token]
) -> list[Token]:
    out = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        member = (token.text, tokens[at + 2].text) if at + 2 < len(tokens) else None
        if member in members and tokens[at + 1].text == ".":
            out.append(members[member])
            at += 2
        elif token.kind == "name" and token.text in numbers and not is_key(tokens, at):
            out.append(numbers[token.text])
        else:
            out.append(token)
        at += 1
    return out


def _arrow(tokens: list[Token]) -> list[Token]:
    if tokens[0].text != "function":
        return tokens
    end = closing(tokens, 2)
    body = tokens[end + 1 :]
    head = [Token("keyword", "const"), tokens[1], Token("mark", "=")]
    if body[1].text == "return" and _ends(body[1:-1]) == 1:
        value = body[2:-2]
        if value[0].text == "{":
            value = [Token("mark", "("), *value, Token("mark", ")")]
        body = value
    return [*head, *tokens[2 : end + 1], Token("mark", "=>"), *body, Token("mark", ";")]


def _ends(tokens: list[Token]) -> int:
    """Semicolons outside of brackets."""
    depth = ends = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
            ends += depth == 0 and token.text == ";"
    return ends


def without_parentheses(tokens: list[Token]) -> list[Token]:
    """`a => ...` where an arrow has one parameter."""
    skip = set()
    for at, token in enumerate(tokens):
        if token.text == "=>" and [t.text for t in tokens[at - 3 : at : 2]] == ["(", ")"]:
            skip |= {at - 3, at - 1}
    return [token for at, token in enumerate(tokens) if at not in skip]


def choices(tokens: list[Token]) -> list[Token]:
    """`return a ? b : c` for `if (a) return b; return c;`."""
    out: list[Token] = []
    at = 0
    while at < len(tokens):
        if tokens[at] == Token("keyword", "if"):
            close = closing(tokens, at + 1)
            condition = tokens[at + 2 : close]
            first = _returned(tokens, close + 1)
            second = _returned(tokens, close + 3 + len(first)) if first else []
            if second and not _has_loose(condition):
                value = choices([*second])
                out += [Token("keyword", "return"), *condition, Token("mark", "?"), *choices(first)]
                out += [Token("mark", ":"), *value, Token("mark", ";")]
                at = close + 5 + len(first) + len(second)
                continue
        out.append(tokens[at])
        at += 1
    return out


def _returned(tokens: list[Token], at: int) -> list[Token]:
    """What a return statement at `at` returns; nothing where there is none."""
    if at >= len(tokens) or tokens[at] != Token("keyword", "return"):
        return []
    end = at + 1
    while tokens[end].text != ";" or tokens[end].kind != "mark":
        if tokens[end].kind == "mark" and tokens[end].text in "([{":
            end = closing(tokens, end)
        elif tokens[end].text == "}":
            return []
        end += 1
    return tokens[at + 1 : end]


def _has_loose(tokens: list[Token]) -> bool:
    """Whether a condition binds looser than `?`."""
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
            if depth == 0 and token.text in ("?", ",", "=", "=>"):
                return True
    return False


def joined(tokens: list[Token]) -> list[Token]:
    """`var a = 1, b = 2;` for two declarations in a row."""
    out: list[Token] = []
    is_var = [False]  # of the running statement at each depth
    starts = True
    for token in tokens:
        if starts:
            before = is_var[-1]
            is_var[-1] = token == Token("keyword", "var")
            if before and is_var[-1] and out and out[-1] == Token("mark", ";"):
                out[-1] = Token("mark", ",")
                starts = False
                continue
        starts = False
        if token.kind == "mark":
            if token.text in "([{":
                is_var.append(False)
                starts = token.text == "{"
            elif token.text in ")]}":
                is_var.pop()
                starts = token.text == "}" and not is_var[-1]
                if starts:
                    is_var[-1] = False
            elif token.text == ";":
                starts = True
        out.append(token)
    return out
