"""Where a token travels (CAT-90..CAT-94): header, query, path segment, cookie; found and taken out
in one go.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cat.tables import LIMITS
from cat.text import from_text, is_envelope

HEADER: Final = "cta-common-access-token"
QUERY: Final = "cat"
PATH_PREFIX: Final = "/cat:"
COOKIE: Final = "cta-common-access-token"
BARE_SEGMENT_CHARS: Final = 50  # CAT-90 (3)
_NAME = re.compile(r"[a-z0-9!#$%'*+.^_`|~-]+")  # RFC 9110, 5.6.2, less "&"
_PATH_FORM = re.compile(r"/cat(?::|%3[Aa])([^/]*)")


@dataclass(frozen=True, slots=True)
class Names:
    """Names that carry tokens beside the standard ones (CAT-90), in lower case."""

    headers: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.headers, *self.queries, *self.cookies):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"a name that carries tokens is a lower-case token, not {name!r}")


STANDARD: Final = Names()


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates in order of preference, and the request without them (CAT-92)."""

    tokens: tuple[str, ...] = field(repr=False)
    path: str
    query: str
    headers: Mapping[str, str]


def candidates(path: str, query: str, headers: Mapping[str, str], names: Names = STANDARD) -> Found:
    """Take every token out of a request; header names are lower-case, `query` is without its
    question mark.
    """
    carriers = (HEADER, *names.headers)
    from_header = [
        item.split(";")[0].strip()
        for carrier in carriers
        for item in headers.get(carrier, "").split(",")
    ]
    from_query, query = _from_names(query, "&", (QUERY, *names.queries))
    from_path, path = _from_path(path)
    from_cookie, cookie = _from_names(headers.get("cookie", ""), ";", (COOKIE, *names.cookies))
    rest = headers
    if from_cookie or any(carrier in headers for carrier in carriers):
        taken = (*carriers, "cookie")
        rest = {name: value for name, value in headers.items() if name not in taken}
        if cookie:
            rest["cookie"] = cookie
    tokens = dict.fromkeys(filter(None, [*from_header, *from_query, *from_path, *from_cookie]))
    return Found(tuple(tokens)[: LIMITS.candidates], path, query, rest)


def without(query: str, names: Sequence[str]) -> str:
    """A query less the parameters of these names (any case); other bytes and their order stay."""
    for name in names:
        query = _from_pairs(query, "&", name.lower())[1]
    return query


def channel(
    token: str, path: str, query: str, headers: Mapping[str, str], names: Names = STANDARD
) -> str:
    """Where a token came by: header, query, path or cookie; header for one from elsewhere."""
    came = {
        "header": {name: headers.get(name, "") for name in (HEADER, *names.headers)},
        "query": {},
        "path": {},
        "cookie": {"cookie": headers.get("cookie", "")},
    }
    for name, fields in came.items():
        where = path if name == "path" else "", query if name == "query" else ""
        found = candidates(*where, fields, names)
        if token in found.tokens:
            return name
    return "header"


def in_path(token: str, path: str) -> str:
    """The path form: the token above every relative reference (CAT-93)."""
    return f"{PATH_PREFIX}{token}{path}"


def _from_names(text: str, separator: str, wanted: Sequence[str]) -> tuple[list[str], str]:
    """The values of several names, name by name, and the text without those pairs."""
    found: list[str] = []
    for name in wanted:
        values, text = _from_pairs(text, separator, name)
        found += values
    return found, text


def _from_pairs(text: str, separator: str, wanted: str) -> tuple[list[str], str]:
    """The values of one name (any case) and the text without those pairs; other bytes and their
    order stay.
    """
    found: list[str] = []
    kept: list[str] = []
    if wanted not in text.lower():
        return found, text
    for pair in text.split(separator):
        name, _, value = pair.partition("=")
        if name.strip().lower() == wanted:
            found.append(value.strip())
        else:
            kept.append(pair)
    return found, separator.join(kept).lstrip() if found else text


def _from_path(path: str) -> tuple[list[str], str]:
    form = _PATH_FORM.match(path)
    if form is not None:
        return [form[1]], path[form.end() :] or "/"
    segment, slash, rest = path[1:].partition("/")
    if slash and len(segment) > BARE_SEGMENT_CHARS and _looks_like_token(segment):
        return [segment], slash + rest
    return [], path


def _looks_like_token(segment: str) -> bool:
    if len(segment) > LIMITS.encoded_chars:
        return False
    try:
        return is_envelope(from_text(segment))
    except ValueError:
        return False
