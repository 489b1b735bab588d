"""The tables of specs/cat.md as data. Every inverse, and the edge scripts' JavaScript, is derived
from them.

`CLAIMS` is the one claim table (CAT-32). Its rows stand in the order of evaluation (CAT section 10,
CAT-100): `shape` names a function of `cat.shapes`, `judge` one of `cat.judges`; a judge answers
true, false or "cannot be evaluated here", and `reason` is the code of a false one. A claim without
a judge restricts nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Claim(NamedTuple):
    """One row: integer label, name, shape, step of evaluation, judge and its refusal, section of
    CTA-5007-B.
    """

    label: int
    name: str
    shape: str
    step: int
    judge: str | None
    reason: str
    section: str


CLAIMS: Final = (
    # label, name, shape, step, judge, reason when false, section (second-hand, see specs/cat.md)
    Claim(310, "catv", "uint", 9, "version", "version", "4.6.1"),
    Claim(5, "nbf", "time", 10, "not_before", "not_before", "4.6.4"),
    Claim(4, "exp", "time", 10, "expiry", "expired", "4.6.3"),
    Claim(1, "iss", "text", 11, "issuer", "issuer", "RFC 8392 3.1.1"),
    Claim(3, "aud", "texts", 11, "audience", "audience", "RFC 8392 3.1.3"),
    Claim(2, "sub", "text", 11, "subject", "subject", "RFC 8392 3.1.2"),
    Claim(313, "catm", "methods", 13, "method", "method", "4.6.11"),
    Claim(312, "catu", "uri", 13, "uri", "uri", "4.6.10"),
    Claim(314, "catalpn", "alpns", 13, "alpn", "alpn", "4.6.12"),
    Claim(315, "cath", "headers", 13, "headers", "header", "4.6.13"),
    Claim(311, "catnip", "networks", 13, "network", "network", "4.6.9"),
    Claim(282, "geohash", "geohash", 13, "geohash", "geo", "4.6.17"),
    Claim(316, "catgeoiso3166", "regions", 13, "region", "geo", "4.6.14"),
    Claim(317, "catgeocoord", "circles", 13, "circles", "geo", "4.6.15"),
    Claim(318, "catgeoalt", "altitude", 13, "altitude", "geo", "4.6.16"),
    Claim(319, "cattpk", "bytes", 13, "client_key", "tls", "4.6.18"),
    Claim(8, "cnf", "confirmation", 15, "proof", "dpop", "4.8.1"),
    Claim(321, "catdpop", "dpop", 15, None, "dpop", "4.8.2"),
    Claim(309, "catpor", "portion", 16, "portion", "por", "4.6.7"),
    Claim(308, "catreplay", "replay", 17, "replay", "replay", "4.6.8"),
    # Never a ground for refusal once well-formed.
    Claim(6, "iat", "time", 18, None, "", "4.7.2"),
    Claim(7, "cti", "bytes", 18, None, "", "4.7.3"),
    Claim(320, "catifdata", "texts", 18, None, "", "4.9.2"),
    Claim(322, "catif", "catif", 18, None, "", "4.9.1"),
    Claim(323, "catr", "renewal", 18, None, "", "4.9.3"),
)

# Labels that only a profile defines (CAT section 7). What another vendor wrote is never ignored:
# CAT-63.
_AKAMAI: Final = (
    Claim(45, "crit", "crit", 8, "crit", "crit", "provisional"),
    Claim(44, "enc", "any", 14, "unsupported", "composite", "provisional"),
    Claim(41, "or", "sets", 14, "or", "composite", "draft-lemmons-cose-composite-claims"),
    Claim(42, "nor", "sets", 14, "nor", "composite", "draft-lemmons-cose-composite-claims"),
    Claim(43, "and", "sets", 14, "and", "composite", "draft-lemmons-cose-composite-claims"),
)
_QUICR: Final = (
    Claim(324, "or", "sets", 14, "or", "composite", "draft-lemmons-cose-composite-claims"),
    Claim(325, "nor", "sets", 14, "nor", "composite", "draft-lemmons-cose-composite-claims"),
    Claim(326, "and", "sets", 14, "and", "composite", "draft-lemmons-cose-composite-claims"),
)
_CLOUDFRONT_DOCS: Final = (
    Claim(7, "cti", "id", 18, None, "", "4.7.3"),
    Claim(403, "catm", "methods", 13, "method", "method", "CloudFront developer guide"),
    Claim(401, "catu", "docs_uri", 13, "docs_uri", "uri", "CloudFront developer guide"),
    Claim(
        402, "catnip", "docs_networks", 13, "docs_networks", "network", "CloudFront developer guide"
    ),
    Claim(404, "catr", "docs_renewal", 18, None, "", "CloudFront developer guide"),
)
CONTESTED: Final = frozenset({*range(41, 46), *range(324, 329), *range(401, 405)})  # CAT-63


class Profile(NamedTuple):
    """A dialect: its claims by label in order of evaluation, and where its matching differs."""

    name: str
    claims: Mapping[int, Claim]
    extension_dot: bool = True  # CAT-43
    parent_slash: bool = False  # CAT-43
    text_labels: bool = False  # CAT-62


def _profile(name: str, *extra: Claim, **differences: bool) -> Profile:
    rows = sorted((*CLAIMS, *extra), key=lambda claim: claim.step)
    return Profile(name, MappingProxyType({row.label: row for row in rows}), **differences)


PROFILES: Final = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            _profile("cta"),
            _profile("akamai", *_AKAMAI),
            _profile("quicr", *_QUICR, extension_dot=False, parent_slash=True),
            _profile("cloudfront-docs", *_CLOUDFRONT_DOCS, text_labels=True),
        )
    }
)
# Only with the option label_324=cattprint; the label is contested (CAT-63).
CATTPRINT: Final = Claim(324, "cattprint", "fingerprint", 13, "fingerprint", "tls", "provisional")


def with_claim(profile: Profile, claim: Claim) -> Profile:
    """A profile with one row more, at its step."""
    rows = sorted((*profile.claims.values(), claim), key=lambda row: row.step)
    return profile._replace(claims=MappingProxyType({row.label: row for row in rows}))


LABELS: Final = MappingProxyType({claim.name: claim.label for claim in CLAIMS})
COMPOSITIONS: Final = frozenset({"or", "nor", "and"})
NOT_IN_SETS: Final = frozenset({"cnf", "catdpop", "catpor", "catreplay", "catr", "catif"})  # CAT-65

COMPONENTS: Final = MappingProxyType(  # CAT-41
    {
        "scheme": 0,
        "host": 1,
        "port": 2,
        "path": 3,
        "query": 4,
        "parent_path": 5,
        "filename": 6,
        "stem": 7,
        "extension": 8,
    }
)
MATCHES: Final = MappingProxyType(  # CAT-40
    {
        "exact": 0,
        "prefix": 1,
        "suffix": 2,
        "contains": 3,
        "regex": 4,
        "sha256": -1,
        "sha512_256": -2,
    }
)
ALGORITHMS: Final = MappingProxyType({"HS256": 5, "ES256": -7, "PS256": -37})  # CAT-20
ALGORITHM_TAGS: Final = MappingProxyType({5: 17, -7: 18, -37: 18})  # CAT-22


class Reason(NamedTuple):
    """A stable refusal code with its HTTP status (CAT section 11, CAT-111)."""

    code: str
    status: int
    meaning: str


REASONS: Final = MappingProxyType(
    {
        reason.code: reason
        for reason in (
            Reason("missing", 401, "there is no token, or a required claim is absent"),
            Reason("too_large", 401, "the encoded token is longer than 4,096 characters"),
            Reason("malformed", 401, "the text, CBOR or COSE form is wrong"),
            Reason("alg", 401, "the algorithm is absent, unknown, or not the key's"),
            Reason("header_crit", 401, "a critical COSE header is not understood"),
            Reason("key", 401, "no live key has this key id"),
            Reason("signature", 401, "the MAC or signature does not hold"),
            Reason("claim_malformed", 401, "a claim has the wrong form"),
            Reason("version", 401, "the token's version is not 1"),
            Reason("not_before", 401, "the token is not valid yet"),
            Reason("expired", 401, "the token is no longer valid"),
            Reason("issuer", 401, "the issuer is not one of ours"),
            Reason("replay", 401, "the token was used before"),
            Reason("dpop", 401, "the proof of possession is missing or wrong"),
            Reason("claim_unsupported", 403, "a restriction cannot be evaluated here"),
            Reason("claim_contested", 403, "a label has no agreed meaning in this profile"),
            Reason("crit", 403, "a critical claim is absent or not understood"),
            Reason("audience", 403, "the token is for another audience"),
            Reason("subject", 403, "the token is for another subject"),
            Reason("revoked", 403, "the token was revoked"),
            Reason("method", 403, "the method is not allowed"),
            Reason("uri", 403, "the URI is not allowed"),
            Reason("alpn", 403, "the negotiated protocol is not allowed"),
            Reason("header", 403, "a request header is missing or not allowed"),
            Reason("network", 403, "the client's network is not allowed"),
            Reason("geo", 403, "the client's location is not allowed"),
            Reason("tls", 403, "the TLS client is not the expected one"),
            Reason("composite", 403, "a composition of claims does not hold"),
            Reason("por", 403, "the token fell into the refused portion"),
            Reason("blackout", 451, "the content is not available here and now"),
            Reason("store", 503, "a store the decision needs is not reachable"),
        )
    }
)


class Limits(NamedTuple):
    """Bounds of CAT section 12."""

    encoded_chars: int = 4096
    depth: int = 16
    items: int = 2048
    map_pairs: int = 128
    array_items: int = 256
    list_items: int = 50
    regions: int = 250
    sets: int = 32
    set_depth: int = 8
    regexes: int = 8
    regex_bytes: int = 256
    regex_groups: int = 9
    subject_bytes: int = 8192
    header_names: int = 32
    text_bytes: int = 2048
    candidates: int = 6
    keys_tried: int = 8


LIMITS: Final = Limits()
SAFE_INTEGER: Final = 2**53  # times outside are malformed (CAT-30)
