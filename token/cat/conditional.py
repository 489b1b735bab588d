"""catif: what the token's issuer wants answered when a claim fails (CAT-60, CAT-61).

Only a token whose seal and forms held is listened to; whatever in its answer is not allowed gives
the default answer instead.
"""

import re
from collections.abc import Mapping
from math import floor
from typing import Any, Final

from cat.cbor import Value
from cat.context import Case
from cat.errors import IssueError
from cat.mint import Mint, seal, written
from cat.shapes import is_token
from cat.tables import LABELS

STATUSES: Final = frozenset({*range(300, 500), 503})
FIELDS: Final = frozenset({"location", "retry-after", "link", "content-language", "cache-control"})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_HTTPS = re.compile(r"https://[^/?#\\@\s]+(?:[/?#]|$)")
_HTTP_HOST = re.compile(r"http://([^/?#\\@:\s]+)(?::[0-9]{1,5})?(?:[/?#]|$)")


def answer(case: Case, failing: str, mint: Mint | None) -> tuple[int, dict[str, str]] | None:
    """Status and header fields for the failing claim's name, or None for the default answer."""
    rules = case.claims.get(LABELS["catif"])
    if not isinstance(rules, dict):
        return None
    for label, claim in case.profile.claims.items():
        if claim.name == failing and label in case.claims:
            parts = _parts(rules, label)
            return None if parts is None else _allowed(parts, case, mint)
    return None


def _parts(rules: Mapping[Any, Any], wanted: int) -> tuple[Any, ...] | None:
    for labels, parts in rules.items():
        if wanted == labels or (isinstance(labels, tuple) and wanted in labels):
            found: tuple[Any, ...] = parts
            return found
    return None


def _allowed(
    parts: tuple[Any, ...], case: Case, mint: Mint | None
) -> tuple[int, dict[str, str]] | None:
    status, given = parts[0], parts[1] if len(parts) > 1 else {}
    kid = parts[2] if len(parts) > 2 else None
    if status not in STATUSES or not isinstance(given, dict):
        return None
    fields: dict[str, str] = {}
    for name, value in given.items():
        if not is_token(name) or name.title() in fields:
            return None
        if name.lower() not in FIELDS and not name.lower().startswith("x-"):
            return None
        text = value if isinstance(value, str) else _minted(value, kid, case, mint)
        if text is None or _CONTROL.search(text):
            return None
        if name.lower() == "location" and not _may_go(text, case):
            return None
        fields[name.title()] = text
    return status, fields


def _may_go(location: str, case: Case) -> bool:
    if _HTTPS.match(location):
        return True
    found = _HTTP_HOST.match(location)
    return found is not None and found[1].lower() in case.options.redirect_hosts


def _minted(value: object, kid: object, case: Case, mint: Mint | None) -> str | None:
    """`[url-prefix, claims]` as one text (CAT-61); None when it cannot be signed."""
    if not isinstance(value, tuple) or len(value) != 2 or mint is None:
        return None
    prefix, claims = value
    name = kid.decode("utf-8", "replace") if isinstance(kid, bytes) else kid
    if not isinstance(prefix, str) or not isinstance(claims, dict) or not isinstance(name, str):
        return None
    now = case.context.now
    for key in mint.keys:
        if key.kid == name and key.secret is not None and key.live(now):
            break
    else:
        return None
    try:
        payload = written(_filled(claims, case, mint), case.profile)
        return prefix + seal(payload, key)
    except IssueError:
        return None


def _filled(claims: Mapping[Value, Value], case: Case, mint: Mint) -> dict[int, object]:
    """Nulls are ours to fill or to drop; the minted token has no catif of its own."""
    issuer = mint.issuer or case.claims.get(LABELS["iss"])
    ours: dict[int, object] = {LABELS["iss"]: issuer, LABELS["iat"]: floor(case.context.now)}
    filled: dict[int, object] = {}
    for label, value in claims.items():
        if not isinstance(label, int):
            raise IssueError("labels are numbers")
        filled[label] = ours.get(label) if value is None else value
    filled.pop(LABELS["catif"], None)
    return {label: value for label, value in filled.items() if value is not None}
