"""The decision of each claim: true, false, or None where the data is missing on this platform (CAT
section 3).

A judge sees a claim whose form is right (`cat.shapes`). Judges are pure: the clock comes with the
context.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from cat import cloudfront_docs, dpop, due, geo, match, network
from cat.cbor import Tag, encode
from cat.context import Case, normal_uri
from cat.revocation import name_of
from cat.shapes import JKT, LEGACY_JKT
from cat.tables import COMPONENTS, LABELS

REUSE_REVOKES: Final = 2  # catreplay, CAT-70

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
    uri = normal_uri(case.context, case.options)
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


def _altitude(value: Any, case: Case) -> bool | None:
    alt = case.context.alt
    if isinstance(value, Tag) or alt is None:
        return None
    return bool(abs(alt - value[0]) <= value[1])


def _client_key(value: bytes, case: Case) -> bool | None:
    spki = case.context.client_spki
    return None if spki is None else spki == value


def _fingerprint(value: dict[int, Any], case: Case) -> bool | None:
    print_ = case.context.client_prints.get(value[0])
    return None if print_ is None else print_.lower() == value[1].lower()


def _proof(value: dict[object, object], case: Case) -> bool | None:
    """CAT-80, CAT-81: a missing proof is wrong."""
    jkt = value.get(JKT)
    if jkt is None and case.options.cnf_legacy:
        jkt = value.get(LEGACY_JKT)
    if not isinstance(jkt, bytes):
        return None
    proof = case.context.headers.get("dpop")
    if proof is None:
        return False
    rules: Any = case.claims.get(LABELS["catdpop"], {})
    return dpop.holds(proof, jkt, rules, case)


def _left_s(case: Case, until: object = None) -> float:
    """Seconds that a store remembers something of this token."""
    end = case.claims.get(LABELS["exp"]) if until is None else until
    return end - case.context.now if isinstance(end, int | float) else case.options.use_s


def _portion(value: tuple[Any, ...], case: Case) -> bool | None:
    """CAT-75: the certain probabilities, else a store's draw, else a constant one per id."""
    probability, number = value[0], value[1]
    if probability in (0, 1):
        return bool(probability == 0)
    if case.options.settled:
        left_s = _left_s(case, value[2] if len(value) > 2 else None)
        key = due.name("por", case.claims.get(LABELS["iss"]), number)
        case.pending.append(due.Portion(key, probability, left_s))
        return True
    if case.options.por_salt is None:
        return None
    drawn = hashlib.sha256(case.options.por_salt + encode(number)).digest()[:8]
    return bool(int.from_bytes(drawn, "big") / 2**64 >= probability)


def _replay(value: int, case: Case) -> bool | None:
    """CAT-70, CAT-72: only a store knows whether a token was used."""
    if value == 0:
        return True
    if not case.options.settled:
        return None
    issuer, cti = case.claims.get(LABELS["iss"]), case.claims.get(LABELS["cti"])
    revoke = None
    if isinstance(cti, bytes):
        number = cti
        revoke = name_of("use", issuer, cti).hex() if value == REUSE_REVOKES else None
    else:
        number = hashlib.sha256(case.payload).digest()
    case.pending.append(due.Use(due.name("use", issuer, number), _left_s(case), revoke))
    return True


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
    "altitude": _altitude,
    "client_key": _client_key,
    "proof": _proof,
    "fingerprint": _fingerprint,
    "portion": _portion,
    "replay": _replay,
    "docs_uri": cloudfront_docs.uri,
    "docs_networks": cloudfront_docs.networks,
    "crit": _crit,
    "or": lambda sets, case: _any(_each(sets, case)),
    "and": lambda sets, case: _all(_each(sets, case)),
    "nor": lambda sets, case: _not(_any(_each(sets, case))),
}
