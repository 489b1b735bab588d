"""Modules joined into one script: imports and exports resolved, what nothing needs left out.

The scripts keep to one form: `import name from 'path';`, one `export default {a: b};` or `export
default NAME;`, no shorthand members. Every declared name becomes `module$name`; modules of the
platform stay imports.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from headwater.edge.errors import BuildError
from headwater.edge.scan import Token, closing, parts, scan, statements

_DECLARES: Final = frozenset({"const", "let", "var"})


@dataclass
class Unit:
    """One top-level declaration, or a statement (`name` is then empty)."""

    name: str
    tokens: list[Token]


@dataclass
class _Module:
    path: str
    imports: dict[str, str] = field(default_factory=dict)  # local name -> path of the module
    exports: dict[str, str] = field(default_factory=dict)  # member -> global name; "" is the whole
    units: list[Unit] = field(default_factory=list)


@dataclass
class Script:
    """Imports of the platform, in text, and the units in order of evaluation."""

    imports: list[str]
    units: list[Unit]


def link(entry: str, read: Callable[[str], str], swap: Mapping[str, str] | None = None) -> Script:
    """Everything that `entry` imports, each module once and before its importer; `read` gives a
    module's source by its path, `swap` names those that stand in for others.
    """
    modules: dict[str, _Module] = {}
    external: list[str] = []
    _load(entry, read, swap or {}, modules, external)
    return Script(external, [unit for module in modules.values() for unit in module.units])


def _load(
    path: str,
    read: Callable[[str], str],
    swap: Mapping[str, str],
    modules: dict[str, _Module],
    external: list[str],
) -> None:
    module = _Module(path)
    body: list[list[Token]] = []
    foreign: set[str] = set()
    for statement in statements(list(scan(read(path)))):
        if statement[0].text != "import":
            body.append(statement)
            continue
        spec = statement[-2].text[1:-1]
        if spec.startswith(".") and statement[1].kind == "name":
            target = _resolve(path, spec)
            target = swap.get(target, target)
            module.imports[statement[1].text] = target
            if target not in modules:
                _load(target, read, swap, modules, external)
        else:
            foreign |= {token.text for token in statement if token.kind == "name"}
            line = text(statement)
            external += [] if line in external else [line]
    _fill(module, body, foreign, modules)
    modules[path] = module


def _resolve(path: str, spec: str) -> str:
    names: list[str] = []
    for name in (*PurePosixPath(path).parent.parts, *spec.split("/")):
        if name == "..":
            names.pop()
        elif name != ".":
            names.append(name)
    return "/".join(names)


def _fill(
    module: _Module, body: list[list[Token]], foreign: set[str], modules: Mapping[str, _Module]
) -> None:
    prefix = module.path.removesuffix(".js").replace("/", "$").replace("-", "_").replace(".", "_")
    declared = set(_declared([token for statement in body for token in statement])) - foreign

    def renamed(tokens: list[Token]) -> list[Token]:
        return list(_renamed(tokens, declared, prefix, module, modules))

    for statement in body:
        if [token.text for token in statement[:2]] == ["export", "default"]:
            module.exports = _exports(renamed(statement[2:-1]))
        elif statement[0].text == "export":
            tokens = renamed(statement[1:])
            head = [token for token in tokens[:2] if token.kind == "keyword"]
            module.units.append(Unit(tokens[len(head)].text, [statement[0], *tokens]))
        elif statement[0].text in _DECLARES:
            for part in parts(renamed(statement[1:-1])):
                tokens = [Token("keyword", "const"), *part, Token("mark", ";")]
                module.units.append(Unit(part[0].text, tokens))
        else:
            tokens = renamed(statement)
            head = [token for token in tokens[:3] if token.kind == "keyword"]
            name = tokens[len(head)].text if "function" in {t.text for t in head} else ""
            module.units.append(Unit(name, tokens))


def _exports(tokens: list[Token]) -> dict[str, str]:
    if tokens[0].text != "{":
        return {"": tokens[0].text}
    if any(len(part) != 3 or part[2].kind != "name" for part in parts(tokens[1:-1])):
        return {}
    return {part[0].text: part[2].text for part in parts(tokens[1:-1])}


def _declared(tokens: list[Token]) -> Iterator[str]:
    for at, token in enumerate(tokens):
        if token.kind == "keyword" and token.text in _DECLARES:
            end = _end_of(tokens, at)
            yield from (part[0].text for part in parts(tokens[at + 1 : end]))
        elif token.text in ("function", "catch") and token.kind == "keyword":
            named = tokens[at + 1].kind == "name"
            yield from [tokens[at + 1].text] if named else []
            start = at + 1 + named
            yield from _names(tokens[start + 1 : closing(tokens, start)])
        elif token.text == "=>":
            before = tokens[at - 1]
            start = at - 1
            if before.text == ")":
                while tokens[start].text != "(" or closing(tokens, start) != at - 1:
                    start -= 1
            yield from _names(tokens[start:at])


def _end_of(tokens: list[Token], at: int) -> int:
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "mark" and token.text in "([{":
            at = closing(tokens, at)
        elif token.text in (";", ")") or (token.text == "in" and token.kind == "keyword"):
            return at
        at += 1
    raise BuildError("a declaration has no end")


def _names(tokens: list[Token]) -> Iterator[str]:
    return (token.text for token in tokens if token.kind == "name")


def is_key(tokens: list[Token], at: int) -> bool:
    """Whether the name at `at` is the key of an object literal's member."""
    if at == 0 or at + 1 >= len(tokens) or tokens[at + 1].text != ":":
        return False
    return tokens[at - 1].text in ("{", ",")


def _renamed(
    tokens: list[Token],
    declared: Collection[str],
    prefix: str,
    module: _Module,
    modules: Mapping[str, _Module],
) -> Iterator[Token]:
    at = 0
    while at < len(tokens):
        token = tokens[at]
        is_free = token.kind == "name" and not (at and tokens[at - 1].text == ".")
        if not is_free or is_key(tokens, at):
            yield token
        elif token.text in module.imports:
            exports = modules[module.imports[token.text]].exports
            if "" in exports:
                yield Token("name", exports[""])
            else:
                member = tokens[at + 2].text if at + 2 < len(tokens) else ""
                if at + 1 >= len(tokens) or tokens[at + 1].text != "." or member not in exports:
                    yield from _whole(exports, token.text, module.path)
                else:
                    yield Token("name", exports[member])
                    at += 2
        elif token.text in declared:
            yield Token("name", f"{prefix}${token.text}")
        else:
            yield token
        at += 1


def _whole(exports: Mapping[str, str], name: str, path: str) -> Iterator[Token]:
    """An imported object used as a value: its members again, in a literal."""
    if not exports:
        raise BuildError(f"{path}: {name} exports nothing that can be linked")
    yield Token("mark", "{")
    for member, target in exports.items():
        yield Token("name", member)
        yield Token("mark", ":")
        yield Token("name", target)
        yield Token("mark", ",")
    yield Token("mark", "}")


def needed(script: Script, roots: Collection[str]) -> Script:
    """The units that the roots and the bare statements reach."""
    by_name = {unit.name: unit for unit in script.units if unit.name}
    reached = set()
    waiting = [unit for unit in script.units if not unit.name]
    waiting += [by_name[root] for root in roots if root in by_name]
    while waiting:
        unit = waiting.pop()
        for token in unit.tokens:
            if token.kind == "name" and token.text in by_name and token.text not in reached:
                reached.add(token.text)
                waiting.append(by_name[token.text])
    reached |= set(roots)
    kept = [unit for unit in script.units if not unit.name or unit.name in reached]
    return Script(script.imports, kept)


def keep_members(script: Script, name: str, wanted: Mapping[str, str]) -> None:
    """Cut the object literal `name` down to the members that are wanted, under the names given."""
    for unit in script.units:
        if unit.name == name:
            start = next(at for at, token in enumerate(unit.tokens) if token.text == "{")
            end = closing(unit.tokens, start)
            kept: list[Token] = []
            for part in parts(unit.tokens[start + 1 : end]):
                if part[0].text in wanted:
                    key = Token("key", wanted[part[0].text])
                    kept += [key, *part[1:], Token("mark", ",")]
            unit.tokens[start + 1 : end] = kept[:-1]
            return
    raise BuildError(f"there is no {name} to cut")


def text(tokens: list[Token]) -> str:
    """Tokens with the least space between them."""
    out = ""
    for token in tokens:
        glued = out[-1:] + token.text[:1]
        if glued and (
            (all(char.isalnum() or char in "_$" for char in glued) and len(glued) == 2)
            or glued in ("++", "--", "//")
        ):
            out += " "
        out += token.text
    return out
