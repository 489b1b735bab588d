"""Match types of catu and cath (CAT-40): each takes the token's value and the subject's text."""

import hashlib
from collections.abc import Callable, Sequence

from cat import ere
from cat.tables import LIMITS, MATCHES


def well_formed(matches: object) -> bool:
    """A non-empty map of known match types to values of their kind (CAT-31, CAT-40)."""
    return (
        isinstance(matches, dict)
        and bool(matches)
        and all(type(t) is int and t in _TYPES and _TYPES[t][0](v) for t, v in matches.items())
    )


def holds(matches: dict[int, object], texts: Sequence[str], *, fold: bool = False) -> bool | None:
    """All match types are evaluated and ANDed. Three-valued: None is "cannot be evaluated here".

    `texts[0]` is the subject; `exact` takes the others too (CAT-43). `fold` lowers plain values
    (hosts, CAT-42).
    """
    if len(texts[0].encode()) > LIMITS.subject_bytes:
        return False
    answers = [
        _TYPES[number][1](value.lower() if fold and isinstance(value, str) else value, texts)
        for number, value in matches.items()
    ]
    return False if False in answers else None if None in answers else True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_some_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _is_regex(value: object) -> bool:
    if not isinstance(value, tuple) or not value or len(value) > 1 + LIMITS.regex_groups:
        return False
    pattern, groups = value[0], value[1:]
    return (
        isinstance(pattern, str)
        and len(pattern.encode()) <= LIMITS.regex_bytes
        and all(group is None or isinstance(group, str) for group in groups)
        and ere.well_formed(pattern)
    )


def _regex(value: object, texts: Sequence[str]) -> bool | None:
    assert isinstance(value, tuple)
    return ere.search(value[0], texts[0], value[1:])


def _hash(name: str) -> Callable[[object, Sequence[str]], bool]:
    return lambda value, texts: hashlib.new(name, texts[0].encode()).digest() == value


_Judge = Callable[[object, Sequence[str]], bool | None]
_TYPES: dict[int, tuple[Callable[[object], bool], _Judge]] = {
    MATCHES["exact"]: (_is_text, lambda value, texts: value in texts),
    MATCHES["prefix"]: (_is_some_text, lambda value, texts: texts[0].startswith(str(value))),
    MATCHES["suffix"]: (_is_some_text, lambda value, texts: texts[0].endswith(str(value))),
    MATCHES["contains"]: (_is_some_text, lambda value, texts: str(value) in texts[0]),
    MATCHES["regex"]: (_is_regex, _regex),
    MATCHES["sha256"]: (_is_hash, _hash("sha256")),
    MATCHES["sha512_256"]: (_is_hash, _hash("sha512_256")),
}
