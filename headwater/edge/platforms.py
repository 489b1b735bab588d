"""The platforms' limits and what a bundle of each evaluates, as data (specs/edge.md, sections 1 and
6).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from cat.tables import PROFILES

ALL: Final = frozenset(
    claim.name for profile in PROFILES.values() for claim in profile.claims.values()
)
# What fits into 10,240 bytes and has its data in CloudFront's viewer-request event.
_CLOUDFRONT = "catv nbf exp iss aud sub catm catu catgeoiso3166 iat cti catr"
CLOUDFRONT: Final = frozenset(_CLOUDFRONT.split())


class Platform(NamedTuple):
    """`small`: members are renamed and unused claims cut, so that the code limit is met."""

    name: str
    scripts: tuple[str, ...]
    roots: frozenset[str]
    limit_bytes: int
    claims: frozenset[str]
    small: bool
    swap: Mapping[str, str] = MappingProxyType({})


PLATFORMS: Final = {
    platform.name: platform
    for platform in (
        Platform(
            "cloudfront",
            ("viewer-request", "viewer-response"),
            frozenset({"handler"}),
            10_240,
            CLOUDFRONT,
            True,
            MappingProxyType(
                {
                    "core/verify.js": "cloudfront/verify.js",
                    "core/challenge.js": "cloudfront/challenge.js",
                    "core/revoked.js": "cloudfront/revoked.js",
                    "core/text.js": "cloudfront/text.js",
                }
            ),
        ),
        Platform(
            "akamai",
            ("main",),
            frozenset({"onClientRequest", "onClientResponse"}),
            1 << 20,
            ALL,
            False,
        ),
        Platform(
            "lambda", ("main",), frozenset({"viewerRequest", "viewerResponse"}), 1 << 20, ALL, False
        ),
        Platform("fastly", ("main",), frozenset(), 100 << 20, ALL, False),
    )
}

# Members that JavaScript or a platform names, and those of JSON from a store: never renamed.
_MEMBERS = """
    abs apply asin assign byteLength call catch charAt charCodeAt concat cos create createHash
    createHmac digest entries every exec fill filter find floor forEach from fromCharCode getFloat32
    getFloat64 hasOwnProperty includes indexOf isArray join keys lastIndexOf length log map max
    message min now padStart parse pop pow prototype push reduce replace set setFloat32 setUint8
    shift sin slice some sort split sqrt stringify subarray substr substring test then toLowerCase
    toString toUpperCase trim unshift update values

    attributes body context cookies createRequestOriginGroup cwt cwtTag coseTag data encoding exists
    failoverCriteria generateToken get headers key kvs method multiValue originId originIds payload
    protected protectedHeaders querystring rawQueryString request requestId response statusCode
    statusCodes statusDescription unprotected unprotectedHeaders uri validateToken value viewer

    alg cookie dma exp from host k kid nbf origin regions replacement to
"""
MEMBERS: Final = frozenset(_MEMBERS.split())
