"""What a token is judged against: the request as the viewer made it, and the verifier's own
settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from cat import transport
from cat.cbor import Value
from cat.tables import PROFILES, Profile
from cat.uri import Uri, UriError, parse
from native.cat import Request as Context

_NONE: Final = object()


def normal_uri(context: Context) -> Uri | None:
    """The viewer's URI without the token (CAT-42), or None when it has no normal form."""
    if context.normal is None:
        context.normal = _normal(context.uri) or _NONE
    return context.normal if isinstance(context.normal, Uri) else None


def normal_parts(context: Context) -> tuple[str, str, str, str, str] | None:
    """The same as (scheme, host, port, path, query)."""
    uri = normal_uri(context)
    return None if uri is None else (uri.scheme, uri.host, uri.port, uri.path, uri.query)


def _normal(uri: str) -> Uri | None:
    head, mark, query = uri.partition("?")
    scheme, slashes, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    found = transport.candidates(slash + path, query, {})
    bare = scheme + slashes + host + found.path + (mark if found.query else "") + found.query
    try:
        return parse(bare)
    except UriError:
        return None


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

__all__ = ["LIBRARY_DEFAULTS", "Case", "Context", "Options", "normal_parts", "normal_uri"]
