"""The forms claims must have (step 7 of CAT section 10). A wrong form refuses the whole token,
never repairs it.

Each function takes the decoded value and the profile, and answers whether the form is right. CAT-6:
a tag is right only where a form names it. CAT-31: an empty container that would restrict nothing is
wrong.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from cat import cloudfront_docs, geo, network
from cat.cbor import Tag
from cat.match import well_formed
from cat.tables import COMPONENTS, LIMITS, NOT_IN_SETS, SAFE_INTEGER, Profile

Shape = Callable[[object, Profile], bool]
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_COMPONENT_NUMBERS = frozenset(COMPONENTS.values())
_GEO_CRS = 279  # CAT-6
JKT, LEGACY_JKT, ABSOLUTE_DEADLINE = 323, 3, 10**9  # CAT-80, CAT-51
PRINT_TYPES = 13  # of cattprint


def _is_uint(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _list_of(
    value: object, item: Callable[[object], bool], most: int = LIMITS.list_items, least: int = 1
) -> bool:
    return isinstance(value, tuple) and least <= len(value) <= most and all(map(item, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _texts(value: object, _profile: Profile) -> bool:
    return _is_text(value) or _list_of(value, _is_text, LIMITS.array_items, least=0)


def _time(value: object, _profile: Profile) -> bool:
    return isinstance(value, int | float) and _is_number(value) and abs(value) <= SAFE_INTEGER


def _uri(value: object, _profile: Profile) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            type(c) is int and c in _COMPONENT_NUMBERS and well_formed(m) for c, m in value.items()
        )
        and count_regexes(value) <= LIMITS.regexes
    )


def _headers(value: object, _profile: Profile) -> bool:
    return (
        isinstance(value, dict)
        and 1 <= len(value) <= LIMITS.header_names
        and len({str(name).lower() for name in value}) == len(value)
        and all(is_token(name) and well_formed(matches) for name, matches in value.items())
        and count_regexes(value) <= LIMITS.regexes
    )


def count_regexes(matches_by_name: Mapping[object, object]) -> int:
    return sum(4 in matches for matches in matches_by_name.values() if isinstance(matches, dict))


def is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _geohash(value: object, _profile: Profile) -> bool:
    def one(text: object) -> bool:
        return (
            isinstance(text, str)
            and 1 <= len(text) <= 12
            and set(text) <= set(geo.GEOHASH_ALPHABET)
        )

    return one(value) or _list_of(value, one)


def _circles(value: object, _profile: Profile) -> bool:
    def one(circle: object) -> bool:
        if not isinstance(circle, tuple) or len(circle) != 3:
            return False
        lat, lon, radius_m = circle
        return (
            isinstance(lat, int | float)
            and isinstance(lon, int | float)
            and _is_number(lat)
            and _is_number(lon)
            and abs(lat) <= 90
            and abs(lon) <= 180
            and (
                _is_uint(radius_m)
                or (type(radius_m) is float and radius_m >= 0 and radius_m % 1 == 0)
            )
        )

    if isinstance(value, Tag):
        return value.number == _GEO_CRS
    return _list_of(value, one) or one(value)


def _altitude(value: object, _profile: Profile) -> bool:
    if isinstance(value, Tag):
        return value.number == _GEO_CRS
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def _confirmation(value: object, _profile: Profile) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    jkt = value.get(JKT, bytes(32))
    return isinstance(jkt, bytes) and len(jkt) == 32


def _dpop(value: object, _profile: Profile) -> bool:
    return (
        isinstance(value, dict)
        and all(type(key) is int for key in value)
        and (0 not in value or (_is_uint(value[0]) and value[0] <= 3600))
        and (1 not in value or _is_uint(value[1]))
        and (-1 not in value or _list_of(value[-1], lambda item: type(item) is int))
    )


def _fingerprint(value: object, _profile: Profile) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {0, 1}
        and type(value[0]) is int
        and 0 <= value[0] < PRINT_TYPES
        and _is_text(value[1])
    )


def _portion(value: object, _profile: Profile) -> bool:
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return False
    probability = value[0]
    return (
        isinstance(probability, int | float)
        and _is_number(probability)
        and 0 <= probability <= 1
        and (type(value[1]) is int or isinstance(value[1], bytes))
        and all(_time(expiry, _profile) for expiry in value[2:])
    )


def _sets(value: object, profile: Profile) -> bool:
    return _count_sets(value, profile, 1) <= LIMITS.sets


def _count_sets(value: object, profile: Profile, depth: int) -> int:
    """The number of sets, or more than allowed when any of them is malformed (CAT-65, CAT-67)."""
    if depth > LIMITS.set_depth or not isinstance(value, tuple) or not value:
        return LIMITS.sets + 1
    count = len(value)
    for members in value:
        if not isinstance(members, dict) or not members:
            return LIMITS.sets + 1
        for label, member in members.items():
            claim = profile.claims.get(label)
            if claim is None:
                continue
            if claim.name in NOT_IN_SETS:
                return LIMITS.sets + 1
            if claim.shape == "sets":
                count += _count_sets(member, profile, depth + 1)
            elif not SHAPES[claim.shape](member, profile):
                return LIMITS.sets + 1
    return count


def _renewal(value: object, _profile: Profile) -> bool:
    """CAT-50."""
    if not isinstance(value, dict):
        return False
    names = (value.get(3, "n"), value.get(4, "n"))
    params = [item for key in (5, 6) for item in _as_tuple(value.get(key, ()))]
    return (
        value.get(0) in (0, 1, 2, 3)
        and type(value.get(0)) is int
        and _is_number(value.get(1))
        and value[1] >= 1
        and (2 not in value or _is_number(value[2]))
        and all(map(is_token, names))
        and all(isinstance(p, str) and not set(p) & set("\r\n\0") for p in params)
        and value.get(7, 307) in (301, 302, 303, 307, 308)
    )


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _catif(value: object, _profile: Profile) -> bool:
    """CAT-60: label or labels to [status, headers, kid]."""

    def labels(key: object) -> bool:
        return type(key) is int or _list_of(key, lambda item: type(item) is int)

    def answer(parts: object) -> bool:
        return isinstance(parts, tuple) and 1 <= len(parts) <= 3 and _is_uint(parts[0])

    return (
        isinstance(value, dict)
        and bool(value)
        and all(labels(key) and answer(parts) for key, parts in value.items())
    )


SHAPES: Final[dict[str, Shape]] = {
    "any": lambda value, profile: True,
    "uint": lambda value, profile: _is_uint(value),
    "time": _time,
    "text": lambda value, profile: _is_text(value),
    "texts": _texts,
    "id": lambda value, profile: isinstance(value, bytes | str),
    "bytes": lambda value, profile: isinstance(value, bytes),
    "methods": lambda value, profile: _list_of(value, is_token),
    "uri": _uri,
    "alpns": lambda value, profile: _list_of(value, lambda item: isinstance(item, bytes)),
    "headers": _headers,
    "networks": lambda value, profile: _list_of(
        value, lambda item: network.entry(item) is not None, LIMITS.array_items
    ),
    "geohash": _geohash,
    "regions": lambda value, profile: _list_of(value, _is_text, LIMITS.regions),
    "circles": _circles,
    "altitude": _altitude,
    "confirmation": _confirmation,
    "dpop": _dpop,
    "fingerprint": _fingerprint,
    "portion": _portion,
    "replay": lambda value, profile: type(value) is int and value in (0, 1, 2),
    "sets": _sets,
    "crit": lambda value, profile: _list_of(
        value, lambda item: type(item) in (int, str), LIMITS.array_items
    ),
    "renewal": _renewal,
    "catif": _catif,
    "docs_uri": lambda value, profile: cloudfront_docs.is_uri(value),
    "docs_networks": lambda value, profile: cloudfront_docs.is_networks(value),
    "docs_renewal": lambda value, profile: cloudfront_docs.is_renewal(value),
}
