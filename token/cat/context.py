"""What a token is judged against: the request as the viewer made it, and the verifier's own
settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from cat import transport
from cat.cbor import Value
from cat.due import Due
from cat.tables import CATTPRINT, PROFILES, Profile, with_claim
from cat.transport import Names
from cat.uri import Uri, UriError, parse
from native.cat import Request as Context


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
    foreign: Literal["ignore", "reject"] = "ignore"  # CAT-64
    label_324: Literal["contested", "cattprint"] = "contested"
    privacy: Literal["off", "warn", "reject"] = "off"  # CAT-85; warnings are `cat.privacy.findings`
    b64: Literal["strict", "lenient"] = "strict"  # CAT-9
    cbor: Literal["strict", "lenient"] = "strict"  # CAT-5
    alg_from_key: bool = False  # a token without alg has that of the key it names, CAT-23
    names: Names = field(default_factory=Names)  # more places for tokens, CAT-90
    encoded_slash: Literal["refuse", "allow"] = "refuse"  # CAT-42
    query_ignore: Sequence[str] = ()  # names of parameters that are no part of catu's query, CAT-43
    redirect_hosts: Sequence[str] = ()  # of catif locations that are not https, CAT-60
    cnf_legacy: bool = False  # CAT-80
    dpop_ath: bool = False  # a proof must name the token, CAT-82
    settled: bool = False  # whoever asks settles `Verdict.pending` with a store, CAT-70..CAT-83
    use_s: int = 86_400  # a use is remembered so long where the token has no exp, CAT-71
    por_salt: bytes | None = field(default=None, repr=False)  # por=hash, CAT-75

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile is one of {', '.join(PROFILES)}")
        if not 0 <= self.skew_s <= 3600:
            raise ValueError("skew_s is 0..3600")
        if self.label_324 == "cattprint" and CATTPRINT.label in PROFILES[self.profile].claims:
            raise ValueError(f"profile {self.profile} has its own label 324")

    @cached_property
    def dialect(self) -> Profile:
        """The profile with the labels that options add."""
        profile = PROFILES[self.profile]
        return with_claim(profile, CATTPRINT) if self.label_324 == "cattprint" else profile

    @cached_property
    def reading(self) -> tuple[str, ...]:
        """What steps 1 to 7 depend on (CAT-101)."""
        return (
            *(self.profile, self.contested, self.high_s, self.foreign),
            *(self.label_324, self.privacy, self.b64, self.cbor, str(self.alg_from_key)),
        )

    @cached_property
    def needed(self) -> Mapping[str, str]:
        """Claims that must be present, with the reason for refusing without them."""
        needed = dict.fromkeys(self.require, "missing")
        return needed | {"iss": "issuer"} if self.issuers else needed


@dataclass(frozen=True)
class Case:
    """A set of claims (the token's own, or one of a composition) and what it is judged against.
    Judges leave in `pending` what only a store can decide.
    """

    claims: Mapping[Value, Value]
    context: Context
    options: Options
    token: str = field(default="", repr=False)
    payload: bytes = field(default=b"", repr=False)
    pending: list[Due] = field(default_factory=list)

    @property
    def profile(self) -> Profile:
        return self.options.dialect


LIBRARY_DEFAULTS: Final = Options()


def normal_uri(context: Context, options: Options = LIBRARY_DEFAULTS) -> Uri | None:
    """The viewer's URI without the token (CAT-42), or None when it has no normal form."""
    form = (options.encoded_slash, tuple(options.query_ignore), options.names.queries)
    kept = context.normal
    if not isinstance(kept, tuple) or kept[0] != form:
        kept = context.normal = form, without_token(context.uri, options)
    uri: Uri | None = kept[1]
    return uri


def normal_parts(context: Context) -> tuple[str, str, str, str, str] | None:
    """The same as (scheme, host, port, path, query), by the library's defaults."""
    uri = normal_uri(context)
    return None if uri is None else (uri.scheme, uri.host, uri.port, uri.path, uri.query)


def without_token(text: str, options: Options = LIBRARY_DEFAULTS) -> Uri | None:
    """The normal form of any URI, less what carries a token and the parameters to ignore."""
    head, mark, query = text.partition("?")
    scheme, slashes, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    found = transport.candidates(slash + path, query, {}, options.names)
    kept = transport.without(found.query, options.query_ignore)
    try:
        return parse(
            scheme + slashes + host + found.path + (mark if kept else "") + kept,
            encoded_slash=options.encoded_slash == "allow",
        )
    except UriError:
        return None


__all__ = [
    "LIBRARY_DEFAULTS",
    "Case",
    "Context",
    "Options",
    "normal_parts",
    "normal_uri",
    "without_token",
]
