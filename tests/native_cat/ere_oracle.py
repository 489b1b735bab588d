"""POSIX matching by trying every way, for the patterns the tests draw: characters, `.`, `[ab]`,
`[^a]`, groups, branches, `* + ? {n} {n,m}`, and anchors at either end.

A way to match is a list of pieces with their lengths; of all that start leftmost the longest is
taken, then the one whose pieces are longest from left to right (IEEE 1003.1-2017, 9.1, A.9.1).
"""

import re

_PIECE = re.compile(r"(\[\^?\w+\]|\.|[abc])|\(")
_BOUNDS = re.compile(r"[*+?]|\{(\d+)(?:,(\d+))?\}")


def groups(pattern, subject):
    """The texts of the groups (None for one that took no part), or None without a match."""
    tree, _, count = _alternation(pattern, 0, 0)
    for start in range(len(subject) + 1):
        ways = list(_ways(tree, subject, start, ()))
        if ways:
            _, _, found = max(ways, key=lambda way: (way[0], way[1]))
            spans = dict(found)
            return [subject[slice(*spans[n])] if n in spans else None for n in range(count)]
    return None


def _alternation(text, at, count):
    branches, pieces = [], []
    while at < len(text) and text[at] != ")":
        if text[at] == "|":
            branches.append(pieces)
            pieces, at = [], at + 1
            continue
        piece, at, count = _piece(text, at, count)
        pieces.append(piece)
    return ("alt", [*branches, pieces]), at, count


def _piece(text, at, count):
    if text[at] in "^$":
        return ("anchor", text[at]), at + 1, count
    if text[at] == "(":
        number = count
        inner, at, count = _alternation(text, at + 1, count + 1)
        atom, at = ("group", number, inner), at + 1
    else:
        found = _PIECE.match(text, at)
        atom, at = ("char", re.compile(found[0])), found.end()
    bounds = _BOUNDS.match(text, at)
    if bounds is None:
        return atom, at, count
    low, high = {"*": (0, 99), "+": (1, 99), "?": (0, 1)}.get(bounds[0]) or (
        int(bounds[1]),
        int(bounds[2] or bounds[1]),
    )
    return ("repeat", low, high, atom), bounds.end(), count


def _ways(tree, subject, at, found):
    """Every (end, lengths in order, spans of groups) from `at` on."""
    kind = tree[0]
    if kind == "char":
        if tree[1].match(subject, at):
            yield at + 1, (1,), found
    elif kind == "anchor":
        if at == (0 if tree[1] == "^" else len(subject)):
            yield at, (), found
    elif kind == "group":
        for end, lengths, spans in _ways(tree[2], subject, at, found):
            yield end, (end - at, *lengths), (*spans, (tree[1], (at, end)))
    elif kind == "repeat":
        yield from _repeated(tree, subject, at, found, 0)
    else:
        for pieces in tree[1]:
            for end, lengths, spans in _sequence(pieces, subject, at, found):
                yield end, lengths, spans


def _repeated(tree, subject, at, found, done):
    _, low, high, atom = tree
    if done >= low:
        yield at, (0,), found
    if done < high:
        for middle, lengths, spans in _ways(atom, subject, at, found):
            if middle == at and done >= low:
                continue
            for end, more, last in _repeated(tree, subject, middle, spans, done + 1):
                yield end, (end - at, *lengths, *more), last


def _sequence(pieces, subject, at, found):
    if not pieces:
        yield at, (), found
        return
    for middle, lengths, spans in _ways(pieces[0], subject, at, found):
        for end, more, last in _sequence(pieces[1:], subject, middle, spans):
            yield end, (middle - at, *lengths, *more), last
