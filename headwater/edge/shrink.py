"""Tokens made small: short names, no needless braces. Every name keeps its identity (the renaming
is one to one), so meaning cannot change; members are renamed only where asked and only those that
no string names and no platform knows.
"""

import itertools
import re
import string
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from headwater.edge.errors import BuildError
from headwater.edge.fold import choices, fold, joined, without_parentheses
from headwater.edge.link import Script, Unit, is_key, text
from headwater.edge.scan import KEYWORDS, Token, closing

_SHORT: Final = {"true": "!0", "false": "!1", "undefined": "$"}  # `$` is never assigned
_KEYS: Final = "$k"
_OPENS_BLOCK: Final = frozenset({"if", "for", "while", "var", "try", "function", "async"})


def shrink(script: Script, keep: Collection[str], members: Collection[str] | None) -> str:
    """The script's text. `keep` are names that stay; `members` are members that stay, None keeps
    all of them.
    """
    units = [Unit(unit.name, _bare_keys(unit.tokens)) for unit in fold(script).units]
    units = _renamed(units, keep, members)
    tokens = [token for unit in merged(units) for token in unit.tokens]
    tokens = [
        Token(t.kind, _SHORT.get(t.text, t.text) if t.kind == "keyword" else t.text) for t in tokens
    ]
    tokens = without_parentheses(_without_braces(tokens))
    while (chosen := choices(tokens)) != tokens:
        tokens = chosen
    tokens = _aliased(joined(tokens))
    body = f"var $,{_KEYS}=Object.keys;" + text(_without_last_semicolons(tokens))
    return "".join(script.imports) + body + "\n"


def merged(units: list[Unit]) -> Iterator[Unit]:
    """Neighbouring constants in one declaration."""
    for is_const, group in itertools.groupby(units, lambda u: u.tokens[0].text == "var"):
        if not is_const:
            yield from group
            continue
        tokens = [Token("keyword", "var")]
        for unit in group:
            tokens += [*unit.tokens[1:-1], Token("mark", ",")]
        yield Unit("", [*tokens[:-1], Token("mark", ";")])


def _bare_keys(tokens: list[Token]) -> list[Token]:
    """Quoted keys without quotes, which nobody renames; every declaration by `var`: njs 0.7.9 takes
    some `let` in loops for uninitialised. Without closures in loops that is the same.
    """
    out = []
    for at, token in enumerate(tokens):
        bare = token.text[1:-1]
        if token.kind == "string" and is_key(tokens, at) and re.fullmatch(r"[A-Za-z_]\w*", bare):
            token = Token("key", bare)
        elif token.kind == "keyword" and token.text in ("const", "let"):
            token = Token("keyword", "var")
        elif token == Token("keyword", "for"):
            start = closing(tokens, at + 1) + 1
            if Token("mark", "=>") in tokens[start : closing(tokens, start)]:
                raise BuildError("a closure in a loop would see the last value of its variables")
        out.append(token)
    return out


def _renamed(
    units: list[Unit], keep: Collection[str], members: Collection[str] | None
) -> list[Unit]:
    """Names of the top level from one half of the alphabet, those inside of a unit from the other,
    again in every unit; members from both, since they meet no name.
    """
    everything = [token for unit in units for token in unit.tokens]
    quoted = {
        word
        for token in everything
        if token.kind == "string"
        for word in re.split(r"[ |]", token.text[1:-1])
    }
    stay = {token.text for token in everything if token.kind == "name" and "$" not in token.text}
    top = {unit.name for unit in units if unit.name}
    roles = [
        _roles(unit.tokens, None if members is None else {*members, *quoted}) for unit in units
    ]
    counts = Counter(role for some in roles for role in some if role)
    rank = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    outer, both = _names(string.ascii_uppercase + "_"), _names(string.ascii_letters + "_")
    short = {}
    for role in rank:
        if role.startswith("."):
            short[role] = next(name for name in both if name not in stay | KEYWORDS)
        elif role in top:
            plain = role.rpartition("$")[2]
            short[role] = plain if plain in keep else next(n for n in outer if n not in stay)
    renamed = []
    for unit, some in zip(units, roles, strict=True):
        inner = _names(string.ascii_lowercase)
        local = Counter(role for role in some if role and role not in short)
        for role, _ in sorted(local.items(), key=lambda item: (-item[1], item[0])):
            local_name = next(n for n in inner if n not in stay | KEYWORDS)
            short[role] = local_name
        tokens = [
            token if role is None else Token("name", short[role])
            for token, role in zip(unit.tokens, some, strict=True)
        ]
        for role in local:
            del short[role]
        renamed.append(Unit(unit.name, tokens))
    return renamed


def _roles(tokens: list[Token], members: Collection[str] | None) -> list[str | None]:
    """Of each token: None where it stays, `.name` of a member, else the identity of a name."""
    roles: list[str | None] = []
    for at, token in enumerate(tokens):
        role = None
        if token.kind in ("name", "keyword"):
            if (at and tokens[at - 1].text == ".") or is_key(tokens, at):
                if members is not None and token.text not in members:
                    role = f".{token.text}"
            elif token.kind == "name" and "$" in token.text:
                role = token.text
        roles.append(role)
    return roles


def _aliased(tokens: list[Token]) -> list[Token]:
    """A short name for `Object.keys`."""
    out: list[Token] = []
    for token in tokens:
        out.append(token)
        if [one.text for one in out[-3:]] == ["Object", ".", "keys"]:
            out[-3:] = [Token("name", _KEYS)]
    return out


def _names(first: str) -> Iterator[str]:
    yield from first
    for size in itertools.count(1):
        for name in itertools.product(first, *[string.ascii_letters + string.digits] * size):
            yield "".join(name)


def _without_braces(tokens: list[Token]) -> list[Token]:
    """`if (a) { return b; }` without the braces, where the block is one simple statement."""
    out: list[Token] = []
    skip: set[int] = set()
    conditions = set()
    for at, token in enumerate(tokens):
        if token.text in ("if", "for") and token.kind == "keyword":
            conditions.add(closing(tokens, at + 1) + 1)
        elif token.text == "else" and token.kind == "keyword":
            conditions.add(at + 1)
        if token.text == "{" and at in conditions:
            end = closing(tokens, at)
            inner = tokens[at + 1 : end]
            depth = ends = 0
            for one in inner:
                if one.kind == "mark":
                    depth += (one.text in "([{") - (one.text in ")]}")
                    ends += depth == 0 and one.text == ";"
            if ends == 1 and inner[-1].text == ";" and inner[0].text not in _OPENS_BLOCK:
                skip |= {at, end}
        if at not in skip:
            out.append(token)
    return out


def _without_last_semicolons(tokens: list[Token]) -> list[Token]:
    following = [*tokens[1:], Token("mark", "}")]
    return [
        token
        for token, after in zip(tokens, following, strict=True)
        if not (token == Token("mark", ";") and after == Token("mark", "}"))
    ]
