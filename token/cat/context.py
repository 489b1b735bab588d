"""What a token is judged against: the request as the viewer made it, and the verifier's own
settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from cat import network, transport
from cat.cbor import Value
from cat.tables import PROFILES, Profile
from cat.uri import Uri, UriError, parse


@dataclass(frozen=True)
class Context:
    """One request. `now` is epoch seconds; None stands for what this platform does not know.

    `country` is ISO 3166-1 alpha-2 with an optional subdivision ("SE-AB"); header names are
    lower-case.
    """

    uri: str
    now: float
    method: str = "GET"
    ip: str | None = None
    asn: int | None = None
    country: str | None = None
    lat: float | None = None
    lon: float | None = None
    alpn: str | None = None
    client_spki: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def normal_uri(self) -> Uri | None:
        """Without the token (CAT-42), or None when there is no normal form."""
        head, mark, query = self.uri.partition("?")
        scheme, slashes, rest = head.partition("://")
        host, slash, path = rest.partition("/")
        found = transport.candidates(slash + path, query, {})
        bare = scheme + slashes + host + found.path + (mark if found.query else "") + found.query
        try:
            return parse(bare)
        except UriError:
            return None

    @cached_property
    def address(self) -> network.Address | None:
        return None if self.ip is None else network.client_address(self.ip)


@dataclass(frozen=True)
class Options:
    """The verifier's settings; the defaults are the library's (CAT section 3)."""

    profile: str = "cta"
    issuers: Sequence[str] = ()
    audiences: Sequence[str] = ()
    subject: str | None = None
    skew_s: float = 0  # CAT-30, at most 3,600
    require: Sequence[str] = ()  # names of claims that must be present
    contested: Literal["refuse", "ignore"] = "refuse"  # CAT-63
    high_s: Literal["accept", "reject"] = "accept"  # CAT-25

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile is one of {', '.join(PROFILES)}")
        if not 0 <= self.skew_s <= 3600:
            raise ValueError("skew_s is 0..3600")

    @cached_property
    def needed(self) -> Mapping[str, str]:
        """Claims that must be present, with the reason for refusing without them."""
        needed = dict.fromkeys(self.require, "missing")
        return needed | {"iss": "issuer"} if self.issuers else needed


@dataclass(frozen=True)
class Case:
    """A set of claims (the token's own, or one of a composition) and what it is judged against."""

    claims: Mapping[Value, Value]
    context: Context
    options: Options

    @property
    def profile(self) -> Profile:
        return PROFILES[self.options.profile]


LIBRARY_DEFAULTS: Final = Options()
