"""Where in a rule file a value stands: readers of values do not keep their lines.

Source: TOML 1.0.0 (tables, arrays of tables, key/value pairs); RFC 8259.
"""

import json
import re
from bisect import bisect
from collections import Counter

Place = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")
PATH = re.compile(r"`\$([^`]*)`")
UNKNOWN = re.compile(r"unknown field `([^`]+)`")
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
SYNTAX = re.compile(r"at line (\d+)")
BYTE = re.compile(r"\(byte (\d+)\)")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def line_of(data: bytes, error: str, *, toml: bool) -> int | None:
    """The line (from 1) that a reader's message is about, None when it tells no place."""
    text = data.decode("utf-8", "replace")
    if syntax := SYNTAX.search(error):
        return int(syntax[1])
    if byte := BYTE.search(error):
        return data.count(b"\n", 0, int(byte[1])) + 1
    if "end of document" in error or "truncated" in error:
        return text.count("\n") + 1
    path = PATH.search(error)
    steps = [name or int(index) for name, index in STEP.findall(path[1])] if path else []
    if unknown := UNKNOWN.search(error):
        steps.append(unknown[1])
    places = (_toml_places if toml else _json_places)(text)
    while steps:
        if tuple(steps) in places:
            return places[tuple(steps)]
        steps.pop()
    return None


def _json_places(text: str) -> dict[Place, int]:
    """Every key and item by its path, in a document that is well-formed."""
    breaks = [found.start() for found in re.finditer("\n", text)]
    found: dict[Place, int] = {}
    here: list[str | int | None] = []  # None: the name of a member comes next
    for token in TOKEN.finditer(text):
        mark, line = token[0], bisect(breaks, token.start()) + 1
        if here and here[-1] is None and mark.startswith('"'):
            here[-1] = str(json.loads(mark))
        if mark not in ("}", "]", ",", ":"):
            found.setdefault(tuple(step for step in here if step is not None), line)
        if mark in ("{", "["):
            here.append(None if mark == "{" else 0)
        elif mark in ("}", "]"):
            here.pop()
        elif mark == ",":
            here[-1] = here[-1] + 1 if isinstance(here[-1], int) else None
    return found


def _toml_places(text: str) -> dict[Place, int]:
    """Every table and key by its path, as far as they begin on lines of their own."""
    found: dict[Place, int] = {}
    seen: Counter[Place] = Counter()
    here: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.fullmatch(line):
            here = ()
            names = _names(header[2])
            for at, name in enumerate(names):
                here = (*here, name)
                if header[1] == "[[" and at == len(names) - 1:
                    seen[here] += 1
                if seen[here]:
                    here = (*here, seen[here] - 1)
            found.setdefault(here, number)
        elif key := KEY.match(line):
            path = here
            for name in _names(key[1]):
                path = (*path, name)
                found.setdefault(path, number)
    return found


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]
