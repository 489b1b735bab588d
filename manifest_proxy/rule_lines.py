"""Where in a TOML rule file a value stands: readers of values do not keep their lines.

Source: TOML 1.0.0 (tables, arrays of tables, key/value pairs).
"""

import re
from collections import Counter

HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")
PATH = re.compile(r"`\$([^`]*)`")
UNKNOWN = re.compile(r"unknown field `([^`]+)`")
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
SYNTAX = re.compile(r"at line (\d+)")


def line_of(text: str, error: str) -> int | None:
    """The line (from 1) that a reader's message is about, None when it tells no place."""
    if syntax := SYNTAX.search(error):
        return int(syntax[1])
    if "end of document" in error:
        return text.count("\n") + 1
    path = PATH.search(error)
    steps = [name or int(index) for name, index in STEP.findall(path[1])] if path else []
    if unknown := UNKNOWN.search(error):
        steps.append(unknown[1])
    places = _places(text)
    while steps:
        if tuple(steps) in places:
            return places[tuple(steps)]
        steps.pop()
    return None


def _places(text: str) -> dict[tuple[str | int, ...], int]:
    """Every table and key by its path, as far as they begin on lines of their own."""
    found: dict[tuple[str | int, ...], int] = {}
    seen: Counter[tuple[str | int, ...]] = Counter()
    here: tuple[str | int, ...] = ()
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
