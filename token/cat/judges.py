"""The decision of each claim: true, false, or None where the data is missing on this platform (CAT
section 3).

A judge sees a claim whose form is right (`cat.shapes`). Judges are pure: the clock comes with the
context.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from cat import geo, match, network
from cat.cbor import Tag
from cat.context import Case, normal_uri
from cat.shapes import JKT
from cat.tables import COMPONENTS

Judge = Callable[[Any, Case], bool | None]


def _any(answers: Iterable[bool | None]) -> bool | None:
    """Kleene's or: true wins, then unknown."""
    seen = list(answers)
    return True if True in seen else None if None in seen else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    """Kleene's and: false wins, then unknown."""
    seen = list(answers)
    return False if False in seen else None if None in seen else True


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _strings(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _issuer(value: str, case: Case) -> bool:
    return not case.options.issuers or value in case.options.issuers


def _audience(value: str | tuple[str, ...], case: Case) -> bool:
    return bool(set(_strings(value)) & set(case.options.audiences))


def _subject(value: str, case: Case) -> bool:
    return case.options.subject in (None, value)


def _uri(value: dict[int, dict[int, object]], case: Case) -> bool | None:
    uri = normal_uri(case.context)
    if uri is None:
        return False
    return _all(
        match.holds(matches, uri.component(number, case.profile), fold=number == COMPONENTS["host"])
        for number, matches in value.items()
    )


def _alpn(value: tuple[bytes, ...], case: Case) -> bool | None:
    if case.context.alpn is None:
        return None if case.context.uri[:6].lower() == "https:" else False  # section 4.6.12
    return case.context.alpn.encode() in value


def _headers(value: dict[str, dict[int, object]], case: Case) -> bool | None:
    def one(name: str, matches: dict[int, object]) -> bool | None:
        field = case.context.headers.get(name.lower())
        return False if field is None else match.holds(matches, (field.strip(" \t"),))

    return _all(one(name, matches) for name, matches in value.items())


def _network(value: tuple[object, ...], case: Case) -> bool | None:
    tests = filter(None, map(network.entry, value))
    ip = case.context.ip
    address = None if ip is None else network.client_address(ip)
    return _any(test(address, case.context.asn) for test in tests)


def _geohash(value: str | tuple[str, ...], case: Case) -> bool | None:
    lat, lon = case.context.lat, case.context.lon
    if lat is None or lon is None:
        return None
    return any(geo.geohash(lat, lon, len(text)) == text for text in _strings(value))


def _region(value: tuple[str, ...], case: Case) -> bool | None:
    country = case.context.country
    return None if country is None else any(geo.in_region(country, entry) for entry in value)


def _circles(value: Any, case: Case) -> bool | None:
    lat, lon = case.context.lat, case.context.lon
    if isinstance(value, Tag) or lat is None or lon is None:
        return None
    circles = value if isinstance(value[0], tuple) else (value,)  # catapult writes one flat
    return any(geo.distance_m(lat, lon, at, on) <= radius_m for at, on, radius_m in circles)


def _client_key(value: bytes, case: Case) -> bool | None:
    spki = case.context.client_spki
    return None if spki is None else spki == value


def _proof(value: dict[object, object], case: Case) -> bool | None:
    """CAT-80, CAT-81: a missing proof is wrong; checking one is not built here, so a given one is
    unknown.
    """
    if JKT not in value or "dpop" in case.context.headers:
        return None
    return False


def _portion(value: tuple[float, object], _case: Case) -> bool | None:
    """CAT-75 without a store: only the certain probabilities are decided."""
    probability = value[0]
    return probability == 0 if probability in (0, 1) else None


def _crit(value: tuple[int | str, ...], case: Case) -> bool:
    """CAT-64: each must be known to the profile and present."""
    return all(label in case.profile.claims and label in case.claims for label in value)


def _judged(case: Case) -> bool | None:
    """A set of a composition: all its claims together."""
    return _all(
        JUDGES[claim.judge](case.claims[label], case)
        for label, claim in case.profile.claims.items()
        if label in case.claims and claim.judge is not None
    )


def _each(sets: tuple[dict[Any, Any], ...], case: Case) -> list[bool | None]:
    return [_judged(replace(case, claims=members)) for members in sets]


JUDGES: Final[dict[str, Judge]] = {
    "unsupported": lambda value, case: None,
    "version": lambda value, case: bool(value == 1),
    "not_before": lambda value, case: bool(case.context.now + case.options.skew_s >= value),
    "expiry": lambda value, case: bool(case.context.now - case.options.skew_s < value),
    "issuer": _issuer,
    "audience": _audience,
    "subject": _subject,
    "method": lambda value, case: case.context.method in value,
    "uri": _uri,
    "alpn": _alpn,
    "headers": _headers,
    "network": _network,
    "geohash": _geohash,
    "region": _region,
    "circles": _circles,
    "client_key": _client_key,
    "proof": _proof,
    "portion": _portion,
    "replay": lambda value, case: True if value == 0 else None,  # no store here (CAT-70, CAT-72)
    "crit": _crit,
    "or": lambda sets, case: _any(_each(sets, case)),
    "and": lambda sets, case: _all(_each(sets, case)),
    "nor": lambda sets, case: _not(_any(_each(sets, case))),
}
